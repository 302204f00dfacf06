/**
 * How TensorFlow loads and runs a SavedModel. There are two implementations. `native` is our asynchronous addon. `tfjs`
 * is tfjs-node's synchronous `tf.node.loadSavedModel`, which blocks the event loop and knows fewer dtypes.
 */

import type { EngineRuntime } from '../engine-runtime.js';
import type { InferenceModel } from '../inference-model.js';
import type { MetaGraph } from '../signature.js';
import type { InputTypes } from './operations/operation-inputs.js';

/** What its models are called in answers for people. */
export const savedModelType = 'TensorFlow SavedModel';

/** Triton's name for the same. */
export const savedModelPlatform = 'tensorflow_savedmodel';

export type RuntimeKind = 'native' | 'tfjs';

/** A device that TensorFlow found in this process. */
export interface Device {
  /** For example `/job:localhost/replica:0/task:0/device:CPU:0`. */
  readonly name: string;
  readonly type: string;
  readonly memoryBytes: number;
}

/** What a worker must know of the runtime that the main thread has opened, as plain data. */
export interface SharedRuntime {
  /** True if a run ends by itself once its time is over. */
  readonly heedsTimeouts: boolean;
  readonly device: 'cpu' | 'gpu';
  /** The serialized ConfigProto for the session that decodes images. */
  readonly imageConfig: Uint8Array;
  /** The images that are decoded at a time. */
  readonly imagesAtOnce: number;
}

export interface Runtime extends EngineRuntime {
  readonly kind: RuntimeKind;
  /** The version of TensorFlow, for example `2.21.0`. */
  readonly tensorflowVersion: string;
  readonly devices: readonly Device[];
  /** The settings that have no effect on this machine, in words. */
  readonly warnings: readonly string[];

  /** The absolute paths of the loaded libraries of custom operations. */
  readonly opLibraries: readonly string[];

  /** The operations that TensorFlow does not know now, by name. It is absent if the runtime cannot tell. */
  unknownOperations?(operations: ReadonlySet<string>): string[];

  /**
   * Makes TensorFlow accept graphs with guards (`graph/guards/`).
   * @returns the types of an operation's inputs. It is absent if the runtime cannot do this
   */
  takeGuards?(): InputTypes;

  /**
   * Loads the graph with these tags from a SavedModel.
   *
   * @param directory holds `saved_model.pb`
   * @param disposed is called once a model with guards is disposed
   * @throws ServingError with TensorFlow's code and message
   */
  load(directory: string, metaGraph: MetaGraph, disposed?: () => Promise<void>): Promise<InferenceModel>;

  /**
   * Detaches a buffer and frees its memory at once, before the garbage collector would. It is absent if the runtime
   * cannot do this.
   */
  free?(buffer: ArrayBuffer): void;

  /**
   * The bytes of a TCP connection that the other side has not acknowledged; undefined if the system does not tell. It
   * is absent if nobody can ask the system.
   */
  unacknowledged?(descriptor: number): number | undefined;

  /** What workers must know to run its models. It is absent if only the main thread can run them. */
  readonly shared?: SharedRuntime;

  /**
   * Sends a datagram to a UNIX socket, for which Node has no call. It is absent if the runtime cannot do this.
   *
   * @param path is that of a file, or begins with `@` for a name in the abstract namespace of Linux
   * @throws Error with the system's reason
   */
  notify?(path: string, message: string): void;

  /** Ends the process at once, even while a run hangs. A normal exit would wait for the run. */
  exitNow(code: number): never;
}
