/**
 * Work that may be paused: a generator that yields after each bounded piece of it. Whoever runs it decides on the pauses:
 * `turns.ts` says when one is due. This file knows no Node, so that clients may have it too.
 */

/** Work that may be paused wherever it yields; where it yields a promise, it goes on once that is settled. */
export type Steps<Value> = Generator<Promise<void> | undefined, Value, undefined>;

/** Waits for what another thread does. */
export function* settled<Value>(promise: Promise<Value>): Steps<Value> {
  let outcome: { readonly value: Value } | { readonly error: unknown } | undefined;
  yield promise.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  if (outcome === undefined) throw new Error('work that waits for another thread was run in one go');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** Short work, as work that may be paused: its one pause is before it. */
export function* inOneStep<Value>(work: () => Value): Steps<Value> {
  yield;
  return work();
}

/** Runs the work in one go. It must not wait for another thread. */
export function toEnd<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Small things that are done between two pauses. */
const workPerPiece = 1024;

/** Says when enough small things were done for a pause. */
export class Meter {
  private done = 0;

  /** @param work how many small things were done since the last call */
  isDue(work = 1): boolean {
    this.done += work;
    if (this.done < workPerPiece) return false;
    this.done = 0;
    return true;
  }
}
