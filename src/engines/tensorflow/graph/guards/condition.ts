/**
 * What an operation needs of its inputs so that TensorFlow does not end the process: comparisons of ranks, dims,
 * numbers of elements and values.
 *
 * A guard in the graph checks them in each run (native/guard.cc). What the graph itself shows is settled at the load.
 */
import type { GraphShape } from '../graph-def.js';

/** A number that an input has, or a plain number. */
export type Term =
  | { readonly of: 'number'; readonly number: number }
  /** `plus` is added to it. */
  | { readonly of: 'rank' | 'count' | 'least' | 'most'; readonly input: number; readonly plus?: number }
  /** The least of the whole numbers after the first. */
  | { readonly of: 'least of rest'; readonly input: number }
  | { readonly of: 'dim'; readonly input: number; readonly axis: number }
  | Windows
  | Broadcast;

/** How many windows fit into a size: (size + plus) / per, rounded down. The size is the number at a place of a list. */
interface Windows {
  readonly of: 'windows';
  readonly input: number;
  readonly at: number;
  readonly plus: number;
  readonly per: number;
}

/** How many elements some inputs have together, once they are broadcast. The inputs follow one another. */
export interface Broadcast {
  readonly of: 'broadcast';
  readonly input: number;
  readonly inputs: number;
  /** The number of trailing dims that do not count. */
  readonly without: number;
}

export type Relation = '=' | '>=' | '<=';

/**
 * A comparison of two terms. It holds if a term does not exist, for example a dim after the last one or the least of no
 * values.
 */
export interface Condition {
  readonly left: Term;
  readonly relation: Relation;
  readonly right: Term;
  /** The words that follow "operation `x` needs". */
  readonly words: string;
}

/** What a graph shows of an input. */
export interface Shown {
  readonly shape: GraphShape;
  /** The values of a small constant. */
  readonly integers?: readonly number[] | undefined;
}

const number = (value: number): Term => ({ of: 'number', number: value });

export function rankIs(input: number, rank: number): Condition {
  const words = `${rank} ${rank === 1 ? 'dim' : 'dims'} in input ${input}`;
  return { left: { of: 'rank', input }, relation: '=', right: number(rank), words };
}

export function rankAtLeast(input: number, rank: number): Condition {
  const words = `${rank} ${rank === 1 ? 'dim' : 'dims'} or more in input ${input}`;
  return { left: { of: 'rank', input }, relation: '>=', right: number(rank), words };
}

/** One input has at most `plus` dims more than another. */
export function rankAtMostThat(input: number, other: number, plus: number): Condition {
  const words = `at most ${plus} more dims in input ${input} than in input ${other}`;
  return { left: { of: 'rank', input }, relation: '<=', right: { of: 'rank', input: other, plus }, words };
}

/** @param axis is counted from the end if it is negative */
export function dimAtLeast(input: number, axis: number, least: number): Condition {
  const words = `${least} or more along ${axisName(axis)} of input ${input}`;
  return { left: { of: 'dim', input, axis }, relation: '>=', right: number(least), words };
}

export function countAtLeast(input: number, least: number): Condition {
  const words = least === 1 ? `elements in input ${input}` : `${least} elements or more in input ${input}`;
  return { left: { of: 'count', input }, relation: '>=', right: number(least), words };
}

export function countIs(input: number, count: number): Condition {
  const words = `${count} ${count === 1 ? 'element' : 'elements'} in input ${input}`;
  return { left: { of: 'count', input }, relation: '=', right: number(count), words };
}

/** Every whole number is at least `least`. */
export function valuesAtLeast(input: number, least: number): Condition {
  const words = `no number below ${least} in input ${input}`;
  return { left: { of: 'least', input }, relation: '>=', right: number(least), words };
}

/** Every whole number after the first is at least `least`. */
export function restAtLeast(input: number, least: number): Condition {
  const words = `no number below ${least} behind the first in input ${input}`;
  return { left: { of: 'least of rest', input }, relation: '>=', right: number(least), words };
}

export function valuesAtMost(input: number, most: number): Condition {
  const words = `no number above ${most} in input ${input}`;
  return { left: { of: 'most', input }, relation: '<=', right: number(most), words };
}

/**
 * Inputs that are broadcast together do not become too much.
 *
 * @param what it is that counts
 */
export function broadcastAtMost(what: string, inputs: Omit<Broadcast, 'of'>, most: number): Condition {
  const last = inputs.input + inputs.inputs - 1;
  const words = `at most ${most} ${what} where inputs ${inputs.input} to ${last} are broadcast together`;
  return { left: { of: 'broadcast', ...inputs }, relation: '<=', right: number(most), words };
}

