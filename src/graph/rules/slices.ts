/**
 * Operations that take parts of tensors: slices, and members by their indices.
 */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import {
  type Dims,
  dimsOf,
  integers,
  integersOf,
  numberOf,
  numbersOf,
  type Rows,
  same,
  type Value,
} from '../value.js';
import { listRules } from './rule.js';

function slice(operation: Operation): Outputs {
  const value = operation.input(0);
  const [begin, sizes] = [integersOf(operation.input(1)), integersOf(operation.input(2))];
  const items = integersOf(value);
  if (items && dimsOf(value)?.length === 1) {
    const [start, count] = [begin?.[0]?.value, sizes?.[0]?.value];
    if (start === undefined || count === undefined) return sliceUnknown(operation, value);
    return integers(items.slice(start, count < 0 ? undefined : start + count), false);
  }
  if (value.kind === 'same' || value.kind === 'sizes') return sliceUnknown(operation, value);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const size = sizes?.[value.axis];
  const isWhole = begin?.[value.axis]?.is(0) && (size?.is(-1) || size?.equals(value.dims[value.axis]));
  if (!isWhole) return operation.mixed('takes some of the rows');
  const isAlike = [begin, sizes].every((part) =>
    part?.every((item, axis) => axis === value.axis || isSameForAll(item)),
  );
  if (!isAlike) return operation.mixed('takes a part that depends on the batch');
  return {
    ...value,
    dims: value.dims.map((dim, axis) => {
      const part = sizes?.[axis];
      if (axis === value.axis || (begin?.[axis]?.is(0) && part?.is(-1))) return dim;
      return part && !part.is(-1) ? part : operation.unknownSize(axis);
    }),
  };
}

/** A number that does not depend on who shares the run. */
function isSameForAll(item: Size | undefined): boolean {
  return item !== undefined && !item.hasBatch;
}

function sliceUnknown(operation: Operation, value: Value): Value {
  if (value.kind !== 'same') return operation.mixed('takes an unknown part of a shape');
  return operation.inputs.every(({ kind }) => kind === 'same')
    ? same(value.dims && operation.unknownSizes(value.dims.length))
    : operation.mixed('takes a part that depends on the rows');
}

/** What one place of a strided slice's description means. */
type Place =
  | { readonly kind: 'new' }
  | { readonly kind: 'whole'; readonly dim: number }
  | { readonly kind: 'one' | 'some'; readonly dim: number; readonly i: number };

interface StridedSlice {
  readonly places: readonly Place[];
  readonly begin: readonly (Size | undefined)[] | undefined;
  readonly end: readonly (Size | undefined)[] | undefined;
  readonly strides: readonly number[] | undefined;
  readonly beginMask: number;
  readonly endMask: number;
}

function describe(operation: Operation, rank: number): StridedSlice | undefined {
  const { node } = operation;
  const begin = integersOf(operation.input(1));
  const length = begin?.length ?? dimsOf(operation.input(1))?.[0]?.value;
  if (length === undefined || length > 254) return undefined;
  const [ellipsis, fresh, shrunk] = ['ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask'].map((name) =>
    node.integer(name),
  ) as [number, number, number];
  const has = (mask: number, i: number) => ((mask >> i) & 1) === 1;
  const taken = Array.from({ length }, (_, i) => i).filter((i) => !has(ellipsis, i) && !has(fresh, i)).length;
  const places: Place[] = [];
  let dim = 0;
  for (let i = 0; i < length; i++) {
    if (has(ellipsis, i)) {
      for (const end = dim + rank - taken; dim < end; dim++) places.push({ kind: 'whole', dim });
    } else if (has(fresh, i)) places.push({ kind: 'new' });
    else places.push({ kind: has(shrunk, i) ? 'one' : 'some', dim: dim++, i });
  }
  for (; dim < rank; dim++) places.push({ kind: 'whole', dim });
  return {
    places,
    begin,
    end: integersOf(operation.input(2)),
    strides: numbersOf(operation.input(3)),
    beginMask: node.integer('begin_mask'),
    endMask: node.integer('end_mask'),
  };
}

