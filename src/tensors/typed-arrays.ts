/**
 * The typed arrays of RFC 8746, section 2.1.
 */
import type { Dtype, FixedDtype } from './dtypes.js';

/** For each tag: its dtype, and whether the bytes are big-endian. */
export const typedArrays: ReadonlyMap<number, readonly [dtype: FixedDtype, bigEndian: boolean]> = new Map([
  [64, ['uint8', false]],
  [65, ['uint16', true]],
  [66, ['uint32', true]],
  [67, ['uint64', true]],
  [68, ['uint8', false]],
  [69, ['uint16', false]],
  [70, ['uint32', false]],
  [71, ['uint64', false]],
  [72, ['int8', false]],
  [73, ['int16', true]],
  [74, ['int32', true]],
  [75, ['int64', true]],
  [77, ['int16', false]],
  [78, ['int32', false]],
  [79, ['int64', false]],
  [80, ['float16', true]],
  [81, ['float32', true]],
  [82, ['float64', true]],
  [84, ['float16', false]],
  [85, ['float32', false]],
  [86, ['float64', false]],
]);

/** The tags that we write. They are little-endian. The other dtypes are written as `{dtype, shape, data}`. */
export const typedArrayTags: Readonly<Partial<Record<Dtype, number>>> = {
  uint8: 64,
  uint16: 69,
  uint32: 70,
  uint64: 71,
  int8: 72,
  int16: 77,
  int32: 78,
  int64: 79,
  float16: 84,
  float32: 85,
  float64: 86,
};
