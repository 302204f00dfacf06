/**
 * Says when a version that could not be loaded is tried again. A failure that its own files did not cause may pass by
 * itself.
 */
import type { ErrorCode } from '../errors.js';
import { type Milliseconds, type Moment, now } from '../time.js';

/**
 * Codes of such failures: the storage or another service is out of reach, the machine has no room now, or time ran out.
 */
const passing: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED']);

/** The first pause and the longest. */
const firstPause: Milliseconds = 1000;
const longestPause: Milliseconds = 300_000;

/**
 * Each pause is up to this much shorter or longer, so that servers with one storage come back to it at different times.
 */
const jitter = 0.2;

/** The time of a next try. */
export interface NextTry {
  readonly due: Moment;
  /** The same time, for people. */
  readonly at: Date;
}

/** True for a failure after which the same files may serve. */
export function isPassing(code: ErrorCode): boolean {
  return passing.has(code);
}

/** The pause doubles after each failure. @param failures in a row, from 1 */
export function nextTryAfter(failures: number): NextTry {
  const pause =
    Math.min(firstPause * 2 ** (failures - 1), longestPause) * (1 - jitter + 2 * jitter * Math.random());
  return { due: now() + pause, at: new Date(Date.now() + pause) };
}

/** Calls back at the next time at which something is to be tried again. */
export class RetryTimer {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onDue: () => void) {}

  /** Sets the next time, in place of the one before. @param due is infinite if there is nothing to try */
  set(due: Moment): void {
    this.clear();
    if (due === Number.POSITIVE_INFINITY) return;
    // A timer may fire a fraction of a millisecond early.
    this.timer = setTimeout(this.onDue, due - now() + 1);
    this.timer.unref();
  }

  clear(): void {
    clearTimeout(this.timer);
  }
}
