/**
 * Operations that tell shapes, make tensors of a shape, and change the shape of tensors.
 */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import {
  type Dims,
  dimsOf,
  integers,
  integersOf,
  numbersOf,
  type Rows,
  rowsOf,
  type Same,
  same,
  type Value,
} from '../value.js';
import { listRules } from './rule.js';

/** TensorFlow's own limit. */
const maxRank = 254;

/** More parts are not followed. */
const maxParts = 4096;

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
  const dims = dimsOf(operation.input(0));
  if (dims) return integers([Size.product(dims)], true);
  return operation.unfit() ?? same([]);
}

function rank(operation: Operation): Outputs {
  const value = operation.input(0);
  const dims = dimsOf(value) ?? (value.kind === 'flat' ? [Size.one, ...value.inner] : undefined);
  if (dims) return integers([Size.of(dims.length)], true);
  return operation.unfit() ?? same([]);
}

/** Of dims that are told by numbers in a tensor. */
function tensorOf(operation: Operation, sizes: Value): Value {
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
  if (!operation.inputs.every(({ kind }) => kind === 'same'))
    return operation.mixed('numbers the rows, or as many as depend on them');
  return same([from === 0 && step === 1 && limit ? limit : operation.unknownSize(0)]);
}

function reshape(operation: Operation): Outputs {
  const [value, target] = [operation.input(0), operation.input(1)];
  const wanted = integersOf(target);
  if (value.kind === 'sizes' || (value.kind === 'same' && value.integers)) {
    const known = numbersOf(target);
    const [count] = known ?? [];
    const items = integersOf(value) as readonly Size[];
    if (known?.length === 0) return integers(items, true);
    if (known?.length === 1 && (count === -1 || count === items.length)) return integers(items, false);
    if (value.kind === 'sizes')
      return operation.mixed('reshapes numbers that depend on the size of the batch');
  }
  if (value.kind === 'same') return reshapeSame(operation, value, target);
  if (value.kind === 'flat') {
    const [first, ...inner] = wanted ?? [];
    const isAlike = first?.is(-1) && inner.length === value.inner.length;
    return isAlike && inner.every((each, i) => each?.equals(value.inner[i]))
      ? value
      : operation.mixed('reshapes a ragged tensor');
  }
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (!wanted?.every((item) => item !== undefined))
    return operation.mixed('reshapes rows to a shape that is not known');
  return reshapeRows(operation, value, wanted as Dims);
}

function reshapeSame(operation: Operation, { dims, integers: numbers }: Same, target: Value): Value {
  const made = tensorOf(operation, target);
  if (made.kind !== 'same')
    return operation.mixed('gives a tensor that is the same for all a row for each request');
  return same(made.dims && resolve(operation, dims, made.dims), numbers);
}

/** Replaces the -1 among the dims. */
function resolve(operation: Operation, dims: Dims | undefined, wanted: Dims): Size[] {
  const rest = Size.product(wanted.filter((dim) => !dim.is(-1)));
  const left = dims && Size.product(dims).dividedBy(rest);
  return wanted.map((dim, axis) => (dim.is(-1) ? (left ?? operation.unknownSize(axis)) : dim));
}

/** Rows stay apart where the dims before them hold as many elements as before, and no slice has parts of two rows. */
function reshapeRows(operation: Operation, value: Rows, wanted: Dims): Value {
  const others = wanted.filter((dim) => !dim.is(-1));
  const quotient = Size.product(value.dims).dividedBy(Size.product(others));
  const isInferred = others.length < wanted.length;
  if (isInferred && !quotient && !others.some((dim) => dim.hasBatch))
    return operation.mixed('reshapes rows to slices that may hold parts of several');
  const made = rowsOf(resolve(operation, value.dims, wanted));
  const before = (dims: Dims, axis: number) => Size.product(dims.slice(0, axis));
  if (!made || !before(made.dims, made.axis).equals(before(value.dims, value.axis)))
    return operation.mixed('reshapes rows across their axis');
  return made;
}

