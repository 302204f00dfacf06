/**
 * The `Server-Timing` header of an inference answer: where the time of its request went, in milliseconds.
 *
 * https://www.w3.org/TR/server-timing/; browsers show it beside the request, and any client can read it.
 */
import type { RequestRecord } from '../../telemetry/request-record.js';
import type { Microseconds } from '../../time.js';

type Stages = Pick<
  RequestRecord,
  'decodeMicros' | 'queueMicros' | 'batchSize' | 'runMicros' | 'encodeMicros'
>;

/** The value of the header. */
export function serverTiming(stages: Stages): string {
  const { decodeMicros, queueMicros, batchSize, runMicros, encodeMicros } = stages;
  return [
    duration('decode', decodeMicros),
    duration('queue', queueMicros),
    `batch;desc="${batchSize}"`,
    duration('run', runMicros),
    duration('encode', encodeMicros),
  ].join(', ');
}

function duration(stage: string, micros: Microseconds): string {
  return `${stage};dur=${(micros / 1000).toFixed(3)}`;
}