/** The dim of an input is as many windows as fit into the size that a list of sizes has at the same place. */
export function dimIsWindows(
  [input, axis]: readonly [input: number, axis: number],
  { list, size, stride, isPadded }: { list: number; size: number; stride: number; isPadded: boolean },
): Condition {
  const words = `as much along dim ${axis} of input ${input} as windows fit into what input ${list} says`;
  const right: Term = {
    of: 'windows',
    input: list,
    at: axis,
    plus: isPadded ? stride - 1 : stride - size,
    per: stride,
  };
  return { left: { of: 'dim', input, axis }, relation: '=', right, words };
}

/** No value is NaN. A guard takes NaN for less than every number. */
export function valuesAreNumbers(input: number): Condition {
  return { ...valuesAtLeast(input, -(2 ** 53)), words: `numbers in input ${input}, and no NaN` };
}

function axisName(axis: number): string {
  return axis < 0 ? `the ${axis === -1 ? 'last dim' : `dim ${-axis} from the end`}` : `dim ${axis}`;
}

/**
 * True if a run need not check the condition. If the graph shows that it does not hold, TensorFlow itself refuses the
 * graph.
 */
export function isSettled({ left, right }: Condition, inputs: readonly Shown[]): boolean {
  if (left.of === 'broadcast') return isBounded(left, inputs);
  return numberIn(left, inputs) !== undefined && numberIn(right, inputs) !== undefined;
}

/**
 * True if the graph shows that a request cannot multiply its own sizes. With one open axis there is no more than the inputs
 * have. The same holds for one open input, and for two of three. Sizes that are not open are the model's own.
 */
function isBounded({ input, inputs: count, without }: Broadcast, inputs: readonly Shown[]): boolean {
  const shapes = Array.from({ length: count }, (_, i) =>
    inputs[input + i]?.shape?.toReversed().slice(without),
  );
  const open = shapes.filter((shape) => !shape?.every((dim) => dim !== null));
  if (open.length <= 1 || (count === 3 && open.length === 2)) return true;
  const axes = new Set(
    open.flatMap((shape) => shape?.flatMap((dim, axis) => (dim === null ? axis : [])) ?? []),
  );
  return open.every((shape) => shape !== undefined) && axes.size <= 1;
}

function numberIn(term: Term, inputs: readonly Shown[]): number | undefined {
  if (term.of === 'number') return term.number;
  if (term.of === 'broadcast') return undefined;
  const shown = inputs[term.input];
  switch (term.of) {
    case 'dim':
      return shown?.shape?.at(term.axis) ?? undefined;
    case 'windows': {
      const size = shown?.integers?.at(term.at);
      return size === undefined ? undefined : Math.floor((size + term.plus) / term.per);
    }
    case 'least of rest': {
      const rest = shown?.integers?.slice(1) ?? [];
      return rest.length > 0 ? Math.min(...rest) : undefined;
    }
    default: {
      const value = plainValueOf(term.of, shown);
      return value === undefined ? undefined : value + (term.plus ?? 0);
    }
  }
}

function plainValueOf(of: 'rank' | 'count' | 'least' | 'most', shown: Shown | undefined): number | undefined {
  switch (of) {
    case 'rank':
      return shown?.shape?.length;
    case 'count':
      return shown?.shape?.reduce<number | undefined>(
        (count, dim) => (count === undefined || dim === null ? undefined : count * dim),
        1,
      );
    default: {
      const { integers } = shown ?? {};
      if (!integers || integers.length === 0) return undefined;
      return of === 'least' ? Math.min(...integers) : Math.max(...integers);
    }
  }
}

const kinds = {
  number: 0,
  rank: 1,
  dim: 2,
  count: 3,
  least: 4,
  most: 5,
  'least of rest': 6,
  windows: 7,
  broadcast: 8,
} as const satisfies Record<Term['of'], number>;
const relations = { '=': 0, '>=': 1, '<=': 2 } as const satisfies Record<Relation, number>;

/** Encodes a condition as native/guard.cc reads it. */
export function encodeCondition({ left, relation, right }: Condition): number[] {
  return [...encodeTerm(left), relations[relation], ...encodeTerm(right)];
}

/** Kind, first input, number of inputs, place, what is added, what is divided by. */
function encodeTerm(term: Term): number[] {
  const kind = kinds[term.of];
  switch (term.of) {
    case 'number':
      return [kind, 0, 0, 0, term.number, 1];
    case 'dim':
      return [kind, term.input, 1, term.axis, 0, 1];
    case 'windows':
      return [kind, term.input, 1, term.at, term.plus, term.per];
    case 'broadcast':
      return [kind, term.input, term.inputs, term.without, 0, 1];
    default:
      return [kind, term.input, 1, 0, 'plus' in term ? (term.plus ?? 0) : 0, 1];
  }
}
