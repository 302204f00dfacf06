/**
 * How long handlers keep the event loop. What a function does after it has waited is not seen: no more is claimed.
 */
import type { Telemetry } from '../telemetry/metrics.js';

export interface Blocked {
  /** Of parts of the handler. */
  readonly calls: number;
  /** In all. */
  readonly seconds: number;
  /** At once. */
  readonly longestSeconds: number;
}

/** Of one model, whichever of its versions. */
export class ModelBlocking {
  private calls = 0;
  private milliseconds = 0;
  private longest = 0;

  observe(milliseconds: number): void {
    this.calls += 1;
    this.milliseconds += milliseconds;
    this.longest = Math.max(this.longest, milliseconds);
  }

  get total(): Blocked {
    return { calls: this.calls, seconds: this.milliseconds / 1000, longestSeconds: this.longest / 1000 };
  }
}

export class HandlerBlocking {
  private readonly byModel = new Map<string, ModelBlocking>();

  of(model: string): ModelBlocking {
    const known = this.byModel.get(model) ?? new ModelBlocking();
    this.byModel.set(model, known);
    return known;
  }

  addMetrics(telemetry: Telemetry): void {
    telemetry.counters(
      'tfjs_serving_handler_blocked_seconds_total',
      'Seconds for which handlers kept the event loop',
      () => Array.from(this.byModel, ([model, { total }]) => ({ value: total.seconds, labels: { model } })),
    );
    telemetry.gauges(
      'tfjs_serving_handler_blocked_seconds_longest',
      'The longest that a handler kept the event loop at once',
      () =>
        Array.from(this.byModel, ([model, { total }]) => ({
          value: total.longestSeconds,
          labels: { model },
        })),
    );
  }
}
