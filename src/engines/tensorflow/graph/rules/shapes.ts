/** Rules for operations that return shapes, and that make tensors of a given shape. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, dimsOf, integers, integersOf, rowsOf, same, type Value } from '../value.js';
import { listRules } from './rule.js';

/** TensorFlow's own limit. */
const maxRank = 254;

/** A vector that holds the dims of a tensor. */
function shapeOf(operation: Operation, value: Value): Value {
  if (value.kind === 'flat') return integers([undefined, ...value.inner], false);
  const dims = dimsOf(value);
  if (dims) return integers(dims, false);
  return value.kind === 'same' ? same(undefined) : (operation.unfit() ?? value);
}

function shape(operation: Operation): Outputs {
  const shapes = operation.inputs.map((value) => shapeOf(operation, value));
  return shapes.length === 1 ? (shapes[0] as Value) : shapes;
}

function size(operation: Operation): Outputs {
  const value = operation.input(0);
  const dims = dimsOf(value);
  if (value.kind === 'flat' || value.kind === 'partition')
    return { ...operation.mixed('counts what all rows have'), isScalar: true };
  if (dims) return integers([Size.product(dims)], true);
  return operation.unfit() ?? same([]);
}

function rank(operation: Operation): Outputs {
  const value = operation.input(0);
  const dims = dimsOf(value) ?? (value.kind === 'flat' ? [Size.one, ...value.inner] : undefined);
  if (dims) return integers([Size.of(dims.length)], true);
  return operation.unfit() ?? same([]);
}

/** A tensor whose dims are the numbers in another tensor. */
export function tensorOf(operation: Operation, sizes: Value): Value {
  const items = integersOf(sizes);
  if (!items) {
    const [length] = dimsOf(sizes) ?? [];
    if ((length?.value ?? 0) > maxRank)
      return operation.mixed('makes a tensor of more dims than there may be');
    return sizes.kind === 'same'
      ? same(length?.value === undefined ? undefined : operation.unknownSizes(length.value))
      : operation.mixed('makes a tensor of a shape that depends on the rows');
  }
  if (!items.every((item) => item !== undefined))
    return operation.mixed('makes a tensor of a shape that depends on the rows');
  const dims = items as Dims;
  if (!dims.some((dim) => dim.hasBatch)) return same(dims);
  return rowsOf(dims) ?? operation.mixed('makes a tensor with several dims of the size of the batch');
}

function fill(operation: Operation): Outputs {
  const [sizes, value] = [operation.input(0), operation.input(1)];
  if (value.kind !== 'same') return operation.mixed('fills a tensor with a value that depends on the rows');
  const filled = tensorOf(operation, sizes);
  const [item] = value.integers ?? [];
  const count = filled.kind === 'same' && filled.dims?.length === 1 ? filled.dims[0]?.value : undefined;
  return item && count !== undefined && count <= 256 ? integers(Array(count).fill(item), false) : filled;
}

function like(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'rows' || value.kind === 'flat' || value.kind === 'list') return value;
  return value.kind === 'same' ? same(value.dims) : (operation.unfit() ?? value);
}

function range(operation: Operation): Outputs {
  const [start, limit, delta] = operation.inputs.map((value) => integersOf(value)?.[0]);
  const [from, to, step] = [start?.value, limit?.value, delta?.value];
  if (from !== undefined && to !== undefined && step) {
    const count = Math.max(0, Math.ceil((to - from) / step));
    if (count <= 256)
      return integers(
        Array.from({ length: count }, (_, i) => Size.of(from + i * step)),
        false,
      );
    return same([Size.of(count)]);
  }
  if (from === 0 && step === 1 && limit?.equals(Size.batch)) return { kind: 'places', columns: undefined };
  if (!operation.inputs.every(({ kind }) => kind === 'same'))
    return operation.mixed('numbers the rows, or as many as depend on them');
  return same([from === 0 && step === 1 && limit ? limit : operation.unknownSize(0)]);
}

export const shapeRules = listRules(
  ['Shape ShapeN', { rule: shape }],
  ['Size', { rule: size }],
  ['Rank', { rule: rank }],
  ['Fill', { rule: fill }],
  ['ZerosLike OnesLike', { rule: like, takesDealt: true }],
  ['Range', { rule: range }],
);
