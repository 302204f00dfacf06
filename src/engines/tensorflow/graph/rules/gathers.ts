/** Rules for operations that take members of tensors by index, and look up values in tables. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, dimsOf, integers, integersOf, numbersOf, type Rows, same, type Value } from '../value.js';
import { listRules } from './rule.js';

const gatherV2 = (operation: Operation) =>
  gather(operation, operation.input(2), operation.node.integer('batch_dims'));
const gatherFirst = (operation: Operation) => gather(operation, 0, operation.node.integer('batch_dims'));

/** @param along is the axis, as a number or an input */
function gather(operation: Operation, along: number | Value, batchDims: number): Outputs {
  const indices = operation.input(1);
  const params = operation.node.op.startsWith('Resource')
    ? variableOf(operation.input(0))
    : operation.input(0);
  const items = integersOf(params);
  const places = numbersOf(indices);
  const rank = dimsOf(indices)?.length;
  if (items && dimsOf(params)?.length === 1 && places && batchDims === 0 && rank !== undefined && rank <= 1)
    return integers(
      places.map((place) => items[place]),
      rank === 0,
    );
  const dims = dimsOf(params);
  if (indices.kind === 'flat' && params.kind === 'same' && dims && batchDims === 0 && dims.length > 0) {
    const isFirst = operation.axis(along, dims.length) === 0;
    return isFirst
      ? { ...indices, inner: [...indices.inner, ...dims.slice(1)] }
      : operation.mixed('gathers ragged rows');
  }
  if (indices.kind === 'places' && params.kind === 'rows') {
    const isItsOwn =
      indices.columns === undefined &&
      batchDims === 0 &&
      hasOneSliceInFront(params) &&
      operation.axis(along, params.dims.length) === 0;
    return isItsOwn ? params : operation.mixed('takes rows by their numbers');
  }
  if ([params, indices].some(({ kind }) => kind !== 'same' && kind !== 'rows'))
    return operation.unfit() ?? operation.mixed('gathers by ragged indices');
  const index = dimsOf(indices);
  const axis = dims && operation.axis(along, dims.length);
  if (!index || !dims || axis === undefined) {
    return [params, indices].every(({ kind }) => kind === 'same')
      ? same(undefined)
      : operation.mixed('gathers from a tensor of unknown rank, or along an unknown axis');
  }
  const shared = batchDims < 0 ? batchDims + index.length : batchDims;
  const gathered = [...dims.slice(0, axis), ...index.slice(shared), ...dims.slice(axis + 1)];
  if (params.kind === 'same' && indices.kind === 'same') return same(gathered);
  return gatherRows(operation, { params, indices, axis, shared, gathered });
}

function hasOneSliceInFront({ axis, dims, dealt }: Rows): boolean {
  return axis === 0 && dealt === undefined && dims[0]?.equals(Size.batch) === true;
}

interface RowGather {
  readonly params: Value;
  readonly indices: Value;
  readonly axis: number;
  /** The number of leading dims that both have. */
  readonly shared: number;
  readonly gathered: Dims;
}

function gatherRows(operation: Operation, { params, indices, axis, shared, gathered }: RowGather): Value {
  const index = dimsOf(indices) ?? [];
  if (params.kind === 'rows' && indices.kind === 'rows') {
    const isShared = params.axis < shared && params.axis === indices.axis;
    return isShared
      ? { kind: 'rows', axis: params.axis, dims: gathered }
      : operation.mixed('takes rows by indices that depend on rows');
  }
  if (indices.kind === 'rows') {
    if (indices.axis < shared) return operation.mixed('takes for each row from another part of a tensor');
    return { kind: 'rows', axis: axis + indices.axis - shared, dims: gathered };
  }
  const rows = params as Rows;
  if (rows.axis === axis || rows.axis < shared) return operation.mixed('takes rows by their numbers');
  const isBefore = rows.axis < axis;
  return { kind: 'rows', axis: isBefore ? rows.axis : rows.axis - 1 + index.length - shared, dims: gathered };
}

/** The variable of a handle. */
function variableOf(handle: Value): Value {
  return handle.kind === 'same' ? same(handle.variable) : handle;
}

function gatherNd(operation: Operation): Outputs {
  const indices = operation.input(1);
  const params = operation.node.op.startsWith('Resource')
    ? variableOf(operation.input(0))
    : operation.input(0);
  if (indices.kind === 'places' && params.kind === 'rows') {
    const { columns } = indices;
    const isItsOwn = columns !== undefined && columns <= params.dims.length && hasOneSliceInFront(params);
    return isItsOwn
      ? { kind: 'rows', axis: 0, dims: [Size.batch, ...params.dims.slice(columns)] }
      : operation.mixed('takes rows by their numbers');
  }
  const unfit = operation.unfit();
  if (unfit) return unfit;
  const [dims, index] = [dimsOf(params), dimsOf(indices)];
  const depth = index?.at(-1)?.value;
  const gathered =
    dims && index && depth !== undefined ? [...index.slice(0, -1), ...dims.slice(depth)] : undefined;
  if (params.kind === 'same' && indices.kind === 'same') return same(gathered);
  if (params.kind !== 'same' || indices.kind !== 'rows') {
    const rows = params as Rows;
    const isBehind =
      indices.kind === 'same' && params.kind === 'rows' && depth !== undefined && rows.axis >= depth;
    if (isBehind && gathered && index)
      return { kind: 'rows', axis: index.length - 1 + rows.axis - depth, dims: gathered };
    return operation.mixed('takes rows by their numbers');
  }
  if (!gathered || !index || indices.axis === index.length - 1)
    return operation.mixed('gathers from a tensor of unknown rank');
  return { kind: 'rows', axis: indices.axis, dims: gathered };
}

