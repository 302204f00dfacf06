/** What records single runs, as an engine sees it. */
import type { WallTime } from '../time.js';
import type { InferenceModel } from './inference-model.js';
import type { Signature } from './signature.js';

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
   * @param record is null if it was too large
   */
  ended(record: RunRecord | null): void;
}

/** What an engine has recorded of a run, in its own form. */
export interface RunRecord {
  readonly byteLength: number;
  /**
   * Reads the record.
   * @param origin is when starts are counted from
   * @throws Error if the record is damaged
   */
  operations(origin: WallTime): readonly OperationRun[];
}

/** One operation that ran. */
export interface OperationRun {
  readonly device: string;
  /** The name of the operation in the graph. */
  readonly name: string;
  /** Its type, for example `MatMul`; empty if the engine does not tell. */
  readonly op: string;
  /** The microseconds from the origin to its start, and from its start to its end. */
  readonly start: number;
  readonly duration: number;
}
