/**
 * How a request is called back: one per request, lighter than an AbortController.
 */
import type { ServingError } from '../errors.js';

export class Cancellation {
  private makeReason: (() => ServingError) | undefined;
  private action: ((makeReason: () => ServingError) => void) | undefined;

  /** Why, once it has been cancelled. */
  get reason(): ServingError | undefined {
    return this.makeReason?.();
  }

  /** Only the first counts. @param makeReason called only if somebody waits to hear it: an error is dear */
  cancel(makeReason: () => ServingError): void {
    if (this.makeReason) return;
    this.makeReason = makeReason;
    this.action?.(makeReason);
  }

  /** Called once, at once if it has been cancelled already. */
  onCancel(action: (makeReason: () => ServingError) => void): void {
    if (this.makeReason) action(this.makeReason);
    else this.action = action;
  }
}