/** True if a place takes all of its dim, in order. */
function isWhole(place: Place, dim: Size | undefined, slice: StridedSlice): boolean {
  if (place.kind === 'whole') return true;
  if (place.kind !== 'some' || slice.strides?.[place.i] !== 1) return false;
  const fromStart = ((slice.beginMask >> place.i) & 1) === 1 || slice.begin?.[place.i]?.is(0);
  const toEnd = ((slice.endMask >> place.i) & 1) === 1 || slice.end?.[place.i]?.equals(dim);
  return fromStart === true && toEnd === true;
}

/** True for a place whose numbers are the same for all; the one that takes all of the rows may name their number. */
function isFixed(slice: StridedSlice, whole: Place): (place: Place) => boolean {
  return (place) => {
    if (place === whole || place.kind === 'new' || place.kind === 'whole') return true;
    const { i } = place;
    const isOpen = (mask: number) => ((mask >> i) & 1) === 1;
    const begin = isOpen(slice.beginMask) || isSameForAll(slice.begin?.[i]);
    const end = isOpen(slice.endMask) || place.kind === 'one' || isSameForAll(slice.end?.[i]);
    return begin && end;
  };
}

/** The size of what a place leaves of a dim, where it is known. */
function sizeOf(place: Place & { kind: 'some' }, dim: Size, slice: StridedSlice): Size | undefined {
  const { i } = place;
  const stride = slice.strides?.[i];
  const [begin, end] = [slice.begin?.[i]?.value, slice.end?.[i]?.value];
  if (!stride) return undefined;
  const isOpen = { begin: ((slice.beginMask >> i) & 1) === 1, end: ((slice.endMask >> i) & 1) === 1 };
  if (isOpen.begin && isOpen.end && (stride === 1 || stride === -1)) return dim;
  const total = dim.value;
  if (total === undefined || stride < 0) return undefined;
  if ((begin === undefined && !isOpen.begin) || (end === undefined && !isOpen.end)) return undefined;
  const clamp = (at: number) => Math.min(total, Math.max(0, at < 0 ? at + total : at));
  const from = isOpen.begin ? 0 : clamp(begin ?? 0);
  const to = isOpen.end ? total : clamp(end ?? 0);
  return Size.of(Math.max(0, Math.ceil((to - from) / stride)));
}

function stridedSlice(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'partition') return columnOf(operation, value);
  const items = integersOf(value);
  if (items && dimsOf(value)?.length === 1) return sliceItems(operation, value, items);
  const dims = dimsOf(value);
  const slice = dims && describe(operation, dims.length);
  if (value.kind === 'same') {
    if (!operation.inputs.every(({ kind }) => kind === 'same'))
      return operation.mixed('takes a part that depends on the rows');
    return same(slice && dims && sliceDims(operation, dims, slice));
  }
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (!slice) return operation.mixed('takes an unknown part of the rows');
  const place = slice.places.find((each) => each.kind !== 'new' && each.dim === value.axis);
  if (!place || !isWhole(place, value.dims[value.axis], slice))
    return operation.mixed('takes some of the rows');
  if (
    !operation.inputs.slice(1).every(({ kind }) => kind === 'same') &&
    !slice.places.every(isFixed(slice, place))
  )
    return operation.mixed('takes a part that depends on the batch');
  const before = slice.places.slice(0, slice.places.indexOf(place));
  const axis = before.filter(({ kind }) => kind !== 'one').length;
  return { ...value, axis, dims: sliceDims(operation, value.dims, slice) };
}

function sliceDims(operation: Operation, dims: Dims, slice: StridedSlice): Size[] {
  return slice.places.flatMap((place, position) => {
    if (place.kind === 'new') return [Size.one];
    if (place.kind === 'one') return [];
    const dim = dims[place.dim] ?? Size.one;
    if (isWhole(place, dim, slice) || place.kind === 'whole') return [dim];
    return [sizeOf({ ...place, kind: 'some' }, dim, slice) ?? operation.unknownSize(position)];
  });
}

