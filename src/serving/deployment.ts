/**
 * What the control plane says of a version that is loaded and may serve. All of it is plain data but one handle, that of the
 * loaded model. The data plane makes queues of it (`servable.ts`).
 */
import type { InferenceModel } from '../engines/inference-model.js';
import type { BatchLimits, BatchVerdict } from './queue/batching.js';

export interface ServableId {
  readonly model: string;
  readonly version: number;
  /** Counts the loads of this version in this process, from 1: files replaced in place make a new one. */
  readonly generation: number;
}

/** What files and flags say of a version. It may change while the version serves. */
export interface Terms {
  readonly limits: BatchLimits;
  /** The signature that is meant when a request names none; undefined if none is. */
  readonly defaultSignature: string | undefined;
}

export interface Deployment {
  readonly id: ServableId;
  /** The handle. It says what its signatures are, and the servable gives it back when it is retired. */
  readonly model: InferenceModel;
  /** Numbers in all variables together. */
  readonly parameterCount: number;
  /** What is asked of it goes through a handler. */
  readonly isHandled: boolean;
  /** What was found of the rows of each signature, by its name. */
  readonly batching: ReadonlyMap<string, BatchVerdict>;
  /** As they are when it begins to serve. */
  readonly terms: Terms;
}
