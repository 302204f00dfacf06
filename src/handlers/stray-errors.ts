/**
 * Catches errors that leave a handler outside every call: from a promise that nobody waited for, or from a callback.
 * Node would end the process, and with it everybody else's requests.
 */
import type { Logger } from '../telemetry/logger.js';
import type { Bundle } from './bundle.js';
import { isFrom, locate } from './evaluate.js';

export class StrayErrors {
  /** The handlers that are loaded, and the models that they belong to. */
  private readonly bundles = new Map<Bundle, string>();

  constructor(private readonly logger: Logger) {}

  /** Logs such errors from now on. @returns a function that stops this */
  watch(): () => void {
    process.on('unhandledRejection', this.rejected);
    process.on('uncaughtException', this.thrown);
    return () => {
      process.off('unhandledRejection', this.rejected);
      process.off('uncaughtException', this.thrown);
    };
  }

  /** Says that a handler may raise such errors. @returns a function to call when the handler is gone */
  expect(bundle: Bundle, model: string): () => void {
    this.bundles.set(bundle, model);
    return () => this.bundles.delete(bundle);
  }

  private readonly rejected = (error: unknown): void => {
    if (!this.report(error))
      this.logger.error({ err: error }, 'a promise was rejected, and nothing handled it');
  };

  private readonly thrown = (error: unknown): void => {
    if (this.report(error)) return;
    // Another listener exists, so the error is left to it, as if we did not listen.
    if (process.listenerCount('uncaughtException') > 1) return;
    console.error(error);
    process.exit(1);
  };

  /** Logs an error that comes from a handler. @returns false for any other error */
  private report(error: unknown): boolean {
    for (const [bundle, model] of this.bundles) {
      if (!isFrom(error, bundle)) continue;
      const { message, stack } = locate(error, bundle);
      this.logger.error({ model, stack }, `the handler of ${model} failed outside any request: ${message}`);
      return true;
    }
    return false;
  }
}
