/**
 * The dtype table: the sixteen element types that numpy and TensorFlow share, by their numpy names. It also says how
 * each one looks to tf.js, which has only five.
 */
import { entriesOf } from '../flow/keys.js';

/** The dtypes of tf.js. */
export type SeenDtype = 'float32' | 'int32' | 'bool' | 'complex64' | 'string';

interface DtypeRow {
  /** Its number in `tensorflow.DataType` (types.proto). */
  readonly tf: number;
  /** The bytes of one element. It is 0 for strings, because each has its own length. */
  readonly size: number;
  /**
   * The dtype under which tf.js operations see the tensor. It is `null` if no tf.js dtype can hold the values: then
   * operations refuse the tensor and name its dtype. Where it differs from the true dtype, the values are converted
   * when an operation first asks for them.
   */
  readonly seenAs: SeenDtype | null;
}

export const dtypes = {
  bool: { tf: 10, size: 1, seenAs: 'bool' },
  int8: { tf: 6, size: 1, seenAs: 'int32' },
  int16: { tf: 5, size: 2, seenAs: 'int32' },
  int32: { tf: 3, size: 4, seenAs: 'int32' },
  int64: { tf: 9, size: 8, seenAs: 'int32' },
  uint8: { tf: 4, size: 1, seenAs: 'int32' },
  uint16: { tf: 17, size: 2, seenAs: 'int32' },
  uint32: { tf: 22, size: 4, seenAs: 'int32' },
  uint64: { tf: 23, size: 8, seenAs: 'int32' },
  float16: { tf: 19, size: 2, seenAs: 'float32' },
  bfloat16: { tf: 14, size: 2, seenAs: 'float32' },
  float32: { tf: 1, size: 4, seenAs: 'float32' },
  float64: { tf: 2, size: 8, seenAs: 'float32' },
  complex64: { tf: 8, size: 8, seenAs: 'complex64' },
  complex128: { tf: 18, size: 16, seenAs: null },
  string: { tf: 7, size: 0, seenAs: 'string' },
} as const satisfies Record<string, DtypeRow>;

/** An element type, by its numpy name (`string` for TensorFlow's byte strings). */
export type Dtype = keyof typeof dtypes;

/** An element type whose elements all have the same width. */
export type FixedDtype = Exclude<Dtype, 'string'>;

const byNumber = new Map<number, Dtype>(
  entriesOf<Dtype, DtypeRow>(dtypes).map(([name, row]) => [row.tf, name]),
);

/**
 * The dtype with this `tensorflow.DataType` number. It is undefined for a type that cannot travel (resource, variant,
 * quantised …).
 */
export function dtypeOf(tfNumber: number): Dtype | undefined {
  return byNumber.get(tfNumber);
}

/** True for a name in the table. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(dtypes, name);
}

/** The number of elements of a tensor of this shape: 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dim of shape) count *= dim;
  return count;
}
