/**
 * Work that may be paused: a generator that yields after each bounded piece of it.
 */

/** Work that may be paused wherever it yields; where it yields a promise, it goes on once that is settled. */
export type Steps<Value> = Generator<Promise<void> | undefined, Value, undefined>;

/**
 * Takes more bytes out of the budget, before memory is taken for them.
 *
 * @param unpacked the bytes are what the body unpacks to, which is bounded as a body is
 * @throws ServingError PAYLOAD_TOO_LARGE or UNAVAILABLE if there is no room
 */
export type Claim = (bytes: number, unpacked?: 'unpacked') => void;

/** For callers whose memory nobody bounds. */
export const claimNothing: Claim = () => {};

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

/** Runs the work in one go. It must not wait for another thread. */
export function toEnd<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Says when enough small things were done for a pause. */
export class Meter {
  private count = 0;

  isDue(): boolean {
    this.count += 1;
    return (this.count & 1023) === 0;
  }
}
