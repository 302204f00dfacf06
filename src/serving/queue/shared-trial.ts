/**
 * Checks requests that share runs because somebody said that they may, although the graph does not prove it.
 *
 * Their batches are run one by one as well: at first every batch, and later some. The requests get the answers of the
 * runs alone, and a difference ends the sharing.
 */

import type { ComputeMode, RunResult } from '../../engines/inference-model.js';
import { messageOf } from '../../errors.js';
import { disposeTensors, type NamedTensors } from '../../tfjs/tensors.js';
import { compareAnswers } from './agreement.js';

/** The number of batches that are checked before one runs unchecked. */
const firstBatches = 32;

/** Afterwards, one batch in so many is checked. */
const every = 1000;

/** A batch that is run both ways. */
export interface CheckedBatch<Member> {
  readonly members: readonly Member[];
  /** The rows of all members. */
  readonly rows: number;
  /** Runs all members together. It gives each member's rows, which are disposed here. */
  together(): Promise<readonly NamedTensors[]>;
  alone(member: Member): Promise<RunResult>;
  /** Takes the result of a member alone. */
  succeeded(member: Member, prediction: RunResult): void;
  failed(member: Member, error: unknown): void;
}

export class Trial {
  private batches = 0;
  /** The number of batches that were checked. */
  checked = 0;

  /** True if the next batch is to be checked. It is called once for each batch. */
  takesNext(): boolean {
    const place = this.batches++;
    return place < firstBatches || (place - firstBatches) % every === every - 1;
  }

  /**
   * Runs a batch together and its members alone, and answers with the latter. Never rejects.
   *
   * @returns the difference in words; undefined if there is none
   */
  async run<Member>(batch: CheckedBatch<Member>, mode: ComputeMode): Promise<string | undefined> {
    this.checked += 1;
    const together = await batch.together().catch((error: unknown) => messageOf(error));
    let difference: string | undefined;
    let hasFailed = false;
    for (const [i, member] of batch.members.entries()) {
      try {
        const prediction = await batch.alone(member);
        const found = typeof together === 'string' ? undefined : together[i];
        const differs = found && compareAnswers(found, prediction.outputs, mode);
        if (differs !== undefined) difference ??= `in a batch of ${batch.rows}, ${differs}`;
        batch.succeeded(member, prediction);
      } catch (error) {
        hasFailed = true;
        batch.failed(member, error);
      }
    }
    if (typeof together !== 'string') together.forEach(disposeTensors);
    else if (!hasFailed) difference = `a batch failed whose requests do not fail alone: ${together}`;
    return difference;
  }
}
