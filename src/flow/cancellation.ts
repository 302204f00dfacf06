/**
 * How a request is called back: one per request, lighter than an AbortController.
 */
import type { ServingError } from '../errors.js';

/** What can be called back. */
export interface Cancellable {
  /** Called once. @param makeReason called only if somebody waits to hear it: an error is dear */
  cancel(makeReason: () => ServingError): void;
}

export class Cancellation {
  private makeReason: (() => ServingError) | undefined;
  private target: Cancellable | undefined;

  /** Only the first counts. */
  cancel(makeReason: () => ServingError): void {
    if (this.makeReason) return;
    this.makeReason = makeReason;
    this.target?.cancel(makeReason);
  }

  /** What is cancelled from now on; at once if it has been already. */
  follow(target: Cancellable): void {
    if (this.makeReason) target.cancel(this.makeReason);
    else this.target = target;
  }

  /** It is over, and cannot be cancelled any more. */
  end(): void {
    this.target = undefined;
  }
}
