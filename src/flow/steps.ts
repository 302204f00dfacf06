/**
 * Long work in steps: a generator that yields after each bounded piece of it, and claims memory before it takes it. Decoders are
 * such work.
 *
 * `turns.ts` runs it and gives the event loop back where it yields. This file knows no Node: clients have it too, and run the
 * same work in one go.
 */

/** Work that may be paused wherever it yields. Where it yields a promise, it goes on once that is settled. */
export type Steps<Value> = Generator<Promise<void> | undefined, Value, undefined>;

/** Runs the work in one go. It must not wait for another thread. */
export function toEnd<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

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

/** Small things that are done between two pauses: each takes about a microsecond. */
const workPerStep = 1024;

/** Says when enough small things were done for a step. */
export class Meter {
  private done = 0;

  /** @param work how many small things were done since the last call */
  isDue(work = 1): boolean {
    this.done += work;
    if (this.done < workPerStep) return false;
    this.done = 0;
    return true;
  }
}

/**
 * Takes more bytes out of the budget, before memory is taken for them.
 *
 * @param unpacked the bytes are what the body unpacks to, which is bounded as a body is
 * @throws ServingError PAYLOAD_TOO_LARGE or UNAVAILABLE if there is no room
 */
export type Claim = (bytes: number, unpacked?: 'unpacked') => void;

/** For callers whose memory nobody bounds. */
export const claimNothing: Claim = () => {};
