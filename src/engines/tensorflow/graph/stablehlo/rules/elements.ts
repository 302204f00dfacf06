/**
 * Rules for StableHLO's operations that work element by element. All operands have one shape. The rules for whole
 * numbers follow what is known of shapes.
 */
import { joinElements, type Outputs } from '../../operation.js';
import { type Fold, foldIntegers, folds, inRange, numeric } from '../../rules/elements.js';
import { Size } from '../../size.js';
import { dimsOf, integers, integersOf, same, type Value } from '../../value.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

const plain = `
  abs atan2 cbrt ceil complex cosine count_leading_zeros exponential exponential_minus_one floor imag is_finite log
  log_plus_one logistic negate not popcnt power real reduce_precision round_nearest_afz round_nearest_even rsqrt
  shift_left shift_right_arithmetic shift_right_logical sign sine sqrt tan tanh xor
`;

const fold = (name: string): Fold => folds[name] ?? (() => undefined);

/** Functions of two whole numbers. StableHLO rounds quotients towards zero. */
const binary: ReadonlyMap<string, Fold> = new Map([
  ['add', fold('Add')],
  ['subtract', fold('Sub')],
  ['multiply', fold('Mul')],
  ['divide', (a, b) => a.dividedBy(b) ?? (b.is(0) ? undefined : numeric((x, y) => Math.trunc(x / y))(a, b))],
  [
    'remainder',
    (a, b) => (a.dividedBy(b) ? Size.of(0) : b.is(0) ? undefined : numeric((x, y) => x % y)(a, b)),
  ],
  ['maximum', fold('Maximum')],
  ['minimum', fold('Minimum')],
  ['and', (a, b) => logical('LogicalAnd', a, b)],
  ['or', (a, b) => logical('LogicalOr', a, b)],
]);

/** Computes with bools, which are whole numbers here. Nothing is known of other numbers. */
function logical(name: string, a: Size, b: Size): Size | undefined {
  const isBool = (size: Size) => size.value === undefined || size.is(0) || size.is(1);
  return isBool(a) && isBool(b) ? fold(name)(a, b) : undefined;
}

/** The comparisons, by the number of their direction. */
const comparisons = ['Equal', 'NotEqual', 'GreaterEqual', 'Greater', 'LessEqual', 'Less'];

function join(instruction: Instruction): Outputs {
  return instruction.unfit() ?? joinElements(instruction);
}

function arithmetic(instruction: Instruction): Outputs {
  const { name } = instruction.operation;
  const type = instruction.type();
  const isBool = type.kind === 'tensor' && type.element === 'i1';
  const isLogical = name === 'and' || name === 'or';
  const folded = isBool === isLogical ? foldIntegers(instruction, binary.get(name) as Fold) : undefined;
  return folded ?? join(instruction);
}

function compare(instruction: Instruction): Outputs {
  const direction = comparisons[instruction.attributes.comparison()];
  const compared = direction ? foldIntegers(instruction, fold(direction)) : undefined;
  return compared ?? join(instruction);
}

/** Computes with whole numbers. An operand has one of them, or one for each element. */
function foldEach(
  instruction: Instruction,
  compute: (...operands: readonly (Size | undefined)[]) => Size | undefined,
): Value | undefined {
  const all = instruction.inputs.map(integersOf);
  const ranks = instruction.inputs.map((value) => dimsOf(value)?.length);
  const counts = all.map((items) => items?.length ?? 0);
  const count = Math.max(...counts);
  if (count === 0 || ranks.some((rank) => rank === undefined || rank > 1)) return undefined;
  if (counts.some((each, i) => each !== count && (ranks[i] !== 0 || each !== 1))) return undefined;
  const items = Array.from({ length: count }, (_, i) => {
    const operands = all.map((each) => each?.[each.length === 1 ? 0 : i]);
    const computed = inRange(compute(...operands));
    const isClear = computed || operands.some((operand) => !operand || operand.hasBatch);
    return isClear ? computed : instruction.unknownSize(i);
  });
  return integers(
    items,
    ranks.every((rank) => rank === 0),
  );
}

/** Inputs: `least, value, most`. The first and the last may be scalars. */
function clamp(instruction: Instruction): Outputs {
  const clamped = foldEach(instruction, (least, value, most) => {
    const raised = least && value && fold('Maximum')(value, least);
    return raised && most && fold('Minimum')(raised, most);
  });
  return clamped ?? join(instruction);
}

/** Inputs: `condition, value if true, value if false`. The condition may be a scalar. */
function select(instruction: Instruction): Outputs {
  const chosen = foldEach(instruction, (condition, left, right) => {
    if (condition?.value !== undefined) return condition.is(0) ? right : left;
    return left?.equals(right) ? left : undefined;
  });
  if (chosen) return chosen;
  const [condition, left, right] = instruction.inputs;
  if (
    condition?.kind === 'same' &&
    condition.dims?.length === 0 &&
    condition.integers?.[0]?.value !== undefined
  )
    return (condition.integers[0].is(0) ? right : left) ?? instruction.mixed('has no branch');
  return join(instruction);
}

const wide = new Set(['i32', 'i64']);

/** Converts to another dtype. Whole numbers stay the same between the types that hold sizes. */
function convert(instruction: Instruction): Outputs {
  const value = instruction.input(0);
  const type = instruction.type();
  const items = integersOf(value);
  const hasRoom = items?.every((item) => Math.abs(item?.value ?? 0) < 2 ** 31);
  if (hasRoom && type.kind === 'tensor' && wide.has(type.element)) return value;
  if (value.kind === 'same') return same(value.dims);
  return instruction.unfit() ?? value;
}

function pass(instruction: Instruction): Outputs {
  return instruction.inputs;
}

/** Reinterprets the bits. Elements of another width add a dim at the end, or remove one. */
function bitcast(instruction: Instruction): Outputs {
  const value = instruction.input(0);
  const stated = instruction.statedDims();
  if (value.kind === 'same') return instruction.sameAsStated();
  if (value.kind !== 'rows' || !stated) return instruction.unfit() ?? instruction.mixed('has no tensor');
  const kept = Math.min(stated.length, value.dims.length);
  if (value.axis >= kept) return instruction.mixed('changes the width of elements');
  return instruction.rows(value.axis, value.dims[value.axis]);
}

export const elementInstructions = listInstructions(
  [plain, join],
  [[...binary.keys()].join(' '), arithmetic],
  ['compare', compare],
  ['clamp', clamp],
  ['select', select],
  ['convert', convert],
  ['bitcast_convert', bitcast],
  ['optimization_barrier', pass],
);
