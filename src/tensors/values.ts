/** Converts between raw little-endian bytes and JavaScript numbers, for every dtype of fixed width. */
import { dtypes, type FixedDtype } from './dtypes.js';
import type { Strings } from './strings.js';

/**
 * The values of a tensor. A fixed-width dtype has row-major little-endian bytes. A string tensor has one byte string
 * per element.
 */
export type TensorData = Uint8Array | Strings;

/** A typed array whose elements are the tensor's values; complex values are [re, im] pairs. */
export type NumericArray =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

type View = new (buffer: ArrayBuffer, byteOffset: number, length: number) => NumericArray;

/**
 * The typed array for each dtype, and how many of its elements make one element of the tensor. Half floats appear as
 * their bits.
 */
const views: Record<FixedDtype, readonly [view: View, perElement: number]> = {
  bool: [Uint8Array, 1],
  int8: [Int8Array, 1],
  int16: [Int16Array, 1],
  int32: [Int32Array, 1],
  int64: [BigInt64Array, 1],
  uint8: [Uint8Array, 1],
  uint16: [Uint16Array, 1],
  uint32: [Uint32Array, 1],
  uint64: [BigUint64Array, 1],
  float16: [Uint16Array, 1],
  bfloat16: [Uint16Array, 1],
  float32: [Float32Array, 1],
  float64: [Float64Array, 1],
  complex64: [Float32Array, 2],
  complex128: [Float64Array, 2],
};

/** A typed array over `bytes`. It is a view if the offset is aligned, and otherwise a copy. */
export function viewOf(dtype: FixedDtype, bytes: Uint8Array): NumericArray {
  const [View, perElement] = views[dtype];
  const width = dtypes[dtype].size / perElement;
  // A Buffer's own slice() would not copy.
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return new View(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / width);
}

/** A new typed array for `count` elements, and the bytes under it. */
export function allocate(dtype: FixedDtype, count: number): { values: NumericArray; bytes: Uint8Array } {
  const bytes = new Uint8Array(count * dtypes[dtype].size);
  return { values: viewOf(dtype, bytes), bytes };
}

/**
 * The bytes of `count` elements with the same value, converted as a typed array converts it. For a complex dtype it is
 * the real part.
 */
export function fill(dtype: FixedDtype, count: number, value: number): Uint8Array {
  const { values, bytes } = allocate(dtype, count);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    values.fill(BigInt(Math.trunc(value)));
  } else if (dtype === 'float16' || dtype === 'bfloat16') {
    values.fill(dtype === 'float16' ? toFloat16(value) : toBfloat16(value));
  } else if (dtype === 'bool') {
    values.fill(value === 0 ? 0 : 1);
  } else if (dtype === 'complex64' || dtype === 'complex128') {
    for (let i = 0; i < values.length; i += 2) values[i] = value;
  } else {
    values.fill(value);
  }
  return bytes;
}

const float32 = new Float32Array(1);
const bits = new Uint32Array(float32.buffer);

/** The exact value of IEEE 754 binary16 bits. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest IEEE 754 binary16 bits. A tie goes to the even one, and a value beyond the range becomes infinity. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below the smallest normal number the spacing is fixed. Above it there are 10 bits after the leading one.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const spacing = 2 ** ((magnitude === 0 ? -14 : exponent) - 10);
  const steps = roundToEven(magnitude / spacing);
  // When `steps` reaches the next power of two, it carries into the exponent field by itself.
  const normal = magnitude >= 2 ** -14;
  return sign | (normal ? ((exponent + 14) << 10) + steps : steps);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The exact value of bfloat16 bits (the upper half of a float32). */
export function fromBfloat16(half: number): number {
  bits[0] = (half << 16) >>> 0;
  return float32[0] as number;
}

/** The nearest bfloat16 bits. A tie goes to the even one. */
export function toBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const single = Math.fround(value);
  float32[0] = single;
  let word = bits[0] as number;
  // Rounding twice could turn a value beside a tie into the tie. So where float32 had to round, the last bit is made
  // odd.
  if (single !== value && Number.isFinite(single)) {
    if (Math.abs(single) > Math.abs(value)) word -= 1;
    word |= 1;
  }
  const rounded = word + 0x7fff + ((word >>> 16) & 1);
  return (rounded >>> 16) & 0xffff;
}

/** Widens half floats to float32. The result is exact. */
export function widenHalf(dtype: 'float16' | 'bfloat16', words: Uint16Array): Float32Array {
  return Float32Array.from(words, dtype === 'float16' ? fromFloat16 : fromBfloat16);
}

/** Reverses the bytes of every `width`-byte word, into new memory. */
export function swapBytes(bytes: Uint8Array, width: number): Uint8Array {
  const swapped = new Uint8Array(bytes.length);
  for (let word = 0; word < bytes.length; word += width) {
    for (let i = 0; i < width; i++) swapped[word + i] = bytes[word + width - 1 - i] as number;
  }
  return swapped;
}
