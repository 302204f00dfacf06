/**
 * Requests that share runs because somebody said that they may, although the graph does not show it: their batches are
 * run one by one as well, at first each of them and later now and then. The answers given are then those run alone, and
 * a difference ends the sharing.
 */

import type { ComputeMode, RunResult } from '../../engines/inference-model.js';
import { messageOf } from '../../errors.js';
import { disposeTensors, type NamedTensors } from '../../tfjs/tensors.js';
import { compareAnswers } from './agreement.js';

/** So many batches are checked before one counts unchecked. */
const firstBatches = 32;

/** Afterwards one in so many. */
const every = 1000;

/** A batch that is run both ways. */
export interface CheckedBatch<Member> {
  readonly members: readonly Member[];
  /** Rows of all members. */
  readonly rows: number;
  /** One run of all; each member's rows, which are disposed here. */
  together(): Promise<readonly NamedTensors[]>;
  alone(member: Member): Promise<RunResult>;
  /** Takes what a member is given alone. */
  succeeded(member: Member, prediction: RunResult): void;
  failed(member: Member, error: unknown): void;
}

export class Trial {
  private batches = 0;
  /** Batches that were run one by one as well. */
  checked = 0;

  /** True if the next batch is to be checked. Asked once for each batch. */
  takesNext(): boolean {
    const place = this.batches++;
    return place < firstBatches || (place - firstBatches) % every === every - 1;
  }

  /**
   * Runs a batch together and its members alone, and answers with the latter. Never rejects.
   *
   * @returns in words what differed, if anything did
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
