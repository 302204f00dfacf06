/** Rules for operations that take a part of a tensor, from a beginning to an end. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, dimsOf, integers, integersOf, numbersOf, same, type Value } from '../value.js';
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

/** True for a number that is the same for every run. */
function isSameForAll(item: Size | undefined): boolean {
  return item !== undefined && !item.hasBatch;
}

function sliceUnknown(operation: Operation, value: Value): Value {
  if (value.kind !== 'same') return operation.mixed('takes an unknown part of a shape');
  return operation.inputs.every(({ kind }) => kind === 'same')
    ? same(value.dims && operation.unknownSizes(value.dims.length))
    : operation.mixed('takes a part that depends on the rows');
}

/** The meaning of one place in the description of a strided slice. */
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

/** True for a place whose numbers are the same for all. The place that takes all rows may use their number. */
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

/** The size of what a place leaves of a dim, if it is known. */
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
  if (value.kind === 'places' && value.columns === undefined && isColumn(operation))
    return { kind: 'places', columns: 1 };
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

/** Slices the numbers of a shape. */
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

/** True for `[:, newaxis]` of a vector. */
function isColumn(operation: Operation): boolean {
  const slice = describe(operation, 1);
  const [rows, column, ...more] = slice?.places ?? [];
  return (
    slice !== undefined &&
    rows !== undefined &&
    more.length === 0 &&
    isWhole(rows, Size.batch, slice) &&
    column?.kind === 'new'
  );
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

export const sliceRules = listRules(['Slice', { rule: slice }], ['StridedSlice', { rule: stridedSlice }]);
