/**
 * What the control plane says of a version that is loaded and may serve. It is plain data, except for one handle to the
 * loaded model. The data plane makes queues from it (`servable.ts`).
 */
import type { InferenceModel } from '../engines/inference-model.js';
import type { BatchLimits, BatchVerdict } from './queue/batching.js';

export interface ServableId {
  readonly model: string;
  readonly version: number;
  /**
   * Counts the loads of this version in this process, from 1. Files that are replaced in place make a new generation.
   */
  readonly generation: number;
}

/** What files and flags say of a version. It may change while the version serves. */
export interface Terms {
  readonly limits: BatchLimits;
  /** The signature that is meant when a request names none; undefined if there is none. */
  readonly defaultSignature: string | undefined;
}

export interface Deployment {
  readonly id: ServableId;
  /** The handle. It has the signatures, and the servable disposes it when it retires. */
  readonly model: InferenceModel;
  /** The number of values in all variables together. */
  readonly parameterCount: number;
  /** True if its requests go through a handler. */
  readonly isHandled: boolean;
  /** The verdict on the rows of each signature, by name. */
  readonly batching: ReadonlyMap<string, BatchVerdict>;
  /** The terms when it begins to serve. */
  readonly terms: Terms;
  /** The numbers of its queues, by signature, if another event loop has made them. */
  readonly queueMemory?: ReadonlyMap<string, SharedArrayBuffer> | undefined;
}
