/**
 * Shares the run slots of the process between the queues, in turn, so that a model with a long queue does not keep the
 * others waiting.
 */
import { Linked, List } from '../../flow/list.js';
import { type Milliseconds, type Moment, now } from '../../time.js';

/** A queue that starts runs when it gets slots. */
export abstract class Lane extends Linked {
  /** Starts one run if it may now. @param hasSlot is false if only a run without a slot may start */
  abstract start(moment: Moment, hasSlot: boolean): Start;
}

/**
 * What became of a turn:
 *
 * - run: a run is under way.
 * - ran: a run without a slot is over.
 * - idle: there is nothing to do.
 * - no slot: there is something to do once a slot is free.
 * - wait: there may be after some time.
 */
export type Start =
  | StartedRun
  | { readonly kind: 'ran' | 'idle' | 'no slot' }
  | { readonly kind: 'wait'; readonly time: Milliseconds };

export const ran: Start = { kind: 'ran' };
export const idle: Start = { kind: 'idle' };
export const noSlot: Start = { kind: 'no slot' };

export interface StartedRun {
  readonly kind: 'run';
  /** Settles, and never rejects, when the run is over. */
  readonly ended: Promise<void>;
  /** When the last request of the run stops waiting. */
  readonly lastDeadline: Moment;
}

export class Scheduler {
  private readonly runs = new Set<StartedRun>();
  /** The lanes that may have work, in the order of their turns. */
  private readonly turns = new List<Lane>();
  private isScheduled = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param slots is the number of concurrent runs; the runtime has threads for twice as many */
  constructor(private readonly slots: number) {}

  /**
   * Says that a lane has work. It starts after this turn of the event loop. So requests that arrive together, in one
   * read of the sockets, share a batch.
   */
  wake(lane: Lane): void {
    this.lineUp(lane);
    this.schedule();
  }

  /** Puts a lane at the end of the line, unless it is in it. */
  private lineUp(lane: Lane): void {
    if (!lane.isListed) this.turns.add(lane);
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(this.run);
  }

  private readonly run = (): void => {
    this.isScheduled = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    const moment = now();
    let wait = Number.POSITIVE_INFINITY;
    let resting: Lane[] | undefined;
    for (let lane = this.turns.takeFirst(); lane; lane = this.turns.takeFirst()) {
      const started = lane.start(moment, this.runs.size < this.capacity(moment));
      switch (started.kind) {
        case 'idle':
          continue;
        case 'wait':
        case 'no slot':
          wait = Math.min(wait, started.kind === 'wait' ? started.time : this.untilNextStuck(moment));
          resting ??= [];
          resting.push(lane);
          continue;
        case 'run':
          this.follow(started);
      }
      this.lineUp(lane);
    }
    for (const lane of resting ?? []) this.lineUp(lane);
    if (this.turns.size > 0 && wait < Number.POSITIVE_INFINITY) {
      this.timer = setTimeout(this.run, Math.max(1, wait));
      this.timer.unref();
    }
  };

  private follow(run: StartedRun): void {
    this.runs.add(run);
    void run.ended.then(() => {
      this.runs.delete(run);
      if (this.turns.size > 0) this.schedule();
    });
  }

  /**
   * The number of slots. A stuck run costs only its own model a slot: the scheduler adds a spare slot for each, up to
   * as many as there are. So a model that hangs does not take the others with it.
   */
  private capacity(moment: Moment): number {
    return this.slots + Math.min(this.slots, countStuck(this.runs, moment));
  }

  private untilNextStuck(moment: Moment): Milliseconds {
    let next = Number.POSITIVE_INFINITY;
    for (const { lastDeadline } of this.runs) {
      if (lastDeadline > moment) next = Math.min(next, lastDeadline - moment);
    }
    return next;
  }
}

/** Counts the runs that go on although the time of all their requests is over. */
export function countStuck(runs: Iterable<StartedRun>, moment: Moment): number {
  let count = 0;
  for (const { lastDeadline } of runs) if (lastDeadline <= moment) count += 1;
  return count;
}
