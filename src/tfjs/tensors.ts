/** Makes and reads `tf.Tensor`s of every dtype without copying their values. */
import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import { type Dtype, dtypes, elementCount, type FixedDtype } from '../tensors/dtypes.js';
import { PackedStrings } from '../tensors/strings.js';
import type { TensorData } from '../tensors/values.js';
import { tensorFlowJs } from './open.js';

export type { Tensor, TensorData };

/** What a tensor is, apart from `tf.Tensor`: its true dtype, its shape and its raw values. */
export interface TensorView {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Tensors by name, as signatures have them. It is a Map, so that a name such as `__proto__` is only a name. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/**
 * Makes a `tf.Tensor` over `data`, which is not copied and must not change while the tensor lives.
 *
 * @param dtype is the true dtype; `tensor.dtype` says how tf.js operations see it (uint8 as int32, float16 as float32
 * …)
 * @param shape may have any rank, and dims of 0
 * @param data has exactly as many bytes (or strings) as the shape asks for
 * @param release is called once, when the last tensor over this data is disposed
 * @throws RangeError if data and shape disagree
 */
export function createTensor(
  dtype: Dtype,
  shape: readonly number[],
  data: TensorData,
  release?: () => void,
): Tensor {
  const expected = dtype === 'string' ? elementCount(shape) : elementCount(shape) * dtypes[dtype].size;
  if (data.length !== expected) {
    const unit = dtype === 'string' ? 'strings' : 'bytes';
    throw new RangeError(
      `expected ${expected} ${unit} for a ${dtype} tensor of shape [${shape.join(', ')}], got ${data.length}`,
    );
  }
  return tensorFlowJs().tensors.make({ dtype, data, references: 0, release }, shape);
}

/**
 * Makes a second tensor over the same values, with another shape of as many elements. Both must be disposed. The memory
 * is released with the last.
 */
export function reshapeTensor(tensor: Tensor, shape: readonly number[]): Tensor {
  const { tensors } = tensorFlowJs();
  const host = tensors.hostOf(tensor);
  if (host) return tensors.make(host, shape);
  const { dtype, data } = viewTensor(tensor);
  return createTensor(dtype, shape, data);
}

/**
 * Makes a view of some rows of a tensor. It must not outlive the tensor.
 *
 * @param dropDim leaves out the first dim; `count` is 1 then
 * @param release is called once, when the view is disposed
 */
export function sliceTensor(
  tensor: Tensor,
  start: number,
  count: number,
  dropDim: boolean,
  release: () => void,
): Tensor {
  const { dtype, shape, data } = viewTensor(tensor);
  const row = shape.slice(1);
  const width = elementCount(row) * (dtype === 'string' ? 1 : dtypes[dtype].size);
  const [from, to] = [start * width, (start + count) * width];
  const rows = data instanceof Uint8Array ? data.subarray(from, to) : data.slice(from, to);
  return tensorFlowJs().tensors.make(
    { dtype, data: rows, references: 0, release },
    dropDim ? row : [count, ...row],
  );
}

/**
 * The true dtype, shape and raw values of a tensor, whether we or tf.js made it. The values are a view where possible,
 * and valid until the tensor is disposed.
 */
export function viewTensor(tensor: Tensor): TensorView {
  const host = tensorFlowJs().tensors.hostOf(tensor);
  if (host) return { dtype: host.dtype, shape: tensor.shape, data: host.data };
  const values: unknown = tensorFlowJs().tf.engine().readSync(tensor.dataId);
  const dtype = tensor.dtype as FixedDtype | 'string';
  if (Array.isArray(values)) return { dtype: 'string', shape: tensor.shape, data: values.map(toBytes) };
  if (!ArrayBuffer.isView(values))
    throw new TypeError(`a tensor of dtype ${tensor.dtype} has no readable values`);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  // tfjs-node's decodeImage and similar operations make uint8 tensors that call themselves int32, and int64 ones
  // likewise.
  if (values instanceof Uint8Array && dtype === 'int32')
    return { dtype: 'uint8', shape: tensor.shape, data: bytes };
  if (values instanceof BigInt64Array) return { dtype: 'int64', shape: tensor.shape, data: bytes };
  return { dtype, shape: tensor.shape, data: bytes };
}

const utf8 = new TextEncoder();

function toBytes(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : utf8.encode(String(value));
}

/** Disposes each tensor of a map. The map may be kept for its names. */
export function disposeTensors(tensors: NamedTensors): void {
  for (const tensor of tensors.values()) tensor.dispose();
}

/** The bytes of the values of tensors. For packed strings it is the bytes of the strings. */
export function bytesOf(tensors: NamedTensors): number {
  let bytes = 0;
  for (const tensor of tensors.values()) {
    const { data } = viewTensor(tensor);
    bytes += data instanceof PackedStrings ? data.bytesOfAll : data.length;
  }
  return bytes;
}

/** The number of tensors over host memory that are not disposed, and that tf.js has not heard of. */
export function hostTensorCount(): number {
  return tensorFlowJs().tensors.unregistered;
}

/** The number of tensors that are not disposed. */
export function tensorCount(): number {
  const { tf, tensors } = tensorFlowJs();
  return tf.memory().numTensors + tensors.unregistered;
}
