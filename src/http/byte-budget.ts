/**
 * How many bytes of bodies the process may hold at once, being read or waiting for their run.
 */
import { ServingError } from '../errors.js';

export interface ByteBudget {
  /**
   * Takes bytes out of the budget, before they are read.
   *
   * @throws ServingError UNAVAILABLE if they are not left
   */
  reserve(bytes: number): void;
  /** Gives them back. */
  release(bytes: number): void;
  /** Bytes taken now. */
  readonly reserved: number;
}

/** @param total bytes, for the whole process */
export function createByteBudget(total: number): ByteBudget {
  let reserved = 0;
  return {
    reserve(bytes) {
      if (reserved + bytes > total) {
        throw new ServingError(
          'UNAVAILABLE',
          'too many request bytes are under way (--max-inflight-bytes)',
          1,
        );
      }
      reserved += bytes;
    },
    release(bytes) {
      reserved -= bytes;
    },
    get reserved() {
      return reserved;
    },
  };
}
