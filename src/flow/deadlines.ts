/** Keeps many deadlines with one timer. A timer for each would be the most expensive part of a small request. */

import { type Moment, now } from '../time.js';
import { Linked, List } from './list.js';

export abstract class Waiting extends Linked {
  /** When the entry expires. */
  abstract readonly deadline: Moment;
  /** Called once, at the deadline or a little later. */
  abstract expire(): void;
}

export class Deadlines<Waiter extends Waiting = Waiting> implements Iterable<Waiter> {
  private readonly waiting = new List<Waiter>();
  private timer: NodeJS.Timeout | undefined;
  /** When the timer fires. The entry that it was set for may have left by then. */
  private next: Moment = Number.POSITIVE_INFINITY;

  add(entry: Waiter): void {
    this.waiting.add(entry);
    if (entry.deadline < this.next) this.arm(entry.deadline);
  }

  delete(entry: Waiter): void {
    this.waiting.delete(entry);
  }

  /** Iterates in the order in which entries were added. An entry may leave meanwhile. */
  [Symbol.iterator](): Iterator<Waiter> {
    return this.waiting[Symbol.iterator]();
  }

  private arm(deadline: Moment): void {
    clearTimeout(this.timer);
    this.next = deadline;
    // A timer that fires a fraction too early would have to be set again.
    this.timer = setTimeout(this.sweep, Math.ceil(deadline - now()));
    this.timer.unref();
  }

  private readonly sweep = (): void => {
    const swept = now();
    let next = Number.POSITIVE_INFINITY;
    this.next = next;
    for (const entry of this.waiting) {
      if (entry.deadline > swept) {
        next = Math.min(next, entry.deadline);
      } else {
        this.waiting.delete(entry);
        entry.expire();
      }
    }
    if (next < this.next) this.arm(next);
  };
}
