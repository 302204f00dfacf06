/**
 * Makes predictions without HTTP. Values of a program become tensors, and go through the same queue and batcher as
 * requests.
 */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import { makeTensors } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import { invalidArgument, ServingError } from '../errors.js';
import { Cancellation } from '../flow/cancellation.js';
import { predict } from '../serving/predict.js';
import type { Table } from '../serving/table.js';
import { blankRecord, type RequestRecord, type RequestStatus } from '../telemetry/request-record.js';
import { disposeTensors, type Tensor } from '../tfjs/tensors.js';
import { momentAfter, now, type Seconds, secondsSince } from '../time.js';
import { inputTensor, type PredictInput } from './in-process-inputs.js';

/** One prediction to make. */
export interface PredictOptions {
  /** A value for each input of the signature. For one sample, leave the batch dim out of all of them. */
  readonly inputs: Readonly<Record<string, PredictInput>>;
  /** The model; the default model if absent. */
  readonly model?: string | undefined;
  /** The version; the one that serves if neither this nor a label is given. */
  readonly version?: number | undefined;
  readonly label?: string | undefined;
  /** The signature; the model's default one if absent. */
  readonly signature?: string | undefined;
  /** The outputs to return; all by default. */
  readonly outputs?: readonly string[] | undefined;
  /** The seconds that it may take. It can only lower `requestTimeout`. */
  readonly timeout?: Seconds | undefined;
  /** Cancels the prediction. It is not run if no run has taken it yet. */
  readonly signal?: AbortSignal | undefined;
}

/** What a model returned. The outputs hold memory of TensorFlow until they are disposed. */
export interface Prediction {
  readonly model: string;
  readonly version: number;
  /** Counts the loads of this version in this process, from 1. */
  readonly generation: number;
  /**
   * The outputs by name. `dtype` is the one that tf.js sees (uint8 as int32, float16 as float32). `viewTensor` gives
   * the true one, with the raw bytes.
   */
  readonly outputs: Readonly<Record<string, tfjs.Tensor>>;
  /** Disposes the outputs. Do not use data from `dataSync()` after that. */
  dispose(): void;
}

export interface PredictServices {
  readonly table: () => Table;
  /** Counts the prediction beside the requests over HTTP: one record each, begun and ended once. */
  readonly exchanges: { begun(): void; ended(record: RequestRecord): void };
  readonly wireLimits: WireLimits;
  /** The seconds that a prediction may take. */
  readonly requestTimeout: Seconds;
}

/**
 * Makes one prediction.
 *
 * @param callers are the models whose handlers' calls it is within, outermost first
 * @throws ServingError (rejects) like a request: INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED; CANCELLED
 * if the signal aborts
 */
export async function predictInProcess(
  { table, exchanges, wireLimits, requestTimeout }: PredictServices,
  { inputs, model, version, label, signature, outputs, timeout = requestTimeout, signal }: PredictOptions,
  callers: readonly string[] = [],
): Promise<Prediction> {
  if (!(timeout > 0)) throw invalidArgument(`timeout must be seconds, more than 0, not ${timeout}`);
  if (signal?.aborted) throw aborted();
  const started = now();
  exchanges.begun();
  const record = { model: '', version: '' as number | '', status: 'INTERNAL' as RequestStatus };
  const cancellation = new Cancellation();
  const cancel = () => cancellation.cancel(aborted);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const target = { model, version, label };
    const { id: asked } = table().find(target);
    record.model = asked.model;
    record.version = asked.version;
    if (callers.includes(asked.model)) throw cycle([...callers, asked.model]);
    const { outputs: given, ...id } = await predict(table(), {
      target,
      signature,
      inputs: (found) =>
        makeTensors(Object.entries(inputs), found, (value, spec) => inputTensor(value, spec, wireLimits)),
      inputNames: () => Object.keys(inputs),
      outputs,
      deadline: momentAfter(Math.min(timeout, requestTimeout), started),
      cancellation,
      callers,
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
    exchanges.ended({
      ...blankRecord,
      ...record,
      via: 'process',
      isInference: true,
      seconds: secondsSince(started),
    });
    signal?.removeEventListener('abort', cancel);
  }
}

/** The error for a model that would wait for itself. */
function cycle(callers: readonly string[]): ServingError {
  return new ServingError(
    'FAILED_PRECONDITION',
    `handlers ask each other in a circle: ${callers.join(' → ')}`,
  );
}

function aborted(): ServingError {
  return new ServingError('CANCELLED', 'the caller aborted the prediction');
}
