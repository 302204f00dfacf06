/**
 * What is known of a tensor before a request comes: whether it is the same for all requests of a run, holds rows for
 * each of them, or mixes them.
 */
import { Size } from './size.js';

export type Value =
  | Same
  | Rows
  | Sizes
  | Flat
  | RowPartition
  | Places
  | List
  | EveryRow
  | OneRow
  | RowNumber
  | Unranked
  | Dead
  | Mixed;

/** A value that is the same for every batch of any size: a weight, a constant, and what follows from them. */
export interface Same {
  readonly kind: 'same';
  /** The dims, none of which depends on the batch. It is undefined if even the rank is unknown. */
  readonly dims: Dims | undefined;
  /** The whole numbers in the value, if they are known and few. */
  readonly integers?: readonly Size[] | undefined;
  /** The dims of the variable, if the value is its handle. */
  readonly variable?: Dims | undefined;
  /** The name of the TensorArray, if the value is its handle. */
  readonly array?: string | undefined;
}

/**
 * Rows along one axis. Each row follows only from the same row of the inputs. The axis may be merged with those after
 * it: `batch · 12` means twelve slices for each row, with the slices of one row after those of the other.
 */
export interface Rows {
  readonly kind: 'rows';
  readonly axis: number;
  /** The dims. The dim of the axis depends on the batch, and no other does. */
  readonly dims: Dims;
  /**
   * The sizes of the blocks, if the slices of the axis are dealt in turn, as `[block, batch]` instead of `[batch,
   * block]`. That is so between SpaceToBatchND and BatchToSpaceND.
   */
  readonly dealt?: string | undefined;
}

/** Whole numbers that depend on the size of the batch in a known way, in a scalar or a vector. A shape is one. */
export interface Sizes {
  readonly kind: 'sizes';
  readonly isScalar: boolean;
  /** The numbers. One is undefined if it depends on the rows. */
  readonly items: readonly (Size | undefined)[];
}

/**
 * Any number of slices for each row, with the slices of one row after those of the other: the values of a ragged
 * tensor.
 */
export interface Flat {
  readonly kind: 'flat';
  /** Names the way in which the slices belong to the rows. */
  readonly partition: string;
  /** The dims after the first. */
  readonly inner: Dims;
}

/** Says which slices of a {@link Flat} tensor belong to which row. */
export interface RowPartition {
  readonly kind: 'partition';
  readonly partition: string;
  /**
   * - `indices`: the row and the place of each slice; `rowids`: only the row
   * - `lengths`: the number of slices of each row; `ends`: where the slices of each row end; `splits`: 0 and the ends
   */
  readonly form: 'splits' | 'rowids' | 'indices' | 'lengths' | 'ends';
}

/**
 * Whole numbers that say where each row finds something. The number of the row comes first, `[rows]` or `[rows,
 * columns]`. The others follow from the row.
 */
export interface Places {
  readonly kind: 'places';
  /** The number of columns. It is undefined for a vector that has only the numbers of the rows. */
  readonly columns: number | undefined;
}

/** A TensorList or TensorArray. */
export interface List {
  readonly kind: 'list';
  /**
   * The value of each member; undefined if nothing was put in yet. The members of a list of rows are {@link OneRow}.
   */
  readonly member: Value | undefined;
}

/** A bool that says whether something holds for each row. */
export interface EveryRow {
  readonly kind: 'every row';
  /** Within a loop over the rows, true if the bool says whether the current row exists. */
  readonly isThere?: true | undefined;
}

/** A value that follows from one row, within a loop over the rows. */
export interface OneRow {
  readonly kind: 'one row';
}

/** The number of a row, within a loop over the rows. */
export interface RowNumber {
  readonly kind: 'row number';
  /** True if it was counted up to the number of the next row. */
  readonly isNext: boolean;
}

/** An input whose rank the signature does not say, and what follows from it element by element. */
export interface Unranked {
  readonly kind: 'unranked';
  readonly input: string;
}

