/**
 * How a SavedModel is loaded and run. Two implementations: `native`, our asynchronous addon, and `tfjs`, upstream's
 * synchronous `tf.node.loadSavedModel`, which blocks the event loop and knows fewer dtypes.
 */

import type { Padding } from '../tfjs/rows.js';
import type { NamedTensors } from '../tfjs/tensors.js';
import type { Engine } from './engine.js';
import type { MetaGraph, Signature } from './signature.js';
import type { InputTypes } from './tensorflow/operations/operation-inputs.js';

export type RuntimeKind = 'native' | 'tfjs';

/** A device that TensorFlow found in this process. */
export interface Device {
  /** For example `/job:localhost/replica:0/task:0/device:CPU:0`. */
  readonly name: string;
  readonly type: string;
  readonly memoryBytes: number;
}

/** What a run gave, and where its time went. */
export interface Prediction {
  /** Disposed by the caller. */
  readonly outputs: NamedTensors;
  /** Microseconds between the call and the start of the run. */
  readonly queueMicros: number;
  /** Microseconds inside TensorFlow. */
  readonly runMicros: number;
}

export interface PredictOptions {
  /** Outputs to compute; all of the signature's by default. */
  readonly outputs?: readonly string[] | undefined;
  /** Seconds after which TensorFlow is asked to give up the run. It does so only in runs that are spread over threads. */
  readonly timeoutSeconds?: number | undefined;
  /** Let everybody else's runs go first: a warm-up. */
  readonly background?: boolean | undefined;
  /** Rows to add after those of the members. */
  readonly padding?: Padding | undefined;
  /** Models whose handlers' calls the run is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
}

/** A loaded SavedModel, shaped like `tf.InferenceModel`, with named tensors and every signature. */
export interface InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;

  /**
   * Runs one signature once, for one or several requests.
   *
   * @param signature one of {@link signatures}
   * @param members for each request a tensor for every input; dtypes and shapes as the specs have them. Those of several
   * are joined along the first dim, and must agree in the others. They stay the caller's.
   * @returns the outputs of all members together
   * @throws ServingError with TensorFlow's code and message when the run fails
   */
  predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: PredictOptions,
  ): Promise<Prediction>;

  /** True while runs by {@link predict} are recorded; those by {@link predictHere} never are. */
  readonly isTraced: boolean;

  /**
   * As {@link predict}, on the calling thread, which does nothing else meanwhile.
   *
   * @throws ServingError with TensorFlow's code and message when the run fails
   */
  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: Pick<PredictOptions, 'outputs' | 'padding'>,
  ): Prediction;

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

export interface Runtime {
  readonly kind: RuntimeKind;
  /** TensorFlow's version, for example `2.21.0`. */
  readonly tensorflowVersion: string;
  readonly devices: readonly Device[];
  /** What models run on: `gpu` when TensorFlow has one, else `cpu`. */
  readonly device: 'cpu' | 'gpu';
  /** How models are computed. */
  readonly engine: Engine;
  /** What was asked for and has no effect on this machine, in words. */
  readonly warnings: readonly string[];

  /** The libraries of custom operations that were asked for, absolute. */
  readonly opLibraries: readonly string[];

  /**
   * Those of the operations, by name, that TensorFlow does not know now. Absent where the runtime cannot tell.
   */
  unknownOperations?(operations: ReadonlySet<string>): string[];

  /**
   * Makes TensorFlow take graphs with guards (graph/guards), and says which types an operation's inputs have. Absent where the
   * runtime takes none.
   */
  takeGuards?(): InputTypes;

  /**
   * Loads the graph with these tags from a SavedModel.
   *
   * @param directory the folder that holds `saved_model.pb`
   * @param disposed called once a model with guards is disposed
   * @throws ServingError with TensorFlow's code and message
   */
  load(directory: string, metaGraph: MetaGraph, disposed?: () => Promise<void>): Promise<InferenceModel>;

  /**
   * Has the runs that begin from now on traced as the tracer says; none without one. Absent where the runtime cannot.
   */
  trace?(tracer: RunTracer | undefined): void;

  /** Detaches a buffer and frees its memory at once, rather than when the collector comes by. Absent where it cannot. */
  free?(buffer: ArrayBuffer): void;

  /** What it holds now: sessions, runs, tensors; all zero when idle. */
  counters(): Readonly<Record<string, number>>;

  /** Ends the process at once, also while a run hangs, which a normal exit would wait for. */
  exitNow(code: number): never;
}
