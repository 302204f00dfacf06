/**
 * Finds what can be said of a tensor that is one of two: from the branches of a condition, or from the turns of a loop.
 */
import { Size } from './size.js';
import { type Dims, isEqual, type Mixed, mixed, oneRow, type Value } from './value.js';

/** The most turns of a loop that are evaluated to learn something new. What still changes after that is given up. */
export const maxTurns = 12;

/** Makes an unknown size. The same name gives the same size. */
export type NameSize = (name: string) => Size;

export function joinValues(a: Value, b: Value, unknownSize: NameSize): Value {
  if (isEqual(a, b)) return a;
  if (a.kind === 'mixed') return a;
  if (b.kind === 'mixed') return b;
  if (a.kind === 'dead') return b;
  if (b.kind === 'dead') return a;
  if (a.kind === 'same' && b.kind === 'same') {
    const isAlike = a.integers?.length === b.integers?.length && a.dims?.length === b.dims?.length;
    return {
      kind: 'same',
      dims: joinDims(a.dims, b.dims, unknownSize, 'dim'),
      integers: isAlike ? joinSizes(a.integers, b.integers, unknownSize, 'number') : undefined,
      variable: joinDims(a.variable, b.variable, unknownSize, 'variable'),
    };
  }
  if (a.kind === 'rows' && b.kind === 'rows') {
    const isAlike = a.axis === b.axis && a.dims.length === b.dims.length && a.dealt === b.dealt;
    if (!isAlike || !a.dims[a.axis]?.equals(b.dims[b.axis])) return differ;
    return { ...a, dims: joinDims(a.dims, b.dims, unknownSize, 'dim') ?? a.dims };
  }
  if (a.kind === 'list' && b.kind === 'list') {
    if (!a.member || !b.member) {
      const member = a.member ?? b.member;
      return { kind: 'list', member: member && withoutNames(member, unknownSize) };
    }
    const member = joinValues(a.member, b.member, unknownSize);
    return member.kind === 'mixed' ? member : { kind: 'list', member };
  }
  const isRow = (value: Value) => value.kind === 'one row' || value.kind === 'same';
  return isRow(a) && isRow(b) ? oneRow : differ;
}

/** Joins the values of several tensors, one by one. @param place tells this place of the graph from others */
export function joinAll(before: readonly Value[], after: readonly Value[], place: string): Value[] {
  return before.map((value, i) =>
    joinValues(value, after[i] ?? missing, (name) => Size.named(`${place}~${i}:${name}`)),
  );
}

/** A branch that was not followed to its end has too few values. */
const missing: Mixed = mixed('it is not known in one case');

/** Replaces sizes with a name, which may differ in each turn of a loop. */
function withoutNames(value: Value, unknownSize: NameSize): Value {
  if (value.kind !== 'rows' && value.kind !== 'same') return value;
  const rename = (size: Size, axis: number) =>
    size.value !== undefined || size.hasBatch ? size : unknownSize(`dim${axis}`);
  const dims = value.dims?.map(rename);
  return value.kind === 'rows' ? { ...value, dims: dims ?? [] } : { kind: 'same', dims };
}

const differ: Mixed = mixed('it has rows in one case and other ones, or none, in another');

function joinDims(
  a: Dims | undefined,
  b: Dims | undefined,
  unknownSize: NameSize,
  name: string,
): Dims | undefined {
  return a && b && a.length === b.length ? joinSizes(a, b, unknownSize, name) : undefined;
}

function joinSizes(
  a: readonly Size[] | undefined,
  b: readonly Size[] | undefined,
  unknownSize: NameSize,
  name: string,
): Size[] | undefined {
  return a?.map((size, place) => (size.equals(b?.[place]) ? size : unknownSize(`${name}${place}`)));
}
