/**
 * Requests that share runs because somebody said that they may, although the graph does not show it: their batches are
 * run one by one as well, at first each of them and later now and then. The answers given are then those run alone, and
 * a difference ends the sharing.
 */

/** So many batches are checked before one counts unchecked. */
const firstBatches = 32;

/** Afterwards one in so many. */
const every = 1000;

export class Trial {
  private batches = 0;
  /** Batches that were run one by one as well. */
  checked = 0;

  /** True if the next batch is to be checked. Asked once for each batch. */
  takesNext(): boolean {
    const place = this.batches++;
    return place < firstBatches || (place - firstBatches) % every === every - 1;
  }
}