/** Of the numbers of a shape. */
function sliceItems(operation: Operation, value: Value, items: readonly (Size | undefined)[]): Value {
  const slice = describe(operation, 1);
  const [place, ...more] = slice?.places ?? [];
  if (slice && place?.kind === 'whole' && more.length === 0) return value;
  if (!slice || !place || more.length > 0 || place.kind === 'new' || place.kind === 'whole')
    return sliceUnknown(operation, value);
  const { i } = place;
  const stride = slice.strides?.[i];
  const at = (end: Size | undefined) => end?.value;
  const open = { begin: ((slice.beginMask >> i) & 1) === 1, end: ((slice.endMask >> i) & 1) === 1 };
  const [begin, end] = [at(slice.begin?.[i]), at(slice.end?.[i])];
  if (place.kind === 'one') {
    if (begin === undefined) return sliceUnknown(operation, value);
    return integers([items.at(begin)], true);
  }
  if (!stride || (begin === undefined && !open.begin) || (end === undefined && !open.end))
    return sliceUnknown(operation, value);
  if (stride === 1) return integers(items.slice(open.begin ? 0 : begin, open.end ? undefined : end), false);
  if (stride === -1 && open.begin && open.end) return integers(items.toReversed(), false);
  return sliceUnknown(operation, value);
}

/** `indices[:, 0]` of a sparse tensor that was made row by row: the number of the row of each value. */
function columnOf(operation: Operation, value: Value & { kind: 'partition' }): Outputs {
  const slice = describe(operation, 2);
  const [rows, column, ...more] = slice?.places ?? [];
  const isFirstColumn =
    slice &&
    value.form === 'indices' &&
    more.length === 0 &&
    rows &&
    isWhole(rows, undefined, slice) &&
    column?.kind === 'one' &&
    slice.begin?.[column.i]?.is(0);
  return isFirstColumn
    ? { ...value, form: 'rowids' }
    : operation.mixed('takes a part of the indices of a sparse tensor');
}

const gatherV2 = (operation: Operation) =>
  gather(operation, operation.input(2), operation.node.integer('batch_dims'));
const gatherFirst = (operation: Operation) => gather(operation, 0, operation.node.integer('batch_dims'));