function expandDims(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'flat' || (value.kind === 'sizes' && !value.isScalar)) {
    const axis = operation.axis(operation.input(1), 2 + (value.kind === 'flat' ? value.inner.length : 0));
    if (value.kind === 'flat' && axis !== undefined && axis > 0)
      return { ...value, inner: value.inner.toSpliced(axis - 1, 0, Size.one) };
    return operation.mixed('adds a dim to numbers that depend on the size of the batch');
  }
  if (integersOf(value) && dimsOf(value)?.length === 0) return integers(integersOf(value) ?? [], false);
  const dims = dimsOf(value);
  const axis = dims && operation.axis(operation.input(1), dims.length + 1);
  if (value.kind === 'same')
    return same(axis === undefined ? undefined : dims?.toSpliced(axis, 0, Size.one), value.integers);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (axis === undefined) return operation.mixed('adds a dim that is not known');
  return {
    ...value,
    axis: axis <= value.axis ? value.axis + 1 : value.axis,
    dims: value.dims.toSpliced(axis, 0, Size.one),
  };
}

function squeeze(operation: Operation): Outputs {
  const value = operation.input(0);
  const dims = dimsOf(value);
  const given = operation.node.integers('squeeze_dims');
  if (value.kind === 'sizes') {
    if (value.items.length === 1) return integers(value.items, true);
    return operation.mixed('drops dims of numbers that depend on the size of the batch');
  }
  if (value.kind === 'same' && !dims) return same(undefined);
  if (!dims) return operation.unfit() ?? value;
  const axes = given.map((axis) => operation.axis(axis, dims.length));
  const isDropped = (axis: number) => (axes.length > 0 ? axes.includes(axis) : dims[axis]?.is(1) === true);
  const isClear = axes.length > 0 || dims.every((dim) => dim.value !== undefined);
  const left = dims.filter((_, axis) => !isDropped(axis));
  if (value.kind === 'same') return same(isClear ? left : undefined, value.integers);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const isSafe = axes.length > 0 && !isDropped(value.axis);
  if (!isSafe) return operation.mixed('drops every dim of size 1, which may be that of the rows');
  const axis = value.axis - dims.slice(0, value.axis).filter((_, i) => isDropped(i)).length;
  return { ...value, axis, dims: left };
}

function transpose(operation: Operation): Outputs {
  const value = operation.input(0);
  const dims = dimsOf(value);
  const permutation = dims && operation.axes(operation.input(1), dims.length);
  if (value.kind === 'same') return same(permutation?.map((axis) => dims?.[axis] ?? Size.one));
  if (value.kind !== 'rows') return operation.unfit() ?? operation.mixed('transposes a ragged tensor');
  if (!permutation) return operation.mixed('transposes rows in an order that is not known');
  return {
    ...value,
    axis: permutation.indexOf(value.axis),
    dims: permutation.map((axis) => value.dims[axis] ?? Size.one),
  };
}

function tile(operation: Operation): Outputs {
  const [value, multiples] = [operation.input(0), integersOf(operation.input(1))];
  const dims = dimsOf(value);
  if (value.kind === 'same' && (!dims || !multiples)) {
    return operation.input(1).kind === 'same'
      ? same(dims && operation.unknownSizes(dims.length))
      : operation.mixed('repeats by a number that depends on the rows');
  }
  if (!dims || (value.kind !== 'same' && value.kind !== 'rows')) return operation.unfit() ?? value;
  if (!multiples?.every((item) => item !== undefined))
    return operation.mixed('repeats rows by a number that is not known');
  if (value.kind === 'rows' && !multiples[value.axis]?.is(1)) return operation.mixed('repeats the batch');
  const tiled = dims.map((dim, axis) => dim.times((multiples as Dims)[axis] ?? Size.one));
  if (!tiled.some((dim) => dim.hasBatch)) return same(tiled);
  return rowsOf(tiled) ?? operation.mixed('repeats rows as often as there are rows');
}

function broadcastTo(operation: Operation): Outputs {
  const [value, target] = [operation.input(0), operation.input(1)];
  const made = tensorOf(operation, target);
  if (value.kind === 'same' && made.kind !== 'rows') return made.kind === 'same' ? same(made.dims) : made;
  if (made.kind !== 'rows' || (value.kind !== 'same' && value.kind !== 'rows'))
    return operation.unfit() ?? operation.mixed('broadcasts rows to a shape without them');
  const dims = dimsOf(value);
  const aligned = dims?.[made.axis - made.dims.length + dims.length];
  const isAlike =
    value.kind === 'rows'
      ? value.axis - value.dims.length === made.axis - made.dims.length &&
        aligned?.equals(made.dims[made.axis])
      : dims !== undefined && (aligned === undefined || aligned.is(1));
  return isAlike ? made : operation.mixed('broadcasts rows along another axis');
}

