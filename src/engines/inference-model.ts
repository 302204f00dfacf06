/** A loaded model, as everything above the engines knows it: its signatures, and how to run them. */
import type { Padding } from '../tfjs/rows.js';
import type { NamedTensors } from '../tfjs/tensors.js';
import type { Signature } from './signature.js';

/** How an engine computes a model, if it differs from what the model itself says. */
export interface ComputeMode {
  /** True if models are compiled, once for each shape of their inputs. */
  readonly xla: boolean;
  /** The narrower dtype that replaces float32 where that is safe; undefined if none does. */
  readonly mixedPrecision: 'float16' | 'bfloat16' | undefined;
}

/** Compiles nothing, and computes in the dtypes of the model. */
export const plainMode: ComputeMode = { xla: false, mixedPrecision: undefined };

/** The outputs of a run, and where its time went. */
export interface RunResult {
  /** The outputs, which the caller disposes. */
  readonly outputs: NamedTensors;
  /** The microseconds between the call and the start of the run. */
  readonly queueMicros: number;
  /**
   * The microseconds of computing. Queues use them to choose the size of batches, and the place where runs are made.
   */
  readonly runMicros: number;
}

export interface RunOptions {
  /** The names of the outputs to return; all outputs of the signature by default. */
  readonly outputs?: readonly string[] | undefined;
  /**
   * The seconds after which the engine is asked to give up the run. It does so only in runs that are spread over
   * threads.
   */
  readonly timeoutSeconds?: number | undefined;
  /** Lets all other runs go first. Warm-ups use it. */
  readonly background?: boolean | undefined;
  /** Rows to add after those of the members. */
  readonly padding?: Padding | undefined;
  /** The models whose handlers' calls this run is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
}

/** A loaded model. It resembles `tf.InferenceModel`, with tensors by name and with every signature. */
export interface InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  /** Describes the model for people: `TensorFlow SavedModel`. */
  readonly type: string;
  readonly mode: ComputeMode;

  /**
   * Says why runs of a signature may take any time, and must not be made on the event loop. It is undefined if they
   * may.
   */
  whyNotInline(signature: Signature): string | undefined;

  /**
   * Runs one signature once, for one or several requests.
   *
   * @param signature is one of {@link signatures}
   * @param members has, for each request, a tensor for every input, with the dtypes and shapes of the specs. The
   * tensors of several members are joined along the first dim, and must agree in the others. They still belong to the
   * caller.
   * @returns the outputs of all members together
   * @throws ServingError with the engine's code and message when the run fails
   */
  predict(signature: Signature, members: readonly NamedTensors[], options?: RunOptions): Promise<RunResult>;

  /** True while runs by {@link predict} are recorded. Runs by {@link predictHere} are never recorded. */
  readonly isTraced: boolean;

  /**
   * Does the same as {@link predict}, on the calling thread, which is blocked until the end.
   *
   * @throws ServingError with the engine's code and message when the run fails
   */
  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: Pick<RunOptions, 'outputs' | 'padding'>,
  ): RunResult;

  /** Frees the model once its runs have ended. It resolves when the memory is free. */
  dispose(): Promise<void>;
}

/**
 * Decides for each run that begins whether to trace it. It is not asked for warm-ups, nor while a traced run is under
 * way.
 */
export interface RunTracer {
  /**
   * Called when a run begins.
   * @param batchSize is the number of rows without padding
   * @returns undefined if the run is not to be traced
   */
  begin(model: InferenceModel, signature: Signature, batchSize: number): TracedRun | undefined;
}

export interface TracedRun {
  /** A record of more bytes is thrown away. */
  readonly maxBytes: number;
  /**
   * Called once if the run succeeds.
   * @param metadata is a serialized `tensorflow.RunMetadata`; null if it was too large
   */
  ended(metadata: Uint8Array | null): void;
}
