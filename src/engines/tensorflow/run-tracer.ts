/** What records single runs of TensorFlow, as the runtime sees it. */
import type { InferenceModel } from '../inference-model.js';
import type { Signature } from '../signature.js';

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