function pack(operation: Operation): Outputs {
  const scalars = operation.inputs.map((value, i) => {
    const [item] = integersOf(value) ?? [];
    if (dimsOf(value)?.length !== 0 || (value.kind !== 'same' && value.kind !== 'sizes')) return null;
    return item ?? (value.kind === 'same' ? operation.unknownSize(i) : undefined);
  });
  if (scalars.every((scalar) => scalar !== null)) return integers(scalars, false);
  const vectors = operation.inputs.flatMap((value) => (value.kind === 'same' ? (value.integers ?? []) : []));
  const [width] = dimsOf(operation.input(0)) ?? [];
  if (
    operation.inputs.every((value) => dimsOf(value)?.length === 1) &&
    width &&
    vectors.length > 0 &&
    width.times(Size.of(operation.inputs.length)).is(vectors.length)
  )
    if (operation.node.integer('axis') === 0) return same([Size.of(operation.inputs.length), width], vectors);
  const unfit = operation.unfit();
  if (unfit) return unfit;
  const rows = operation.inputs.find((value) => value.kind === 'rows');
  const dims = dimsOf(rows ?? operation.input(0));
  const axis = dims && operation.axis(operation.node.integer('axis'), dims.length + 1);
  if (axis === undefined)
    return rows ? operation.mixed('stacks along an axis that is not known') : same(undefined);
  const stacked = dims?.toSpliced(axis, 0, Size.of(operation.inputs.length));
  if (!rows) return same(stacked);
  if (!operation.inputs.every((value) => value.kind === 'rows' && isAligned(value, rows)))
    return operation.mixed('stacks rows with what has none');
  return { ...rows, axis: axis <= rows.axis ? rows.axis + 1 : rows.axis, dims: stacked ?? [] };
}

function isAligned(a: Rows, b: Rows): boolean {
  return (
    a.axis === b.axis && a.dims.length === b.dims.length && a.dims[a.axis]?.equals(b.dims[b.axis]) === true
  );
}

function unpack(operation: Operation): Outputs {
  const value = operation.input(0);
  const items = integersOf(value);
  if (items && dimsOf(value)?.length === 1) return items.map((item) => integers([item], true));
  if (value.kind === 'same') {
    const axis = value.dims && operation.axis(operation.node.integer('axis'), value.dims.length);
    return same(axis === undefined ? undefined : value.dims?.toSpliced(axis, 1));
  }
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const axis = operation.axis(operation.node.integer('axis'), value.dims.length);
  if (axis === undefined || axis === value.axis) return operation.mixed('takes the rows apart');
  return {
    ...value,
    axis: value.axis > axis ? value.axis - 1 : value.axis,
    dims: value.dims.toSpliced(axis, 1),
  };
}

const concatLast = (operation: Operation) =>
  concat(operation, operation.inputs.slice(0, -1), operation.inputs.at(-1));
const concatFirst = (operation: Operation) =>
  concat(operation, operation.inputs.slice(1), operation.inputs[0]);

function concat(operation: Operation, values: readonly Value[], along: Value | undefined): Outputs {
  const vectors = values.map((value, i) => {
    const dims = dimsOf(value);
    const count = dims?.length === 1 ? dims[0]?.value : undefined;
    if (count === undefined || count > 256 || (value.kind !== 'same' && value.kind !== 'sizes'))
      return undefined;
    return integersOf(value) ?? Array.from({ length: count }, (_, j) => operation.unknownSize(i * 256 + j));
  });
  if (values.some(integersOf) && vectors.every((vector) => vector !== undefined))
    return integers(vectors.flat(), false);
  if (values.every(({ kind }) => kind === 'same')) return same(concatDims(operation, values, along));
  const rows = values.find((value) => value.kind === 'rows');
  const axis = rows && operation.axis(along, rows.dims.length);
  if (!rows || !values.every((value) => value.kind === 'rows' && isAligned(value, rows)))
    return operation.mixed('joins rows with what has none, or other ones');
  if (axis === undefined || axis === rows.axis) return operation.mixed('joins rows along their axis');
  return { ...rows, dims: concatDims(operation, values, along) ?? rows.dims };
}

