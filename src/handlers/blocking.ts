/** Measures how long handlers keep the event loop. It sees a function only until it first waits. */
import type { Blocked } from '../engines/model-handler.js';
import type { Telemetry } from '../telemetry/metrics.js';
import type { Milliseconds } from '../time.js';

/** The measurements of one model, all versions together. */
export class ModelBlocking {
  private calls = 0;
  private sum: Milliseconds = 0;
  private longest: Milliseconds = 0;

  observe(time: Milliseconds): void {
    this.calls += 1;
    this.sum += time;
    this.longest = Math.max(this.longest, time);
  }

  get total(): Blocked {
    return { calls: this.calls, seconds: this.sum / 1000, longestSeconds: this.longest / 1000 };
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
