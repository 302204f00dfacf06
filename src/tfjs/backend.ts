/**
 * Teaches tfjs-node's backend the eleven dtypes that tf.js lacks.
 *
 * A tensor of ours is registered in the backend's own map, as the backend registers its outputs. Beside it stands a
 * {@link HostTensor} with its true dtype and its raw bytes. Runs and codecs use only those. When a tf.js operation
 * first asks for the tensor, its values are converted to the dtype under which tf.js sees it. The raw bytes stay
 * readable. Without this, a uint8 tensor would lose its values at the first operation, and a float16 tensor would
 * throw.
 */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import { ServingError } from '../errors.js';
import { type Dtype, dtypes, type FixedDtype, type SeenDtype } from '../tensors/dtypes.js';
import { copyStrings, type Strings } from '../tensors/strings.js';
import { type NumericArray, type TensorData, viewOf, widenHalf } from '../tensors/values.js';

/** The values of a tensor in host memory. Every `tf.Tensor` over them shares it. */
export interface HostTensor {
  readonly dtype: Dtype;
  /** Row-major little-endian bytes at any alignment, or for strings one byte string per element. */
  readonly data: TensorData;
  /** The number of entries of the backend's map that point here. */
  references: number;
  /** Releases the memory. It is called once, when the last reference is disposed. */
  readonly release: (() => void) | undefined;
}

/** An entry of the backend's tensor map: upstream's fields, and ours. */
interface Entry {
  shape: number[];
  dtype: number;
  /** The values that TensorFlow does not have yet. It is always null beside a `host`. */
  values: tfjs.backend_util.BackendValues | null;
  /** The handle of the eager tensor. It is negative while there is none. */
  id: number;
  refCount: number;
  host?: HostTensor;
}

/** The parts of tfjs-node 4.22.0's `NodeJSKernelBackend` that we rely on. They are checked when it is opened. */
interface KernelBackend {
  readonly binding: Binding;
  readonly tensorMap: {
    get(dataId: object): Entry;
    set(dataId: object, entry: Entry): void;
    has(dataId: object): boolean;
  };
  getInputTensorIds(tensors: tfjs.TensorInfo[]): number[];
  readSync(dataId: object): tfjs.backend_util.BackendValues;
  disposeData(dataId: object, force?: boolean): boolean;
}

interface Binding {
  createTensor(shape: readonly number[], dtype: number, values: NumericArray | readonly Uint8Array[]): number;
  deleteTensor(id: number): void;
  executeOp(
    name: string,
    attributes: readonly object[],
    inputs: readonly number[],
    outputs: number,
  ): { id: number }[];
  readonly TF_ATTR_TYPE: number;
}

function isKernelBackend(backend: unknown): backend is KernelBackend {
  if (typeof backend !== 'object' || backend === null) return false;
  const methods = ['getInputTensorIds', 'readSync', 'disposeData'];
  return (
    'binding' in backend &&
    'tensorMap' in backend &&
    methods.every((name) => typeof Reflect.get(backend, name) === 'function')
  );
}

/** The backend with the full dtype table. There is one per process, as there is one engine of tf.js. */
export interface HostBackend {
  /** Registers `host` under a new data id, as a tensor of `shape`, and counts one reference to it. */
  register(host: HostTensor, shape: readonly number[]): object;
  /** The host values behind a data id. It is undefined for a tensor that a tf.js operation or `tf.tensor` made. */
  hostOf(dataId: object): HostTensor | undefined;
}

/**
 * Replaces three methods of the backend with ones that know {@link HostTensor}s.
 *
 * @throws Error if this is not the backend of tfjs-node 4.22.0
 */
export function extendBackend(backend: unknown): HostBackend {
  if (!isKernelBackend(backend)) throw new Error('tf.backend() is not the backend of tfjs-node 4.22.0');
  const { binding, tensorMap } = backend;
  const upstream = {
    getInputTensorIds: backend.getInputTensorIds.bind(backend),
    readSync: backend.readSync.bind(backend),
    disposeData: backend.disposeData.bind(backend),
  };

  backend.getInputTensorIds = (tensors) => {
    for (const { dataId } of tensors) {
      // Upstream passes its Int64Scalar here too, which has no data id.
      const entry = dataId === undefined ? undefined : tensorMap.get(dataId);
      if (entry?.host && entry.id < 0) entry.id = createEagerTensor(binding, entry.host, entry.shape);
    }
    return upstream.getInputTensorIds(tensors);
  };

  backend.readSync = (dataId) => {
    const host = tensorMap.has(dataId) ? tensorMap.get(dataId).host : undefined;
    return host ? seenValues(host) : upstream.readSync(dataId);
  };

  backend.disposeData = (dataId, force) => {
    const host = tensorMap.has(dataId) ? tensorMap.get(dataId).host : undefined;
    const disposed = upstream.disposeData(dataId, force);
    if (host && disposed) {
      host.references -= 1;
      if (host.references === 0) host.release?.();
    }
    return disposed;
  };

  return {
    register(host, shape) {
      const dataId = {};
      host.references += 1;
      tensorMap.set(dataId, {
        shape: [...shape],
        dtype: dtypes[host.dtype].tf,
        values: null,
        id: -1,
        refCount: 1,
        host,
      });
      return dataId;
    },
    hostOf: (dataId) => (tensorMap.has(dataId) ? tensorMap.get(dataId).host : undefined),
  };
}

