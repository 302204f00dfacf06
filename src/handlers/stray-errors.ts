/**
 * Errors that leave a handler past every call: of a promise that nobody waited for, or of a callback. Node would end the
 * process for them, and with it everybody else's requests.
 */
import type { Logger } from '../telemetry/logger.js';
import type { Bundle } from './bundle.js';
import { isFrom, locate } from './evaluate.js';

export class StrayErrors {
  /** Handlers that are loaded, and the models that they belong to. */
  private readonly bundles = new Map<Bundle, string>();

  constructor(private readonly logger: Logger) {}

  /** From now on they are logged. @returns a function that ends it */
  watch(): () => void {
    process.on('unhandledRejection', this.rejected);
    process.on('uncaughtException', this.thrown);
    return () => {
      process.off('unhandledRejection', this.rejected);
      process.off('uncaughtException', this.thrown);
    };
  }

  /** Tells of a handler that may raise some. @returns a function to be called when it is gone */
  expect(bundle: Bundle, model: string): () => void {
    this.bundles.set(bundle, model);
    return () => this.bundles.delete(bundle);
  }

  private readonly rejected = (error: unknown): void => {
    if (!this.report(error)) this.logger.error({ err: error }, 'a promise that nobody waited for failed');
  };

  private readonly thrown = (error: unknown): void => {
    if (this.report(error)) return;
    // Somebody else's: as if we did not listen.
    if (process.listenerCount('uncaughtException') > 1) return;
    console.error(error);
    process.exit(1);
  };

  /** @returns false if it is no handler's */
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
