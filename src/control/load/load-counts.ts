/** Counts the loads of each model by how they ended, and how long they took. */
import type { ErrorCode } from '../../errors.js';
import { bucketOf } from '../../telemetry/buckets.js';
import type { Telemetry } from '../../telemetry/metrics.js';
import type { Seconds } from '../../time.js';

/** The upper bounds of the buckets in seconds, from a tiny model to one that hangs. */
const bounds: readonly Seconds[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

interface Loads {
  readonly model: string;
  readonly result: ErrorCode | 'ok';
  seconds: Seconds;
  readonly buckets: number[];
}

export class LoadCounts {
  private readonly all = new Map<string, Loads>();

  /** @param result is `ok`, or the code of the failure */
  add(model: string, result: ErrorCode | 'ok', seconds: Seconds): void {
    const key = `${result} ${model}`;
    let loads = this.all.get(key);
    if (!loads) {
      loads = { model, result, seconds: 0, buckets: new Array<number>(bounds.length + 1).fill(0) };
      this.all.set(key, loads);
    }
    loads.seconds += seconds;
    const bucket = bucketOf(seconds, bounds);
    loads.buckets[bucket] = (loads.buckets[bucket] as number) + 1;
  }

  addMetrics(telemetry: Telemetry): void {
    telemetry.histograms(
      'tfjs_serving_load_seconds',
      'Seconds of a load, from its files to a warm version, by how it ended',
      () =>
        Array.from(this.all.values(), ({ model, result, seconds, buckets }) => ({
          ...{ bounds, buckets, sum: seconds },
          labels: { model, result },
        })),
    );
  }
}
