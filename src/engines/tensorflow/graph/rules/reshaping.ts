/** Rules for operations that change the dims of a tensor: reshapes, transposes, and dims of 1 that come and go. */
import type { Operation, Outputs, Step } from '../operation.js';
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
import { tensorOf } from './shapes.js';

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
  if (value.kind === 'partition' && value.form !== 'indices' && wanted?.length === 1 && wanted[0]?.is(-1))
    return value;
  if (value.kind === 'places' && value.columns === undefined && wanted)
    return reshapeNumbers(operation, wanted);
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

/** The numbers of the rows, as a vector or a column. */
function reshapeNumbers(operation: Operation, wanted: readonly (Size | undefined)[]): Value {
  const [rows, column, ...more] = wanted;
  const isWhole = more.length === 0 && (rows?.is(-1) || rows?.equals(Size.batch));
  if (!isWhole || (wanted.length === 2 && !column?.is(1)))
    return operation.mixed('reshapes the numbers of the rows');
  return { kind: 'places', columns: wanted.length === 2 ? 1 : undefined };
}

/** Replaces the -1 among the dims. */
function resolve(operation: Step, dims: Dims | undefined, wanted: Dims): Size[] {
  const rest = Size.product(wanted.filter((dim) => !dim.is(-1)));
  const left = dims && Size.product(dims).dividedBy(rest);
  return wanted.map((dim, axis) => (dim.is(-1) ? (left ?? operation.unknownSize(axis)) : dim));
}

/**
 * Reshapes rows. They stay apart if the dims in front hold as many elements as before, and no slice has parts of two
 * rows.
 */
export function reshapeRows(operation: Step, value: Rows, wanted: Dims): Value {
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
  if (value.kind === 'places' && value.columns === undefined && operation.axis(operation.input(1), 2) === 1)
    return { kind: 'places', columns: 1 };
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

export const reshapingRules = listRules(
  ['Reshape', { rule: reshape }],
  ['ExpandDims', { rule: expandDims, takesDealt: true }],
  ['Squeeze', { rule: squeeze, takesDealt: true }],
  ['Transpose ConjugateTranspose', { rule: transpose }],
  ['EnsureShape', { rule: ensureShape }],
);
