/**
 * How TensorFlow loads and runs a SavedModel. Two implementations: `native`, our asynchronous addon, and `tfjs`, upstream's
 * synchronous `tf.node.loadSavedModel`, which blocks the event loop and knows fewer dtypes.
 */

import type { ComputeMode, InferenceModel, RunTracer } from '../inference-model.js';
import type { MetaGraph } from '../signature.js';
import type { InputTypes } from './operations/operation-inputs.js';

/** What its models are, for people. */
export const savedModelType = 'TensorFlow SavedModel';

export type RuntimeKind = 'native' | 'tfjs';

/** A device that TensorFlow found in this process. */
export interface Device {
  /** For example `/job:localhost/replica:0/task:0/device:CPU:0`. */
  readonly name: string;
  readonly type: string;
  readonly memoryBytes: number;
}

export interface Runtime {
  readonly kind: RuntimeKind;
  /** TensorFlow's version, for example `2.21.0`. */
  readonly tensorflowVersion: string;
  readonly devices: readonly Device[];
  /** What models run on: `gpu` when TensorFlow has one, else `cpu`. */
  readonly device: 'cpu' | 'gpu';
  /** How models are computed. */
  readonly mode: ComputeMode;
  /** What was asked for and has no effect on this machine, in words. */
  readonly warnings: readonly string[];

  /** The libraries of custom operations that were asked for, absolute. */
  readonly opLibraries: readonly string[];

  /**
   * Those of the operations, by name, that TensorFlow does not know now. Absent where the runtime cannot tell.
   */
  unknownOperations?(operations: ReadonlySet<string>): string[];

  /**
   * Makes TensorFlow take graphs with guards (`graph/guards/`), and says which types an operation's inputs have. Absent where the
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

  /**
   * Bytes of a TCP connection that the other side has not acknowledged; undefined where the system does not tell. Absent where
   * nobody can ask it.
   */
  unacknowledged?(descriptor: number): number | undefined;

  /** What it holds now: sessions, runs, tensors; all zero when idle. */
  counters(): Readonly<Record<string, number>>;

  /** Ends the process at once, also while a run hangs, which a normal exit would wait for. */
  exitNow(code: number): never;
}
