/** Cancels a request. Each request has one {@link Cancellation}, which costs less than an AbortController. */
import type { ServingError } from '../errors.js';

/** Work that can be cancelled. */
export interface Cancellable {
  /**
   * Cancels the work. It is called once.
   * @param makeReason is called only if somebody waits for the error, which is expensive to make
   */
  cancel(makeReason: () => ServingError): void;
}

export class Cancellation {
  private makeReason: (() => ServingError) | undefined;
  private target: Cancellable | undefined;

  /** Cancels the work. Only the first call counts. */
  cancel(makeReason: () => ServingError): void {
    if (this.makeReason) return;
    this.makeReason = makeReason;
    this.target?.cancel(makeReason);
  }

  /**
   * Says which work is to be cancelled from now on. The work is cancelled at once if {@link cancel} was called before.
   */
  follow(target: Cancellable): void {
    if (this.makeReason) target.cancel(this.makeReason);
    else this.target = target;
  }

  /** Says that the work has ended and cannot be cancelled any more. */
  end(): void {
    this.target = undefined;
  }
}
