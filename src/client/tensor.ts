/** Typed tensors, as requests and answers carry them. */

import { type Dtype, dtypes, elementCount, type FixedDtype, isDtype } from '../tensors/dtypes.js';
import { fillPlain, shapeOfPlain } from '../tensors/plain-values.js';
import { decodeUtf8 } from '../tensors/utf8.js';
import { type NumericArray, viewOf, widenHalf } from '../tensors/values.js';

export type { Dtype };

/** The array that holds the elements of each dtype. */
export interface TensorDataOf {
  /** Each element is 0 or 1. */
  bool: Uint8Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  /** The bits of each element; {@link numbersOf} gives their values. */
  float16: Uint16Array;
  /** The bits of each element; {@link numbersOf} gives their values. */
  bfloat16: Uint16Array;
  float32: Float32Array;
  float64: Float64Array;
  /** Pairs of a real and an imaginary part. */
  complex64: Float32Array;
  complex128: Float64Array;
  /** Byte strings; {@link textsOf} returns them as texts. */
  string: readonly Uint8Array[];
}

/** Elements of one dtype, row-major. A map with exactly these three keys is always a tensor. */
export type Tensor<D extends Dtype = Dtype> = {
  [T in D]: {
    readonly dtype: T;
    /** The dims; empty for a scalar. */
    readonly shape: readonly number[];
    readonly data: TensorDataOf[T];
  };
}[D];

/** A number, text, byte string, true or false, or nested lists of them. Complex numbers are `[re, im]` pairs. */
export type Elements = number | bigint | boolean | string | Uint8Array | readonly Elements[];

/**
 * Makes a tensor.
 *
 * @param data is a typed array, or nested lists of elements
 * @param shape defaults to that of the lists, or to the length of the typed array
 * @param dtype defaults to that of the typed array; for lists to float32 for numbers, int64 for bigints, bool, or
 * string. A typed array of the kind that {@link TensorDataOf} lists for the dtype is used without a copy. Other values
 * are converted if they fit
 * @throws ServingError INVALID_ARGUMENT if lists are ragged or an element does not fit
 * @throws RangeError if the shape takes another number of elements
 */
export function tensor<D extends Dtype>(
  data: ArrayBufferView | Elements,
  shape: readonly number[] | undefined,
  dtype: D,
): Tensor<D>;
export function tensor(data: ArrayBufferView | Elements, shape?: readonly number[], dtype?: Dtype): Tensor;
export function tensor(data: ArrayBufferView | Elements, shape?: readonly number[], dtype?: Dtype): Tensor {
  if (!ArrayBuffer.isView(data)) return fromElements(data, shape, dtype);
  const own = dtypeOfArray(data);
  const wanted = dtype ?? own;
  if (wanted === 'string') return fromElements(data as Uint8Array, shape, 'string');
  const kind = viewOf(wanted, new Uint8Array(0)).constructor;
  if (wanted !== own && data.constructor !== kind) {
    const values = numbersOf({ dtype: own, shape: [], data } as Tensor);
    return fromElements(Array.from(values as Iterable<number>), shape, wanted);
  }
  const values = viewOf(wanted, bytesOf(data));
  return checked(wanted, shape ?? [bytesOf(data).length / dtypes[wanted].size], values);
}

/** The values as numbers. Half floats are widened, and complex numbers are pairs. All others stay as they are. */
export function numbersOf(tensor: Tensor): NumericArray {
  if (tensor.dtype === 'string') throw new TypeError('a string tensor has no numbers: see textsOf');
  if (tensor.dtype === 'float16' || tensor.dtype === 'bfloat16') return widenHalf(tensor.dtype, tensor.data);
  return tensor.data;
}