function oneHot(operation: Operation): Outputs {
  const indices = operation.input(0);
  const [depth] = integersOf(operation.input(1)) ?? [];
  if (operation.inputs.slice(1).some(({ kind }) => kind !== 'same'))
    return operation.unfit() ?? operation.mixed('takes its depth from the rows');
  if (indices.kind === 'flat' && operation.node.integer('axis', -1) === -1)
    return { ...indices, inner: [...indices.inner, depth ?? operation.unknownSize(0)] };
  const unfit = operation.unfit();
  const dims = dimsOf(indices);
  if (unfit || !dims) return unfit ?? same(undefined);
  const given = operation.node.integer('axis', -1);
  const axis = given === -1 ? dims.length : given;
  const made = dims.toSpliced(axis, 0, depth ?? operation.unknownSize(axis));
  if (indices.kind !== 'rows') return same(made);
  return { kind: 'rows', axis: axis <= indices.axis ? indices.axis + 1 : indices.axis, dims: made };
}

/** Inputs: `table, keys, default`. */
function lookUp(operation: Operation): Outputs {
  const [table, keys, none] = [operation.input(0), operation.input(1), operation.input(2)];
  if (table.kind !== 'same' || none.kind !== 'same')
    return operation.mixed('looks up in what depends on rows');
  if (keys.kind === 'rows' || keys.kind === 'flat') {
    return none.dims?.length === 0 ? keys : operation.mixed('has values of a rank that is not known');
  }
  return keys.kind === 'same'
    ? same(none.dims?.length === 0 ? keys.dims : undefined)
    : (operation.unfit() ?? keys);
}

/** Inputs: `sorted, values`. For each row, finds the places of the values in the sorted row. */
function search(operation: Operation): Outputs {
  const [sorted, values] = [operation.input(0), operation.input(1)];
  if (sorted.kind === 'same' && values.kind === 'same') return same(values.dims);
  const unfit = operation.unfit();
  if (unfit) return unfit;
  if (sorted.kind === 'rows' && values.kind === 'rows' && sorted.axis === 0 && values.axis === 0)
    return sorted.dims[0]?.equals(values.dims[0]) ? values : operation.mixed('searches other rows');
  const isOneList = sorted.kind === 'same' && sorted.dims?.[0]?.is(1);
  return values.kind === 'rows' && values.axis === 1 && isOneList
    ? values
    : operation.mixed('searches other rows');
}

/** Finds the place of each number in a permutation. */
function invertPermutation(operation: Operation): Outputs {
  const numbers = numbersOf(operation.input(0));
  if (numbers)
    return integers(
      numbers.map((_, i) => Size.of(numbers.indexOf(i))),
      false,
    );
  const value = operation.input(0);
  return value.kind === 'same' ? same(value.dims) : operation.mixed('inverts an order that depends on rows');
}

const maxStitched = 256;

/** Inputs: `indices, data`, lists that are merged into one. tf.tensordot does this with shapes. */
function stitch(operation: Operation): Outputs {
  const half = operation.inputs.length / 2;
  const items: (Size | undefined)[] = [];
  for (let i = 0; i < half; i++) {
    const places = numbersOf(operation.input(i));
    const data = integersOf(operation.input(half + i));
    if (!places || !data || dimsOf(operation.input(half + i))?.length !== dimsOf(operation.input(i))?.length)
      return operation.inputs.every(({ kind }) => kind === 'same')
        ? same(undefined)
        : operation.mixed('weaves rows');
    if (places.some((place) => place < 0 || place >= maxStitched))
      return operation.mixed('weaves more than is followed');
    places.forEach((place, j) => {
      items[place] = data[j];
    });
  }
  return integers(Array.from(items), false);
}

export const gatherRules = listRules(
  ['GatherV2', { rule: gatherV2 }],
  ['Gather ResourceGather', { rule: gatherFirst }],
  ['GatherNd ResourceGatherNd', { rule: gatherNd }],
  ['OneHot', { rule: oneHot }],
  ['LookupTableFindV2', { rule: lookUp }],
  ['LowerBound UpperBound', { rule: search }],
  ['InvertPermutation', { rule: invertPermutation }],
  ['DynamicStitch ParallelDynamicStitch', { rule: stitch }],
);
