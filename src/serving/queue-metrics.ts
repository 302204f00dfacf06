/** Metrics of the queues, for each signature of each loaded version. */
import type { Telemetry } from '../telemetry/metrics.js';
import { type Batcher, batchBounds } from './queue/batcher.js';
import type { Table } from './table.js';

/** @param table returns what is served at the time of a scrape */
export function addQueueMetrics(telemetry: Telemetry, table: () => Table): void {
  const perSignature = <Value>(read: (batcher: Batcher) => Value) =>
    [...table().models.values()].flatMap(({ name: model, available }) =>
      [...available].flatMap(([version, { batchers }]) =>
        Array.from(batchers, ([{ name: signature }, batcher]) => ({
          value: read(batcher),
          labels: { model, version, signature },
        })),
      ),
    );
  telemetry.gauges('tfjs_serving_queue_length', 'Requests that wait for a run', () =>
    perSignature(({ totals }) => totals.queued),
  );
  telemetry.gauges('tfjs_serving_runs_in_flight', 'Runs under way', () =>
    perSignature(({ totals }) => totals.inFlight),
  );
  telemetry.gauges(
    'tfjs_serving_runs_stuck',
    'Runs that go on although the time of all their requests is over',
    () => perSignature(({ totals }) => totals.stuck),
  );
  telemetry.counters('tfjs_serving_runs_total', 'Runs that have begun', () =>
    perSignature(({ totals }) => totals.runs),
  );
  telemetry.counters('tfjs_serving_inline_runs_total', 'Runs made on the event loop', () =>
    perSignature(({ totals }) => totals.inlineRuns),
  );
  telemetry.counters('tfjs_serving_rows_total', 'Rows of requests that have begun to run', () =>
    perSignature(({ totals }) => totals.rows),
  );
  telemetry.counters(
    'tfjs_serving_trial_batches_total',
    'Shared runs whose requests were also run alone, and compared',
    () => perSignature(({ sharing }) => sharing.trial.checked),
  );
  telemetry.gauges(
    'tfjs_serving_sharing_ended',
    '1 where requests no longer share runs, because a shared run gave other values than a run of one request',
    () => perSignature(({ sharing }) => Number(sharing.hasDisagreed)),
  );
  telemetry.counters('tfjs_serving_padding_rows_total', 'Padding rows that were added to batches', () =>
    perSignature(({ totals }) => totals.paddingRows),
  );
  telemetry.histograms('tfjs_serving_batch_rows', 'Rows of requests in a run, without padding', () =>
    perSignature(({ batches, totals }) => ({ batches, sum: totals.rows })).map(({ labels, value }) => ({
      ...{ labels, bounds: batchBounds, buckets: value.batches, sum: value.sum },
    })),
  );
}
