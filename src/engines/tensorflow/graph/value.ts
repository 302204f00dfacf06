/**
 * What is known of a tensor before any request is there: whether it is the same whoever shares the run, holds a row for
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

/** The same whatever the batch holds, and however large it is: a weight, a constant, what follows from them. */
export interface Same {
  readonly kind: 'same';
  /** undefined: not even the rank is known. No size has the batch in it. */
  readonly dims: Dims | undefined;
  /** The whole numbers in it, where they are known and few. */
  readonly integers?: readonly Size[] | undefined;
  /** Of the variable that it is the handle of. */
  readonly variable?: Dims | undefined;
  /** Names the TensorArray that it is the handle of. */
  readonly array?: string | undefined;
}

/**
 * A row for each row of the inputs, along one axis; a row follows from the same row of the inputs alone. The axis may be
 * merged with those behind it: `batch · 12` holds twelve slices for each row, one row's behind the other's.
 */
export interface Rows {
  readonly kind: 'rows';
  readonly axis: number;
  /** That of the axis has the batch in it, no other one does. */
  readonly dims: Dims;
  /**
   * The slices of the axis are dealt out in turn, `[block, batch]` instead of `[batch, block]`: between SpaceToBatchND
   * and BatchToSpaceND. The sizes of the blocks.
   */
  readonly dealt?: string | undefined;
}

/** Whole numbers that depend on the size of the batch in a known way, in a scalar or a vector: a shape. */
export interface Sizes {
  readonly kind: 'sizes';
  readonly isScalar: boolean;
  /** undefined: depends on the rows. */
  readonly items: readonly (Size | undefined)[];
}

/** Any number of slices for each row, one row's behind the other's: the values of a ragged tensor. */
export interface Flat {
  readonly kind: 'flat';
  /** Names how the slices are shared out among the rows. */
  readonly partition: string;
  /** Behind the first. */
  readonly inner: Dims;
}

/** Which slices of a {@link Flat} tensor belong to which row. */
export interface RowPartition {
  readonly kind: 'partition';
  readonly partition: string;
  /**
   * - `indices`: row and place of each slice; `rowids`: the row alone
   * - `lengths`: how many slices each row has; `ends`: where each ends; `splits`: 0 and the ends
   */
  readonly form: 'splits' | 'rowids' | 'indices' | 'lengths' | 'ends';
}

/**
 * Whole numbers that say where each row finds something: its own number first, `[rows]` or `[rows, columns]`, then others
 * that follow from the row.
 */
export interface Places {
  readonly kind: 'places';
  /** undefined: a vector of the rows' numbers alone. */
  readonly columns: number | undefined;
}

/** A TensorList or TensorArray. */
export interface List {
  readonly kind: 'list';
  /** What each member is; undefined: nothing was put in yet. For a list of rows {@link OneRow}. */
  readonly member: Value | undefined;
}

/** A bool: whether something holds for each row. */
export interface EveryRow {
  readonly kind: 'every row';
  /** Within a loop over the rows: whether there is a row of the number that the loop is at. */
  readonly isThere?: true | undefined;
}

/** Within a loop over the rows: what follows from one row. */
export interface OneRow {
  readonly kind: 'one row';
}

/** Within a loop over the rows: the number of the row. */
export interface RowNumber {
  readonly kind: 'row number';
  /** It was counted up: the next row's. */
  readonly isNext: boolean;
}

/** An input whose rank the signature does not say, and what follows from it element by element. */
export interface Unranked {
  readonly kind: 'unranked';
  readonly input: string;
}

/** On the way of a branch that is not taken. */
export interface Dead {
  readonly kind: 'dead';
}

/** May mix rows. */
export interface Mixed {
  readonly kind: 'mixed';
  /** Which operation may, and why, in words. */
  readonly why: string;
  /** It is one number. */
  readonly isScalar?: true | undefined;
  /** Numbers that it is not less, or not greater than, whatever the rows. */
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

/** Whole numbers that may depend on the size of the batch. */
export function integers(items: readonly (Size | undefined)[], isScalar: boolean): Same | Sizes {
  const known = items.filter((item) => item !== undefined);
  const dims = isScalar ? [] : [Size.of(items.length)];
  if (known.length < items.length || known.some((item) => item.hasBatch))
    return { kind: 'sizes', isScalar, items };
  return same(dims, known);
}

/** The whole numbers of a tensor, where they are known; some of them may depend on the rows. */
export function integersOf(value: Value | undefined): readonly (Size | undefined)[] | undefined {
  if (value?.kind === 'same') return value.integers;
  return value?.kind === 'sizes' ? value.items : undefined;
}

/** Plain numbers, the same for all. */
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
 * Rows whose dims are these; the axis is the one that grows with the batch.
 *
 * @returns undefined if none does, or several
 */
export function rowsOf(dims: Dims): Rows | undefined {
  const axes = dims.flatMap((dim, axis) => (dim.hasBatch ? [axis] : []));
  const [axis] = axes;
  return axis === undefined || axes.length > 1 || dims[axis]?.perRow?.hasBatch !== false
    ? undefined
    : { kind: 'rows', axis, dims };
}

/** True if sizes have the batch in them where the kind of the value says so, once, and nowhere else. */
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

/** An axis counted from the end where it is negative. @returns undefined if it is none of so many */
export function axisOf(axis: number, rank: number): number | undefined {
  const positive = axis < 0 ? axis + rank : axis;
  return positive >= 0 && positive < rank ? positive : undefined;
}

/** True if both say the same. */
export function isEqual(a: Value | undefined, b: Value | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