/** @param along the axis, as a number or an input */
function gather(operation: Operation, along: number | Value, batchDims: number): Outputs {
  const indices = operation.input(1);
  const params = operation.node.op.startsWith('Resource')
    ? variableOf(operation.input(0))
    : operation.input(0);
  const items = integersOf(params);
  const places = numbersOf(indices);
  if (items && dimsOf(params)?.length === 1 && places && batchDims === 0) {
    const isScalar = dimsOf(indices)?.length === 0;
    return integers(
      places.map((place) => items[place]),
      isScalar,
    );
  }
  const dims = dimsOf(params);
  if (indices.kind === 'flat' && params.kind === 'same' && dims && batchDims === 0 && dims.length > 0) {
    const isFirst = operation.axis(along, dims.length) === 0;
    return isFirst
      ? { ...indices, inner: [...indices.inner, ...dims.slice(1)] }
      : operation.mixed('gathers ragged rows');
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

interface RowGather {
  readonly params: Value;
  readonly indices: Value;
  readonly axis: number;
  /** Dims in front that both have. */
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

/** The variable behind a handle. */
function variableOf(handle: Value): Value {
  return handle.kind === 'same' ? same(handle.variable) : handle;
}

function gatherNd(operation: Operation): Outputs {
  const indices = operation.input(1);
  const params = operation.node.op.startsWith('Resource')
    ? variableOf(operation.input(0))
    : operation.input(0);
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
  if (indices.kind === 'flat' && operation.node.integer('axis', -1) === -1)
    return { ...indices, inner: [...indices.inner, depth ?? operation.unknownSize(0)] };
  const unfit = operation.unfit();
  const dims = dimsOf(indices);
  if (unfit || !dims) return unfit ?? same(undefined);
  if (operation.inputs.slice(1).some(({ kind }) => kind !== 'same'))
    return operation.mixed('takes its depth from the rows');
  const given = operation.node.integer('axis', -1);
  const axis = given === -1 ? dims.length : given;
  const made = dims.toSpliced(axis, 0, depth ?? operation.unknownSize(axis));
  if (indices.kind !== 'rows') return same(made);
  return { kind: 'rows', axis: axis <= indices.axis ? indices.axis + 1 : indices.axis, dims: made };
}

function reverse(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'same') return same(value.dims);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const axes = operation.axes(operation.input(1), value.dims.length);
  return axes && !axes.includes(value.axis) ? value : operation.mixed('reverses the rows, or may');
}

/** Shifts along axes. */
function roll(operation: Operation): Outputs {
  const value = operation.input(0);
  if (operation.inputs.slice(1).some(({ kind }) => kind !== 'same'))
    return operation.mixed('shifts by what depends on rows');
  if (value.kind === 'same') return same(value.dims);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const axes = operation.axes(operation.input(2), value.dims.length);
  return axes && !axes.includes(value.axis) ? value : operation.mixed('shifts the rows, or may');
}

function reverseSequence(operation: Operation): Outputs {
  const [value, lengths] = [operation.input(0), operation.input(1)];
  if (value.kind === 'same' && lengths.kind === 'same') return same(value.dims);
  const unfit = operation.unfit();
  if (unfit || value.kind !== 'rows')
    return unfit ?? operation.mixed('reverses by lengths that depend on rows');
  const { node } = operation;
  const isRowwise =
    node.integer('batch_dim') === value.axis &&
    node.integer('seq_dim') !== value.axis &&
    lengths.kind === 'rows' &&
    lengths.axis === 0;
  return isRowwise ? value : operation.mixed('reverses rows by the lengths of others');
}

/** `table, keys, default` */
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

/** `sorted, values`: for each row of the one, places of the values in the same row of the other. */
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

/** `data, indices, updates` of a tensor that is the same for all but its updates is not; rows may be updated along others. */
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

/** `indices, data` lists that are woven into one: of shapes, in tf.tensordot. */
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

/** The k greatest of the last dim. */
function topK(operation: Operation): Outputs {
  const value = operation.input(0);
  const k = operation.inputs.length > 1 ? operation.input(1) : undefined;
  if (k && k.kind !== 'same') return operation.mixed('takes a number of them that depends on the batch');
  const given = k ? numberOf(k) : operation.node.integer('k');
  const last = given === undefined ? operation.unknownSize(0) : Size.of(given);
  if (value.kind === 'same') return same(value.dims && [...value.dims.slice(0, -1), last]);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (value.axis === value.dims.length - 1) return operation.mixed('orders the rows');
  return { ...value, dims: [...value.dims.slice(0, -1), last] };
}

/** `predictions [rows, classes], targets [rows], k` */
function inTopK(operation: Operation): Outputs {
  const [predictions, targets] = [operation.input(0), operation.input(1)];
  if (predictions.kind === 'same' && targets.kind === 'same') return same(targets.dims);
  const isRowwise =
    predictions.kind === 'rows' && targets.kind === 'rows' && predictions.axis === 0 && targets.axis === 0;
  return operation.unfit() ?? (isRowwise ? targets : operation.mixed('holds rows against other ones'));
}

export const sliceRules = listRules(
  ['Slice', { rule: slice }],
  ['StridedSlice', { rule: stridedSlice }],
  ['GatherV2', { rule: gatherV2 }],
  ['Gather ResourceGather', { rule: gatherFirst }],
  ['GatherNd ResourceGatherNd', { rule: gatherNd }],
  ['OneHot', { rule: oneHot }],
  ['ReverseV2', { rule: reverse }],
  ['Roll', { rule: roll }],
  ['ReverseSequence', { rule: reverseSequence }],
  ['LookupTableFindV2', { rule: lookUp }],
  ['LowerBound UpperBound', { rule: search }],
  ['InvertPermutation', { rule: invertPermutation }],
  ['DynamicStitch ParallelDynamicStitch', { rule: stitch }],
  ['TopKV2 TopK', { rule: topK, outputs: ['values', 'indices'], ranks: {} }],
  ['InTopK InTopKV2', { rule: inTopK, ranks: { 0: 2, 1: 1 } }],
);
