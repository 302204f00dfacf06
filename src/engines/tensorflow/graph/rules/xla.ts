/**
 * Rules for XLA's operations in TensorFlow. JAX exported graphs of these before it exported StableHLO, whose operations
 * do the same. A message of XLA in an attribute says which dims are meant (xla_data.proto).
 */
import { joinElements, type Operation, type Outputs } from '../operation.js';
import type { Size } from '../size.js';
import {
  type Gather,
  gatherItems,
  gatherRows,
  rankOfGather,
  scatterRows,
} from '../stablehlo/rules/gathers.js';
import { dot } from '../stablehlo/rules/products.js';
import { type Dims, dimsOf, integersOf, numberOf, same, type Value } from '../value.js';
import { integerField, integerFields } from '../wire.js';
import { listRules } from './rule.js';

type Item = Size | undefined;

const isSame = ({ inputs }: Operation) => inputs.every(({ kind }) => kind === 'same');

/** The list of dims in a field of that message. */
const dimsNamed = ({ node }: Operation, field: number): number[] =>
  integerFields(node.bytes('dimension_numbers'), field);

const dimNamed = ({ node }: Operation, field: number): number =>
  integerField(node.bytes('dimension_numbers'), field);

/** Rows along an axis. Dims that nobody states are not known. */
function rowsAt(operation: Operation, rank: number, axis: number, size: Item, output = 0): Value {
  if (!size || axis < 0 || axis >= rank) return operation.mixed('has rows along no axis');
  const dims = operation.unknownSizes(rank, output).map((dim, i) => (i === axis ? size : dim));
  return { kind: 'rows', axis, dims };
}

function sameOfRank(operation: Operation, value: Value | undefined): Value {
  const rank = dimsOf(value)?.length;
  return same(rank === undefined ? undefined : operation.unknownSizes(rank));
}

function multiply(operation: Operation): Outputs {
  return dot(
    operation,
    [dimsNamed(operation, 3), dimsNamed(operation, 4)],
    [dimsNamed(operation, 1), dimsNamed(operation, 2)],
  );
}

/** Inputs: `images, filter, strides, padding, …`. */
function convolve(operation: Operation): Outputs {
  const [images, ...others] = operation.inputs;
  if (others.some(({ kind }) => kind !== 'same'))
    return operation.unfit() ?? operation.mixed('takes rows for a filter');
  if (images?.kind !== 'rows') return sameOfRank(operation, images);
  const isInBatch =
    images.axis === dimNamed(operation, 7) && operation.node.integer('batch_group_count', 1) === 1;
  return isInBatch
    ? rowsAt(operation, images.dims.length, dimNamed(operation, 9), images.dims[images.axis])
    : operation.mixed('takes another dim than that of the rows for the batch');
}

/** Inputs: `operand, indices, lengths of a slice`. */
function gather(operation: Operation): Outputs {
  const told: Gather = {
    operand: operation.input(0),
    indices: operation.input(1),
    lengths: integersOf(operation.input(2)),
    vector: dimNamed(operation, 4),
    offsets: dimsNamed(operation, 1),
    dropped: dimsNamed(operation, 2),
    batched: dimsNamed(operation, 5),
    indexBatched: dimsNamed(operation, 6),
    starts: dimsNamed(operation, 3),
  };
  const rank = rankOfGather(told);
  const gathered = gatherItems(told);
  if (gathered) return gathered;
  if (isSame(operation)) return same(rank === undefined ? undefined : operation.unknownSizes(rank));
  const found = gatherRows(operation, told);
  return found.kind === 'mixed' ? found : rowsAt(operation, rank ?? 0, found.axis, found.size);
}

/** Inputs: `operand, indices, updates`. */
function scatter(operation: Operation): Outputs {
  if (isSame(operation)) return same(dimsOf(operation.input(0)));
  return scatterRows(operation, {
    operand: operation.input(0),
    indices: operation.input(1),
    updates: operation.input(2),
    vector: dimNamed(operation, 4),
    windows: dimsNamed(operation, 1),
    inserted: dimsNamed(operation, 2),
    batched: dimsNamed(operation, 5),
    indexBatched: dimsNamed(operation, 6),
    starts: dimsNamed(operation, 3),
  });
}

/** Inputs: `tensors…, axis`. */
function sort(operation: Operation): Outputs {
  const tensors = operation.inputs.slice(0, -1);
  const joined = operation.unfit() ?? joinElements(operation, tensors);
  const along = operation.inputs.at(-1);
  if (joined.kind === 'same' && along?.kind === 'same') return tensors.map(() => joined);
  if (joined.kind !== 'rows') return joined;
  const axis = operation.axis(numberOf(along), joined.dims.length);
  return axis === undefined || axis === joined.axis
    ? operation.mixed('orders the rows, or may')
    : tensors.map(() => joined);
}

