/**
 * A model that is loaded, as all above the engines know it: signatures, and runs of them.
 */
import type { Padding } from '../tfjs/rows.js';
import type { NamedTensors } from '../tfjs/tensors.js';
import type { Signature } from './signature.js';

/** How an engine computes a model, where that is not as the model itself says. */
export interface ComputeMode {
  /** Models are compiled, for each shape of their inputs. */
  readonly xla: boolean;
  /** What float32 is computed in where that is safe, if not in float32. */
  readonly mixedPrecision: 'float16' | 'bfloat16' | undefined;
}

/** Nothing is compiled, and everything is computed in the dtypes that the model has. */
export const plainMode: ComputeMode = { xla: false, mixedPrecision: undefined };

/** What a run gave, and where its time went. */
export interface RunResult {
  /** Disposed by the caller. */
  readonly outputs: NamedTensors;
  /** Microseconds between the call and the start of the run. */
  readonly queueMicros: number;
  /** Microseconds of computing, measured: queues choose by it the sizes of batches, and where runs are made. */
  readonly runMicros: number;
}

export interface RunOptions {
  /** Names of the outputs to return; all of the signature's if left out. */
  readonly outputs?: readonly string[] | undefined;
  /** Seconds after which the engine is asked to give up the run. It does so only in runs that are spread over threads. */
  readonly timeoutSeconds?: number | undefined;
  /** Let everybody else's runs go first: a warm-up. */
  readonly background?: boolean | undefined;
  /** Rows to add after those of the members. */
  readonly padding?: Padding | undefined;
  /** Models whose handlers' calls the run is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
}

/** A loaded model, shaped like `tf.InferenceModel`, with named tensors and every signature. */
export interface InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  /** What it is, for people: `TensorFlow SavedModel`. */
  readonly type: string;
  readonly mode: ComputeMode;

  /** Why runs of a signature may take any time, and must not be made on the event loop; undefined if they cannot. */
  whyNotInline(signature: Signature): string | undefined;

  /**
   * Runs one signature once, for one or several requests.
   *
   * @param signature one of {@link signatures}
   * @param members for each request a tensor for every input; dtypes and shapes as the specs have them. Those of several
   * are joined along the first dim, and must agree in the others. They stay the caller's.
   * @returns the outputs of all members together
   * @throws ServingError with the engine's code and message when the run fails
   */
  predict(signature: Signature, members: readonly NamedTensors[], options?: RunOptions): Promise<RunResult>;

  /** True while runs by {@link predict} are recorded; those by {@link predictHere} never are. */
  readonly isTraced: boolean;

  /**
   * As {@link predict}, on the calling thread, which does nothing else meanwhile.
   *
   * @throws ServingError with the engine's code and message when the run fails
   */
  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: Pick<RunOptions, 'outputs' | 'padding'>,
  ): RunResult;

  /** Gives the model back once its runs have ended. Resolves when its memory is free. */
  dispose(): Promise<void>;
}

/** Is asked of the runs that begin whether to trace them; not of warm-ups, nor while a traced run is under way. */
export interface RunTracer {
  /**
   * @param batchSize rows, without padding
   * @returns undefined if the run is to go as usual
   */
  begin(model: InferenceModel, signature: Signature, batchSize: number): TracedRun | undefined;
}

export interface TracedRun {
  /** What is recorded of the run is thrown away if it has more bytes. */
  readonly maxBytes: number;
  /** Called once if the run succeeds. @param metadata a serialized `tensorflow.RunMetadata`; null if it was too large */
  ended(metadata: Uint8Array | null): void;
}