function concatDims(
  operation: Operation,
  values: readonly Value[],
  along: Value | undefined,
): Size[] | undefined {
  const all = values.map(dimsOf);
  const dims = all.find((each) => each !== undefined);
  const axis = dims && operation.axis(along, dims.length);
  if (axis === undefined) return dims && operation.unknownSizes(dims.length);
  const parts = all.map((each) => each?.[axis]?.value);
  const sum = parts.reduce(
    (total, part) => (total === undefined || part === undefined ? undefined : total + part),
    0,
  );
  return dims?.map((dim, i) =>
    i !== axis ? dim : sum === undefined ? operation.unknownSize(i) : Size.of(sum),
  );
}

function split(operation: Operation): Outputs {
  const count = operation.node.integer('num_split');
  if (count > maxParts) return operation.mixed('splits into more parts than are followed');
  return splitInto(operation, operation.input(1), operation.input(0), Array(count).fill(undefined));
}

function splitBySizes(operation: Operation): Outputs {
  if (operation.input(1).kind !== 'same')
    return operation.mixed('splits into parts that depend on the batch');
  const given = integersOf(operation.input(1));
  const count = operation.node.integer('num_split');
  if (count > maxParts) return operation.mixed('splits into more parts than are followed');
  return splitInto(operation, operation.input(0), operation.input(2), given ?? Array(count).fill(undefined));
}

/** @param sizes of the parts; undefined: equal ones */
function splitInto(
  operation: Operation,
  value: Value,
  along: Value,
  sizes: readonly (Size | undefined)[],
): Outputs {
  const dims = dimsOf(value);
  const axis = dims && operation.axis(along, dims.length);
  const items = integersOf(value);
  const parts = axis === undefined ? [] : partsOf(operation, dims?.[axis], axis, sizes);
  if (items && dims?.length === 1 && parts.every((part) => part.value !== undefined)) {
    let start = 0;
    return parts.map(({ value: count = 0 }) => {
      start += count;
      return integers(items.slice(start - count, start), false);
    });
  }
  if (value.kind === 'same' && axis === undefined) return same(undefined);
  if (!dims || (value.kind !== 'same' && value.kind !== 'rows')) return operation.unfit() ?? value;
  if (axis === undefined || (value.kind === 'rows' && axis === value.axis))
    return operation.mixed('splits the rows');
  return parts.map((part) => ({
    ...value,
    integers: undefined,
    dims: dims.map((dim, i) => (i === axis ? part : dim)),
  }));
}

/** How much of a dim each part has: what an input says, or all alike. One may be told to take what the others leave. */
function partsOf(
  operation: Operation,
  dim: Size | undefined,
  axis: number,
  sizes: readonly (Size | undefined)[],
): Size[] {
  const isTold = sizes.some((size) => size !== undefined) || operation.node.op === 'SplitV';
  const equal = isTold && sizes.length > 1 ? undefined : dim?.dividedBy(Size.of(sizes.length));
  const told = sizes.filter((size) => size?.is(-1) !== true).map((size) => size?.value);
  const rest = told.reduce(
    (left, size) => (left === undefined || size === undefined ? undefined : left - size),
    dim?.value,
  );
  return sizes.map((size, i) => {
    const part = size?.is(-1) ? rest : size;
    return (typeof part === 'number' ? Size.of(part) : part) ?? equal ?? operation.unknownSize(axis, i);
  });
}

function ensureShape(operation: Operation): Outputs {
  const value = operation.input(0);
  const wanted = operation.node.shape('shape');
  if (value.kind === 'same')
    return { ...value, dims: value.dims ?? wanted?.map((dim, i) => sizeOr(operation, dim, i)) };
  if (value.kind !== 'rows' || !wanted) return value;
  if (typeof wanted[value.axis] === 'number') return operation.mixed('takes one number of rows only');
  return {
    ...value,
    dims: value.dims.map((dim, i) => {
      const known = wanted[i];
      return i === value.axis || dim.value !== undefined || known === null || known === undefined
        ? dim
        : Size.of(known);
    }),
  };
}

