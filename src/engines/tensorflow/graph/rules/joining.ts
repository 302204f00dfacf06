/** Rules for operations that join tensors into one, and split one into several. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { dimsOf, integers, integersOf, numbersOf, type Rows, same, type Value } from '../value.js';
import { sizeTypes } from './elements.js';
import { listRules } from './rule.js';

/** The most parts that are followed. */
const maxParts = 4096;

function pack(operation: Operation): Outputs {
  // Only whole numbers may be named: NaN is not equal to itself.
  const isWhole = sizeTypes.has(operation.node.type('T'));
  const scalars = operation.inputs.map((value, i) => {
    const [item] = integersOf(value) ?? [];
    if (dimsOf(value)?.length !== 0 || (value.kind !== 'same' && value.kind !== 'sizes')) return null;
    return item ?? (value.kind === 'sizes' ? undefined : isWhole ? operation.unknownSize(i) : null);
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
  const [first, ...others] = operation.inputs;
  if (first?.kind === 'places' && first.columns === undefined && others.every(isVectorOfRows)) {
    const isColumn = operation.axis(operation.node.integer('axis'), 2) === 1;
    if (isColumn) return { kind: 'places', columns: operation.inputs.length };
  }
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

/** True for a vector with one number for each row. */
function isVectorOfRows(value: Value): boolean {
  return value.kind === 'rows' && value.dims.length === 1 && value.dims[0]?.equals(Size.batch) === true;
}

/** The number of columns of a value with numbers that follow from each row; undefined for any other value. */
function columnsOf(value: Value): number | undefined {
  const [rows, columns, ...more] = value.kind === 'rows' ? value.dims : [];
  return more.length === 0 && rows?.equals(Size.batch) ? columns?.value : undefined;
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
  const [first, second] = values;
  const isStart = first && dimsOf(first)?.length === 1 && numbersOf(first)?.join() === '0';
  if (isStart && values.length === 2 && second?.kind === 'partition' && second.form === 'ends')
    return { ...second, form: 'splits' };
  if (first?.kind === 'places') {
    const columns = [first.columns, ...values.slice(1).map(columnsOf)];
    const isBeside = along && operation.axis(along, 2) === 1 && columns.every((each) => each !== undefined);
    return isBeside
      ? { kind: 'places', columns: columns.reduce((sum, each) => sum + each, 0) }
      : operation.mixed('joins the numbers of the rows with something else');
  }
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

/** @param sizes are those of the parts; undefined for equal parts */
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

/** The size of each part: what an input says, or an equal share. One part may take what the others leave. */
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

export const joiningRules = listRules(
  ['Pack', { rule: pack }],
  ['Unpack', { rule: unpack }],
  ['ConcatV2', { rule: concatLast }],
  ['Concat', { rule: concatFirst }],
  ['Split', { rule: split }],
  ['SplitV', { rule: splitBySizes }],
);
