/**
 * How long handlers keep the event loop. What a function does after it has waited is not seen: no more is claimed.
 */
import type { Telemetry } from '../telemetry/metrics.js';

interface Kept {
  calls: number;
  milliseconds: number;
  longest: number;
}

export class HandlerBlocking {
  private readonly byModel = new Map<string, Kept>();

  observe(model: string, milliseconds: number): void {
    const kept = this.byModel.get(model) ?? { calls: 0, milliseconds: 0, longest: 0 };
    kept.calls += 1;
    kept.milliseconds += milliseconds;
    kept.longest = Math.max(kept.longest, milliseconds);
    this.byModel.set(model, kept);
  }

  /** What `/models` says; undefined for a model whose handler was never called. */
  describe(model: string): object | undefined {
    const kept = this.byModel.get(model);
    if (!kept) return undefined;
    const { calls, milliseconds, longest } = kept;
    return { calls, blocked_seconds: milliseconds / 1000, longest_seconds: longest / 1000 };
  }

  addMetrics(telemetry: Telemetry): void {
    telemetry.gauges(
      'tfjs_serving_handler_blocked_seconds',
      'Time for which handlers kept the event loop, and the longest at once',
      () =>
        Array.from(this.byModel).flatMap(([model, { milliseconds, longest }]) => [
          { value: milliseconds / 1000, labels: { model, kind: 'sum' } },
          { value: longest / 1000, labels: { model, kind: 'longest' } },
        ]),
    );
  }
}
