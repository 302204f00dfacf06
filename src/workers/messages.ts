/**
 * What the main thread and its workers say to each other. All of it is plain data, and the messages of each side arrive
 * in order.
 */
import type { LiveSettings } from '../config/live-settings.js';
import type { Settings } from '../config/settings.js';
import type { SharedModel } from '../engines/inference-model.js';
import type { SharedRuntime } from '../engines/tensorflow/runtime.js';
import type { Loop } from '../flow/shared-numbers.js';
import type { ServableId, Terms } from '../serving/deployment.js';
import type { BatchVerdict } from '../serving/queue/batching.js';

/** What a worker needs to begin. */
export interface WorkerStart {
  readonly loop: Loop;
  readonly settings: Settings;
  readonly runtime: SharedRuntime;
  /** The models that may run at once on this worker. */
  readonly slots: number;
  readonly memory: ProcessMemory;
}

/** The memory that all event loops of the process share. */
export interface ProcessMemory {
  /** One 32-bit integer: the number of the table that is in force. */
  readonly epoch: SharedArrayBuffer;
  /** The bytes of bodies, of answers that wait for clients, the requests under way, and the tensors: a number for each loop. */
  readonly bodyBytes: SharedArrayBuffer;
  readonly unreadBytes: SharedArrayBuffer;
  readonly requests: SharedArrayBuffer;
  /** What the keys have left of their rates. */
  readonly rates: SharedArrayBuffer;
  readonly tensors: SharedArrayBuffer;
  /** The counts of requests that name no model. */
  readonly nameless: SharedArrayBuffer;
}

/** A loaded version, as a worker gets it. */
export interface SharedDeployment {
  /** Identifies it. No other load of the process has the same. */
  readonly key: number;
  readonly id: ServableId;
  readonly model: SharedModel;
  readonly parameterCount: number;
  readonly batching: ReadonlyMap<string, BatchVerdict>;
  readonly terms: Terms;
  /** The memory of the numbers of its queues, by signature. */
  readonly queueMemory: ReadonlyMap<string, SharedArrayBuffer>;
  /** The memory of the counts of its requests. */
  readonly countsMemory: SharedArrayBuffer;
}

/** A table of what is served. It leaves out everything that only the main thread can answer. */
export interface SharedTable {
  readonly epoch: number;
  readonly models: readonly SharedModelStatus[];
  readonly defaultModel: string | undefined;
  /** The terms of each version that is in it, which may have changed. */
  readonly terms: ReadonlyMap<number, Terms>;
}

export interface SharedModelStatus {
  readonly name: string;
  /** The key of the version that answers when a request names none. */
  readonly serving: number | undefined;
  /** The keys of the versions that can be asked for by number. */
  readonly available: ReadonlyMap<number, number>;
  readonly labels: ReadonlyMap<string, number>;
}

export type ToWorker =
  | { readonly kind: 'prepare'; readonly deployment: SharedDeployment }
  | { readonly kind: 'publish'; readonly table: SharedTable }
  /** No request finds the version any more. */
  | { readonly kind: 'retire'; readonly key: number }
  /** Takes connections from a socket, which the worker closes at its end. */
  | { readonly kind: 'listen'; readonly descriptor: number }
  | { readonly kind: 'reload files' }
  /** Settings have changed. */
  | { readonly kind: 'adjust'; readonly changes: Partial<LiveSettings> }
  /** Inference requests are refused from now on. */
  | { readonly kind: 'drain' }
  /** Clients that hardly send or read are not waited for any more. */
  | { readonly kind: 'give up slow' }
  /** All requests have ended. */
  | { readonly kind: 'end' };

export type ToMain =
  | { readonly kind: 'begun' }
  | { readonly kind: 'prepared'; readonly key: number; readonly failure: string | undefined }
  | { readonly kind: 'published'; readonly epoch: number }
  | { readonly kind: 'retired'; readonly key: number }
  | { readonly kind: 'listening'; readonly address: string }
  /** The main thread's end of a new connection, for requests that only the main thread can answer. */
  | { readonly kind: 'connect'; readonly descriptor: number }
  /** Where a worker makes the runs of a signature and why, for people. */
  | { readonly kind: 'explained'; readonly key: number; readonly runs: ReadonlyMap<string, string> };
