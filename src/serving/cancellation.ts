/**
 * How a request is called back: one per request, lighter than an AbortController.
 */
import type { ServingError } from '../errors.js';

export class Cancellation {
  private given: ServingError | undefined;
  private action: ((reason: ServingError) => void) | undefined;

  /** Why, once it has been cancelled. */
  get reason(): ServingError | undefined {
    return this.given;
  }

  /** Only the first counts. */
  cancel(reason: () => ServingError): void {
    if (this.given) return;
    this.given = reason();
    this.action?.(this.given);
  }

  /** Called once, at once if it has been cancelled already. */
  onCancel(action: (reason: ServingError) => void): void {
    if (this.given) action(this.given);
    else this.action = action;
  }
}