/**
 * The values in the dtype that tf.js sees. They are a view on the raw bytes if that dtype has the same layout, and
 * otherwise a copy.
 *
 * @throws ServingError UNIMPLEMENTED for complex128, INVALID_ARGUMENT for an integer beyond int32
 */
function seenValues(host: HostTensor): tfjs.backend_util.BackendValues {
  if (host.dtype === 'string') return [...copyStrings(host.data as Strings)];
  const values = viewOf(host.dtype, host.data as Uint8Array);
  // The typings of tf.js know three typed arrays. Its runtime takes these as well.
  switch (host.dtype) {
    case 'bool':
      // Kernels take a byte other than 0 and 1 for neither true nor false.
      return Uint8Array.from(values as Uint8Array, (value) => (value ? 1 : 0));
    case 'int8':
    case 'int16':
    case 'uint16':
      return Int32Array.from(values as Uint16Array);
    case 'int64':
    case 'uint32':
    case 'uint64':
      return toInt32(host.dtype, values);
    case 'float16':
    case 'bfloat16':
      return widenHalf(host.dtype, values as Uint16Array);
    case 'float64':
      return Float32Array.from(values as Float64Array);
    case 'complex128':
      throw noOps(host.dtype);
    default:
      return values as Float32Array;
  }
}

function toInt32(dtype: FixedDtype, values: NumericArray): Int32Array {
  return Int32Array.from(values as Uint32Array, (value: number | bigint) => {
    const narrow = Number(value);
    if (narrow !== (narrow | 0)) {
      throw new ServingError(
        'INVALID_ARGUMENT',
        `tf.js ops see ${dtype} as int32, and ${value} is out of its range`,
      );
    }
    return narrow;
  });
}

function noOps(dtype: Dtype): ServingError {
  return new ServingError(
    'UNIMPLEMENTED',
    `tf.js ops cannot take a ${dtype} tensor; read its raw bytes instead`,
  );
}

/**
 * Makes the eager tensor that tf.js operations work on. It owns a copy, because our memory may be released while an
 * operation's output still shares the eager tensor's memory.
 */
function createEagerTensor(binding: Binding, host: HostTensor, shape: readonly number[]): number {
  const seen: SeenDtype | null = dtypes[host.dtype].seenAs;
  if (seen === null) throw noOps(host.dtype);
  if (host.dtype === 'string')
    return binding.createTensor(shape, dtypes.string.tf, [...(host.data as Strings)]);
  const values = seenValues(host) as NumericArray;
  if (seen === 'complex64') return createComplex(binding, values as Float32Array, shape);
  const typed = seen === 'int32' ? Int32Array.from(values as Int32Array) : values.slice();
  return binding.createTensor(shape, dtypes[seen].tf, typed);
}

/** Makes a complex tensor with the operation that tf.js itself uses. The binding cannot make one from memory. */
function createComplex(binding: Binding, pairs: Float32Array, shape: readonly number[]): number {
  const part = (offset: 0 | 1) => {
    const values = new Float32Array(pairs.length / 2);
    for (let i = 0; i < values.length; i++) values[i] = pairs[2 * i + offset] as number;
    return binding.createTensor(shape, dtypes.float32.tf, values);
  };
  const parts = [part(0), part(1)];
  try {
    const attributes = [
      { name: 'T', type: binding.TF_ATTR_TYPE, value: dtypes.float32.tf },
      { name: 'Tout', type: binding.TF_ATTR_TYPE, value: dtypes.complex64.tf },
    ];
    const [complex] = binding.executeOp('Complex', attributes, parts, 1);
    if (!complex) throw new Error('Complex gave no output');
    return complex.id;
  } finally {
    for (const id of parts) binding.deleteTensor(id);
  }
}