/** Inputs: `tensors…, initial values…`. */
function reduce(operation: Operation): Outputs {
  const half = operation.inputs.length / 2;
  const tensors = operation.inputs.slice(0, half);
  if (operation.inputs.slice(half).some(({ kind }) => kind !== 'same'))
    return operation.mixed('begins with what depends on the batch');
  const joined = operation.unfit() ?? joinElements(operation, tensors);
  const axes = operation.node.integers('dimensions_to_reduce');
  const left = (dims: Dims) => dims.filter((_, axis) => !axes.includes(axis));
  if (joined.kind === 'same') return tensors.map(() => same(joined.dims && left(joined.dims)));
  if (joined.kind !== 'rows') return joined;
  if (axes.some((axis) => axis < 0 || axis === joined.axis)) return operation.mixed('takes rows together');
  const axis = joined.axis - axes.filter((each) => each < joined.axis).length;
  return tensors.map(() => ({ kind: 'rows', axis, dims: left(joined.dims) }));
}

/** Inputs: `tensor, initial value, windows, strides, dilations between elements, dilations of windows, padding`. */
function reduceWindows(operation: Operation): Outputs {
  const [value, ...others] = operation.inputs;
  if (others.some(({ kind }) => kind !== 'same'))
    return operation.unfit() ?? operation.mixed('takes windows that depend on the batch');
  if (value?.kind !== 'rows') return sameOfRank(operation, value);
  const { axis, dims } = value;
  const [windows, strides, dilations] = [2, 3, 4].map((i) => integersOf(operation.input(i))?.[axis]);
  const padding = integersOf(operation.input(6));
  const isOne = [windows, strides, dilations].every((each) => each?.is(1));
  return isOne && padding?.[2 * axis]?.is(0) && padding[2 * axis + 1]?.is(0)
    ? rowsAt(operation, dims.length, axis, dims[axis])
    : operation.mixed('takes rows together');
}

/** Inputs: `tensor, padding, low, high, interior`. */
function pad(operation: Operation): Outputs {
  const [value, ...others] = operation.inputs;
  if (others.some(({ kind }) => kind !== 'same'))
    return operation.unfit() ?? operation.mixed('pads by what depends on the batch');
  if (value?.kind !== 'rows') return sameOfRank(operation, value);
  const { axis, dims } = value;
  return [2, 3, 4].every((i) => integersOf(operation.input(i))?.[axis]?.is(0))
    ? rowsAt(operation, dims.length, axis, dims[axis])
    : operation.mixed('adds rows, or may add some');
}

/** True if no number but that of one axis depends on the batch. */
function isSteady(value: Value, rank: number, axis: number): boolean {
  if (value.kind === 'same') return true;
  const items = integersOf(value);
  return items?.length === rank && items.every((item, i) => i === axis || (item && !item.hasBatch));
}

/**
 * Inputs: `tensor, starts, lengths`. A part that would go beyond the end is moved back, so all rows begin at the first.
 */
function slice(operation: Operation): Outputs {
  const [value, starts, lengths] = [operation.input(0), operation.input(1), operation.input(2)];
  if (isSame(operation)) return sameOfRank(operation, value);
  if (value.kind !== 'rows')
    return operation.unfit() ?? operation.mixed('takes a part by what depends on rows');
  const { axis, dims } = value;
  const isWhole = integersOf(lengths)?.[axis]?.equals(dims[axis]);
  if (!isWhole) return operation.mixed('takes some of the rows, or may');
  return isSteady(starts, dims.length, axis) && isSteady(lengths, dims.length, axis)
    ? rowsAt(operation, dims.length, axis, dims[axis])
    : operation.mixed('takes a part by what depends on rows');
}

/** Inputs: `tensor, update, starts`. An update with all rows begins at the first one. */
function updateSlice(operation: Operation): Outputs {
  const [value, update, starts] = [operation.input(0), operation.input(1), operation.input(2)];
  if (isSame(operation)) return same(dimsOf(value));
  const isAlike =
    value.kind === 'rows' &&
    update.kind === 'rows' &&
    value.axis === update.axis &&
    value.dims.length === update.dims.length &&
    value.dims[value.axis]?.equals(update.dims[update.axis]) &&
    isSteady(starts, value.dims.length, value.axis);
  return isAlike ? value : (operation.unfit() ?? operation.mixed('writes some of the rows, or may'));
}

function elements(operation: Operation): Outputs {
  return operation.unfit() ?? joinElements(operation);
}

const pass = ({ inputs }: Operation): Outputs => inputs;

export const xlaRules = listRules(
  ['XlaDot XlaDotV2', { rule: multiply }],
  ['XlaConv XlaConvV2', { rule: convolve }],
  ['XlaGather', { rule: gather }],
  ['XlaScatter', { rule: scatter }],
  ['XlaVariadicSort', { rule: sort }],
  ['XlaReduce XlaVariadicReduceV2', { rule: reduce }],
  ['XlaReduceWindow', { rule: reduceWindows }],
  ['XlaPad', { rule: pad }],
  ['XlaDynamicSlice', { rule: slice }],
  ['XlaDynamicUpdateSlice', { rule: updateSlice }],
  ['XlaReducePrecision', { rule: elements }],
  ['XlaOptimizationBarrier', { rule: pass }],
);