/** The elements of a string tensor as texts. @throws TypeError if it is of another dtype, or they are not UTF-8 */
export function textsOf(tensor: Tensor): string[] {
  if (tensor.dtype !== 'string') throw new TypeError(`a ${tensor.dtype} tensor has no texts`);
  return tensor.data.map((bytes, i) => {
    const text = decodeUtf8(bytes);
    if (text === undefined) throw new TypeError(`element ${i} is not UTF-8`);
    return text;
  });
}

/** True for a value that {@link Tensor} describes, whoever made it. */
export function isTensor(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) return false;
  const { dtype, shape, data } = value as Partial<Tensor>;
  return (
    isDtype(dtype) &&
    Array.isArray(shape) &&
    (dtype === 'string' ? Array.isArray(data) : ArrayBuffer.isView(data))
  );
}

/**
 * The elements as they are written: row-major little-endian bytes, or byte strings.
 *
 * @throws RangeError if the shape takes another number of elements
 */
export function rawData(tensor: Tensor): Uint8Array | readonly Uint8Array[] {
  const { dtype, data } = checked(tensor.dtype, tensor.shape, tensor.data);
  return dtype === 'string' ? data : bytesOf(data as ArrayBufferView);
}

/** Makes a tensor over bytes. It is a view if they are aligned, and otherwise a copy. */
export function tensorOf(dtype: FixedDtype, shape: readonly number[], bytes: Uint8Array): Tensor {
  return checked(dtype, shape, viewOf(dtype, bytes));
}

/** @throws RangeError if data and shape disagree */
export function checked(dtype: Dtype, shape: readonly number[], data: TensorDataOf[Dtype]): Tensor {
  const unit = dtype === 'string' ? 'strings' : 'bytes';
  const length = dtype === 'string' ? data.length : (data as ArrayBufferView).byteLength;
  const expected = elementCount(shape) * (dtype === 'string' ? 1 : dtypes[dtype].size);
  if (length !== expected || !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new RangeError(`expected ${expected} ${unit} for ${dtype} [${shape.join(', ')}], got ${length}`);
  }
  return { dtype, shape, data } as Tensor;
}

function fromElements(
  data: Elements,
  shape: readonly number[] | undefined,
  dtype = dtypeOfElements(data),
): Tensor {
  const found = shapeOfPlain('the tensor', data, Number.MAX_SAFE_INTEGER);
  if (dtype === 'complex64' || dtype === 'complex128') {
    const part = dtype === 'complex64' ? 'float32' : 'float64';
    const bytes = fillPlain('the tensor', data, found, part) as Uint8Array;
    return tensorOf(dtype, shape ?? found.slice(0, -1), bytes);
  }
  const filled = fillPlain('the tensor', data, found, dtype);
  if (dtype === 'string') return checked(dtype, shape ?? found, filled as Uint8Array[]);
  return tensorOf(dtype, shape ?? found, filled as Uint8Array);
}

function dtypeOfElements(data: Elements): Dtype {
  let first: unknown = data;
  while (Array.isArray(first)) first = first[0];
  if (typeof first === 'boolean') return 'bool';
  if (typeof first === 'bigint') return 'int64';
  return typeof first === 'string' || first instanceof Uint8Array ? 'string' : 'float32';
}

const dtypeByArray: Readonly<Record<string, FixedDtype>> = {
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  Uint16Array: 'uint16',
  Uint32Array: 'uint32',
  BigUint64Array: 'uint64',
  Int8Array: 'int8',
  Int16Array: 'int16',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Float16Array: 'float16',
  Float32Array: 'float32',
  Float64Array: 'float64',
};

/** @throws TypeError for a DataView, which has no elements */
export function dtypeOfArray(array: ArrayBufferView): FixedDtype {
  // We compare names, because not every platform has a Float16Array. A Buffer of Node says Uint8Array here.
  const name = Object.prototype.toString.call(array).slice('[object '.length, -1);
  const dtype = dtypeByArray[name];
  if (!dtype) throw new TypeError(`a ${name} is no typed array`);
  return dtype;
}

/** The bytes of a view. They are little-endian on every platform that runs JavaScript. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
