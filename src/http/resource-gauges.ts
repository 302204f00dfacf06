/** Metrics of what the process holds: bytes, tensors, and dropped log lines. */
import type { EngineRuntime } from '../engines/engine-runtime.js';
import { packageVersion } from '../files/package-version.js';
import type { AccessLog } from '../telemetry/access-log.js';
import { droppedLogLines } from '../telemetry/logger.js';
import type { Telemetry } from '../telemetry/metrics.js';
import { tensorCount } from '../tfjs/tensors.js';
import type { ByteBudget } from './body/byte-budget.js';
import type { UnreadAnswers } from './connection/unread-answers.js';

export interface Resources {
  readonly runtime: EngineRuntime;
  readonly budget: ByteBudget;
  readonly unread: UnreadAnswers;
  readonly accessLog: AccessLog | undefined;
  /** Counts the tensors of other event loops. */
  readonly tensorsOfWorkers: () => number;
}

export function addResourceGauges(
  telemetry: Telemetry,
  { runtime, budget, unread, accessLog, tensorsOfWorkers }: Resources,
): void {
  telemetry.gauges('tfjs_serving_tensors', 'Tensors of tf.js that are not disposed', () => [
    { value: tensorCount() + tensorsOfWorkers() },
  ]);
  telemetry.gauges('tfjs_serving_inflight_bytes', 'Bytes of bodies being read or waiting', () => [
    { value: budget.reserved },
  ]);
  telemetry.gauges('tfjs_serving_unread_bytes', 'Bytes of answers that clients have not taken', () => [
    { value: unread.held },
  ]);
  telemetry.counters('tfjs_serving_log_lines_dropped_total', 'Lines of the log that nobody read', () => [
    { value: droppedLogLines() },
  ]);
  if (accessLog)
    telemetry.counters(
      'tfjs_serving_access_log_lines_dropped_total',
      'Lines of the access log that could not be written',
      () => [{ value: accessLog.dropped }],
    );
  telemetry.gauges('tfjs_serving_native', 'What the native runtime holds', () =>
    Object.entries(runtime.counters()).map(([kind, value]) => ({ value, labels: { kind } })),
  );
}

/** A gauge that is always 1. Its labels say what runs. */
export function addBuildInfo(
  telemetry: Telemetry,
  { kind, device, versions }: Pick<EngineRuntime, 'kind' | 'device' | 'versions'>,
): void {
  const labels = {
    version: packageVersion(),
    ...{ node: process.versions.node, ...versions, runtime: kind, device },
  };
  telemetry.gauges('tfjs_serving_build_info', '1, with labels that say what runs', () => [
    { value: 1, labels },
  ]);
}