/** A value in a branch that is not taken. */
export interface Dead {
  readonly kind: 'dead';
}

/** A value that may mix rows. */
export interface Mixed {
  readonly kind: 'mixed';
  /** Which operation may mix them, and why, in words. */
  readonly why: string;
  /** True if the value is one number. */
  readonly isScalar?: true | undefined;
  /** Bounds of the number that hold for all rows. */
  readonly atLeast?: Size | undefined;
  readonly atMost?: Size | undefined;
}

export type Dims = readonly Size[];

export function mixed(why: string): Mixed {
  return { kind: 'mixed', why };
}

export function same(dims: Dims | undefined, integers?: readonly Size[]): Same {
  return { kind: 'same', dims, integers };
}

export const everyRow: EveryRow = { kind: 'every row' };
export const rowIsThere: EveryRow = { kind: 'every row', isThere: true };
export const oneRow: OneRow = { kind: 'one row' };

/** Whole numbers, some of which may depend on the size of the batch. */
export function integers(items: readonly (Size | undefined)[], isScalar: boolean): Same | Sizes {
  const known = items.filter((item) => item !== undefined);
  const dims = isScalar ? [] : [Size.of(items.length)];
  if (known.length < items.length || known.some((item) => item.hasBatch))
    return { kind: 'sizes', isScalar, items };
  return same(dims, known);
}

/** The whole numbers of a tensor, if they are known. Some may depend on the rows. */
export function integersOf(value: Value | undefined): readonly (Size | undefined)[] | undefined {
  if (value?.kind === 'same') return value.integers;
  return value?.kind === 'sizes' ? value.items : undefined;
}

/** Plain numbers that are the same for all. */
export function numbersOf(value: Value | undefined): readonly number[] | undefined {
  const numbers = integersOf(value)?.map((item) => item?.value);
  return numbers?.every((each) => each !== undefined) ? (numbers as number[]) : undefined;
}

/** One plain number. */
export function numberOf(value: Value | undefined): number | undefined {
  const numbers = numbersOf(value);
  return numbers?.length === 1 ? numbers[0] : undefined;
}

export function dimsOf(value: Value | undefined): Dims | undefined {
  switch (value?.kind) {
    case 'same':
    case 'rows':
      return value.dims;
    case 'sizes':
      return value.isScalar ? [] : [Size.of(value.items.length)];
    default:
      return undefined;
  }
}

/**
 * Rows with these dims, along the axis that grows with the batch.
 *
 * @returns undefined if no axis does, or several do
 */
export function rowsOf(dims: Dims): Rows | undefined {
  const axes = dims.flatMap((dim, axis) => (dim.hasBatch ? [axis] : []));
  const [axis] = axes;
  return axis === undefined || axes.length > 1 || dims[axis]?.perRow?.hasBatch !== false
    ? undefined
    : { kind: 'rows', axis, dims };
}

/** True if the dims depend on the batch exactly where the kind of the value allows it. */
export function isSound(value: Value): boolean {
  const isSteady = (dims: Dims | undefined) => !dims?.some((dim) => dim.hasBatch);
  switch (value.kind) {
    case 'rows':
      return value.dims[value.axis]?.hasBatch === true && rowsOf(value.dims) !== undefined;
    case 'same':
      return isSteady(value.dims) && isSteady(value.integers) && isSteady(value.variable);
    case 'flat':
      return isSteady(value.inner);
    case 'list':
      return value.member === undefined || isSound(value.member);
    default:
      return true;
  }
}

/**
 * An axis counted from the start; a negative one is counted from the end.
 * @returns undefined if there is no such axis
 */
export function axisOf(axis: number, rank: number): number | undefined {
  const positive = axis < 0 ? axis + rank : axis;
  return positive >= 0 && positive < rank ? positive : undefined;
}

/** True if both values say the same. */
export function isEqual(a: Value | undefined, b: Value | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