function sizeOr(operation: Operation, dim: number | null, axis: number): Size {
  return dim === null ? operation.unknownSize(axis) : Size.of(dim);
}

function pad(operation: Operation): Outputs {
  const [value, paddings] = [operation.input(0), operation.input(1)];
  const amounts = integersOf(paddings);
  if (operation.inputs.slice(1).some(({ kind }) => kind !== 'same'))
    return operation.mixed('pads by what depends on the batch');
  if (value.kind === 'same') return same(value.dims && operation.unknownSizes(value.dims.length));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const around = (axis: number) =>
    amounts ? [amounts[2 * axis], amounts[2 * axis + 1]] : [undefined, undefined];
  if (!around(value.axis).every((amount) => amount?.is(0)))
    return operation.mixed('adds rows, or may add some');
  return {
    ...value,
    dims: value.dims.map((dim, axis) => {
      const [before, after] = around(axis);
      if (before?.is(0) && after?.is(0)) return dim;
      const [total, more, evenMore] = [dim.value, before?.value, after?.value];
      const isKnown = total !== undefined && more !== undefined && evenMore !== undefined;
      return isKnown ? Size.of(total + more + evenMore) : operation.unknownSize(axis);
    }),
  };
}

function spaceToBatch(operation: Operation): Outputs {
  const value = operation.input(0);
  const blocks = numbersOf(operation.input(1));
  if (operation.input(2).kind !== 'same') return operation.mixed('pads by what depends on the batch');
  if (value.kind === 'same') return same(value.dims && operation.unknownSizes(value.dims.length));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (value.axis !== 0 || !blocks || !value.dims[0]?.equals(Size.batch))
    return operation.mixed('moves blocks into rows that are not in front');
  const factor = blocks.reduce((product, block) => product * block, 1);
  const dims = value.dims.map((dim, axis) => (axis <= blocks.length ? operation.unknownSize(axis) : dim));
  return {
    kind: 'rows',
    axis: 0,
    dims: [Size.batch.times(Size.of(factor)), ...dims.slice(1)],
    dealt: blocks.join(),
  };
}

function batchToSpace(operation: Operation): Outputs {
  const value = operation.input(0);
  const blocks = numbersOf(operation.input(1));
  if (operation.input(2).kind !== 'same') return operation.mixed('pads by what depends on the batch');
  if (value.kind === 'same') return same(value.dims && operation.unknownSizes(value.dims.length));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const factor = Size.of(blocks?.reduce((product, block) => product * block, 1) ?? 0);
  if (
    value.axis !== 0 ||
    value.dealt !== blocks?.join() ||
    !blocks ||
    !value.dims[0]?.equals(Size.batch.times(factor))
  )
    return operation.mixed('moves rows into blocks');
  const dims = value.dims.map((dim, axis) => (axis <= blocks.length ? operation.unknownSize(axis) : dim));
  return { kind: 'rows', axis: 0, dims: [Size.batch, ...dims.slice(1)] };
}

export const shapeRules = listRules(
  ['Shape ShapeN', { rule: shape }],
  ['Size', { rule: size }],
  ['Rank', { rule: rank }],
  ['Fill', { rule: fill }],
  ['ZerosLike OnesLike', { rule: like, takesDealt: true }],
  ['Range', { rule: range }],
  ['Reshape', { rule: reshape }],
  ['ExpandDims', { rule: expandDims, takesDealt: true }],
  ['Squeeze', { rule: squeeze, takesDealt: true }],
  ['Transpose ConjugateTranspose', { rule: transpose }],
  ['Tile', { rule: tile }],
  ['BroadcastTo', { rule: broadcastTo }],
  ['Pack', { rule: pack }],
  ['Unpack', { rule: unpack }],
  ['ConcatV2', { rule: concatLast }],
  ['Concat', { rule: concatFirst }],
  ['Split', { rule: split }],
  ['SplitV', { rule: splitBySizes }],
  ['EnsureShape', { rule: ensureShape }],
  ['Pad PadV2 MirrorPad', { rule: pad, takesDealt: true }],
  ['SpaceToBatchND', { rule: spaceToBatch }],
  ['BatchToSpaceND', { rule: batchToSpace, takesDealt: true }],
);
