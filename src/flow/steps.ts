/**
 * Long work in steps. A generator yields after each bounded piece of work, and claims memory before it takes it.
 * Decoders are written this way.
 *
 * `turns.ts` runs such a generator and gives the event loop back where it yields. This file does not use Node. Clients
 * have it too, and run the same generators in one go.
 */

/** Work that may be paused wherever it yields. Where it yields a promise, it goes on once the promise is settled. */
export type Steps<Value> = Generator<Promise<void> | undefined, Value, undefined>;

/** Runs the work in one go. The work must not wait for another thread. */
export function toEnd<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Waits for the work of another thread. */
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

/** Wraps short work, so that it can run where steps are expected. Its one pause comes before it. */
export function* inOneStep<Value>(work: () => Value): Steps<Value> {
  yield;
  return work();
}

/** The units of work between two pauses. Each unit takes about a microsecond. */
const workPerStep = 1024;

/** Counts units of work, and says when there were enough for one step. */
export class Meter {
  private done = 0;

  /** @param work is the number of units since the last call */
  isDue(work = 1): boolean {
    this.done += work;
    if (this.done < workPerStep) return false;
    this.done = 0;
    return true;
  }
}

/**
 * Takes bytes out of the memory budget. It is called before the memory is taken.
 *
 * @param unpacked says that a body unpacks to these bytes, which the limit of a body bounds as well
 * @throws ServingError PAYLOAD_TOO_LARGE or UNAVAILABLE if there is no room
 */
export type Claim = (bytes: number, unpacked?: 'unpacked') => void;

/** For callers without a memory budget. */
export const claimNothing: Claim = () => {};
