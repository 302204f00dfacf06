/**
 * Predictions without HTTP: values of a program into tensors, through the same queue and batcher as requests.
 */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import {
  type Tensor as ClientTensor,
  type Elements,
  isTensor,
  rawData,
  tensor as tensorOf,
} from './client/tensor.js';
import { makeTensors } from './codec/infer-request.js';
import { checkShape, toTensor, type WireLimits } from './codec/wire.js';
import { invalidArgument, messageOf, ServingError } from './errors.js';
import type { Dtype, FixedDtype } from './runtime/dtypes.js';
import type { TensorSpec } from './runtime/signature.js';
import {
  createTensor,
  disposeTensors,
  reshapeTensor,
  type Tensor,
  type TensorView,
  viewTensor,
} from './runtime/tensors.js';
import { viewOf, widenHalf } from './runtime/values.js';
import { Cancellation } from './serving/cancellation.js';
import type { Manager } from './serving/manager.js';
import { predict } from './serving/predict.js';
import type { Telemetry } from './telemetry/metrics.js';

/**
 * What a program may give for an input. Values of the dtype that the signature asks for are used where they are, without a
 * copy, and must not change until the prediction is there; other numbers are converted if they fit: as integers exactly,
 * as fractions to the nearest float.
 *
 * - a `tf.Tensor`, which stays the caller's to dispose
 * - a typed array: one dimension, of its own dtype
 * - `{dtype, shape, data}`: any dtype and shape, as `tensor()` of `tfjs-serving/client` makes them
 * - a number, text, byte string, true or false, or nested lists of them
 */
export type PredictInput = tfjs.Tensor | ClientTensor | ArrayBufferView | Elements;

/** One prediction to make. */
export interface PredictOptions {
  /** A value for each input of the signature. Leave the batch dim out of all for one sample. */
  readonly inputs: Readonly<Record<string, PredictInput>>;
  /** The default model if left out. */
  readonly model?: string | undefined;
  /** The version that serves if neither this nor a label is given. */
  readonly version?: number | undefined;
  readonly label?: string | undefined;
  /** The model's default one if left out. */
  readonly signature?: string | undefined;
  /** Outputs to give; all by default. */
  readonly outputs?: readonly string[] | undefined;
  /** Seconds; may only lower `requestTimeout`. */
  readonly timeout?: number | undefined;
  /** Calls it back: what no run has taken is not run. */
  readonly signal?: AbortSignal | undefined;
}

/** What a model gave. Its outputs hold memory of TensorFlow until they are disposed. */
export interface Prediction {
  readonly model: string;
  readonly version: number;
  /** Counts what was loaded: the same version from another folder has another. */
  readonly generation: number;
  /**
   * By name. `dtype` is how tf.js sees them (uint8 as int32, float16 as float32); `viewTensor` tells the true one, with the
   * raw bytes.
   */
  readonly outputs: Readonly<Record<string, tfjs.Tensor>>;
  /** Disposes the outputs. What was read of them by `dataSync()` must not be used after that. */
  dispose(): void;
}

export interface PredictServices {
  readonly manager: Manager;
  readonly telemetry: Telemetry;
  readonly wireLimits: WireLimits;
  /** Seconds. */
  readonly requestTimeout: number;
}

/**
 * @throws ServingError (rejects) as a request is refused: INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED;
 * CANCELLED if the signal aborts
 */
export async function predictInProcess(
  { manager, telemetry, wireLimits, requestTimeout }: PredictServices,
  { inputs, model, version, label, signature, outputs, timeout = requestTimeout, signal }: PredictOptions,
): Promise<Prediction> {
  if (!(timeout > 0)) throw invalidArgument(`timeout must be seconds, more than 0, not ${timeout}`);
  if (signal?.aborted) throw aborted();
  const started = performance.now();
  const record = { model: '', version: '' as number | '', status: 'INTERNAL' };
  const cancellation = new Cancellation();
  const cancel = () => cancellation.cancel(aborted);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const target = { model, version, label };
    const { id: asked } = manager.table.find(target);
    record.model = asked.model;
    record.version = asked.version;
    const { outputs: given, ...id } = await predict(manager.table, {
      target,
      signature,
      inputs: (found) =>
        makeTensors(Object.entries(inputs), found, (value, spec) => inputTensor(value, spec, wireLimits)),
      inputNames: () => Object.keys(inputs),
      outputs,
      deadline: started + Math.min(timeout, requestTimeout) * 1000,
      cancellation,
    });
    const named: Record<string, Tensor> = Object.create(null);
    for (const [name, tensor] of given) named[name] = tensor;
    record.status = 'ok';
    return {
      model: id.model,
      version: id.version,
      generation: id.generation,
      outputs: named,
      dispose: () => disposeTensors(given),
    };
  } catch (error) {
    if (error instanceof ServingError) record.status = error.code;
    throw error;
  } finally {
    telemetry.observe({ ...record, seconds: (performance.now() - started) / 1000 });
    signal?.removeEventListener('abort', cancel);
  }
}

function aborted(): ServingError {
  return new ServingError('CANCELLED', 'the caller aborted the prediction');
}

function inputTensor(value: PredictInput, spec: TensorSpec, limits: WireLimits): Tensor {
  if (isTfTensor(value)) {
    if (value.isDisposed) throw invalidArgument(`the tensor for input \`${spec.name}\` is disposed`);
    const view = viewTensor(value);
    // Another over the same values: the core disposes its inputs, and the caller's must stay.
    return view.dtype === spec.dtype ? reshapeTensor(value, view.shape) : typedTensor(view, spec, limits);
  }
  if (isTensor(value)) return typedTensor(viewOfValue(value, spec), spec, limits);
  // A byte string is a string tensor's element as well.
  if (ArrayBuffer.isView(value) && !(value instanceof Uint8Array && spec.dtype === 'string'))
    return typedTensor(viewOfValue(value, spec), spec, limits);
  return toTensor({ kind: 'plain', value }, spec, limits);
}

function isTfTensor(value: PredictInput): value is tfjs.Tensor {
  return typeof value === 'object' && value !== null && 'dataSync' in value && 'throwIfDisposed' in value;
}

function viewOfValue(value: ClientTensor | ArrayBufferView, { name }: TensorSpec): TensorView {
  try {
    const tensor = ArrayBuffer.isView(value) ? tensorOf(value) : value;
    return { dtype: tensor.dtype, shape: tensor.shape, data: rawData(tensor) };
  } catch (error) {
    throw invalidArgument(`input \`${name}\`: ${messageOf(error)}`);
  }
}

function typedTensor({ dtype, shape, data }: TensorView, spec: TensorSpec, limits: WireLimits): Tensor {
  checkShape(`input \`${spec.name}\``, shape, limits);
  if (dtype === spec.dtype || !isReal(dtype) || !isReal(spec.dtype)) return createTensor(dtype, shape, data);
  const bytes = data as Uint8Array;
  const isHalf = dtype === 'float16' || dtype === 'bfloat16';
  const values = isHalf ? widenHalf(dtype, viewOf(dtype, bytes) as Uint16Array) : viewOf(dtype, bytes);
  return toTensor({ kind: 'plain', value: Array.from<unknown>(values), shape }, spec, limits);
}

function isReal(dtype: Dtype): dtype is Exclude<FixedDtype, 'bool' | 'complex64' | 'complex128'> {
  return !['string', 'bool', 'complex64', 'complex128'].includes(dtype);
}
