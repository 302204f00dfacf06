/**
 * Counts the inference requests of each version, by how they ended, on all event loops together.
 *
 * A request adds plain numbers. prom-client hashes its labels on every call, which would be the most expensive part of a
 * small request.
 */
import { errorCodes } from '../errors.js';
import { type Loop, SharedNumbers } from '../flow/shared-numbers.js';
import type { Microseconds, Seconds } from '../time.js';
import { bucketOf } from './buckets.js';
import type { RequestRecord, RequestStatus } from './request-record.js';

/** The upper bounds of the buckets in seconds, from the run of a tiny model to a hung one. */
export const latencyBounds: readonly Seconds[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
];

const statuses: readonly RequestStatus[] = ['ok', ...errorCodes];
const indexOf = new Map(statuses.map((status, index) => [status, index]));

/** The columns of one status. Behind them come the buckets, with one more for requests beyond every bound. */
const [count, sum, queue, run, last, buckets] = [0, 1, 2, 3, 4, 5] as const;
const statusWidth = buckets + latencyBounds.length + 1;

/** The parts of a request that succeeded, whose times are counted apart. */
export const stages = ['decode', 'queue', 'run', 'encode'] as const;
export type Stage = (typeof stages)[number];

/** The upper bounds of the buckets of stages in seconds, from the decoder of a small body to a long wait. */
export const stageBounds: readonly Seconds[] = [
  0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** The columns of a stage, behind those of all statuses: the sum of its seconds, and its buckets. */
const stageWidth = 1 + stageBounds.length + 1;
const stagesAt = statuses.length * statusWidth;
const width = stagesAt + stages.length * stageWidth;

/** How long one stage took, for all requests of a version that succeeded. */
export interface StageSeries {
  readonly model: string;
  readonly version: number | '';
  readonly stage: Stage;
  readonly seconds: Seconds;
  /** The requests per bucket, not cumulated. */
  readonly buckets: readonly number[];
}

/** The requests that have model, version and status in common. */
export interface RequestSeries {
  readonly model: string;
  readonly version: number | '';
  readonly status: RequestStatus;
  readonly count: number;
  /** The seconds of all of them together. */
  readonly seconds: Seconds;
  readonly queueMicros: Microseconds;
  readonly runMicros: Microseconds;
  /** When the last one ended, in milliseconds since 1970. */
  readonly last: number;
  /** The requests per bucket, not cumulated. */
  readonly buckets: readonly number[];
}

/** The versions of one model that are counted, beyond those that serve. The oldest are forgotten. */
const mostVersions = 32;

export class RequestCounts {
  /** Says whether a version serves. Its counts are never forgotten. */
  isServed: (model: string, version: number) => boolean = () => false;
  // The maps are nested, so that finding the numbers builds no key.
  private readonly byModel = new Map<string, Map<number | '', SharedNumbers>>();

  constructor(private readonly loop: Loop) {}

  /** Counts a request. */
  add(record: RequestRecord): void {
    const { model, version, status, seconds, queueMicros, runMicros } = record;
    const { mine } = this.numbersOf(model, version);
    const at = (indexOf.get(status) as number) * statusWidth;
    increase(mine, at + count, 1);
    increase(mine, at + sum, seconds);
    increase(mine, at + queue, queueMicros);
    increase(mine, at + run, runMicros);
    mine[at + last] = Date.now();
    increase(mine, at + buckets + bucketOf(seconds, latencyBounds), 1);
    if (status !== 'ok') return;
    addStage(mine, 0, record.decodeMicros);
    addStage(mine, 1, queueMicros);
    addStage(mine, 2, runMicros);
    addStage(mine, 3, record.encodeMicros);
  }

  /** The memory of the numbers of a version, for {@link open} on other event loops. */
  memoryOf(model: string, version: number | ''): SharedNumbers['memory'] {
    return this.numbersOf(model, version).memory;
  }

  /** Counts the requests of a version in memory that another event loop has made. */
  open(model: string, version: number | '', memory: SharedNumbers['memory']): void {
    const versions = this.versionsOf(model);
    this.forgetOldest(model, versions);
    versions.set(version, SharedNumbers.open(memory, this.loop));
  }

  /** All requests. */
  *all(): Iterable<RequestSeries> {
    for (const model of this.byModel.keys()) yield* this.of(model);
  }

  /** The requests of one model, or of one of its versions. */
  *of(model: string, only?: number): Iterable<RequestSeries> {
    for (const [version, numbers] of this.byModel.get(model) ?? []) {
      if (only !== undefined && version !== only) continue;
      for (const status of statuses) {
        const series = read(numbers, status);
        if (series.count > 0) yield { model, version, status, ...series };
      }
    }
  }

  /** The stages of all requests that succeeded. */
  *allStages(): Iterable<StageSeries> {
    for (const [model, versions] of this.byModel) {
      for (const [version, numbers] of versions) {
        for (const [index, stage] of stages.entries()) {
          const at = stagesAt + index * stageWidth;
          const buckets = columns(numbers, at + 1, stageBounds.length + 1);
          if (buckets.some((requests) => requests > 0))
            yield { model, version, stage, seconds: numbers.total(at), buckets };
        }
      }
    }
  }

  private numbersOf(model: string, version: number | ''): SharedNumbers {
    const versions = this.versionsOf(model);
    let numbers = versions.get(version);
    if (!numbers) {
      this.forgetOldest(model, versions);
      numbers = SharedNumbers.make(this.loop, width);
      versions.set(version, numbers);
    }
    return numbers;
  }

  private forgetOldest(model: string, versions: Map<number | '', SharedNumbers>): void {
    for (const version of versions.keys()) {
      if (versions.size < mostVersions) return;
      if (version !== '' && !this.isServed(model, version)) versions.delete(version);
    }
  }

  private versionsOf(model: string): Map<number | '', SharedNumbers> {
    let versions = this.byModel.get(model);
    if (!versions) {
      versions = new Map();
      this.byModel.set(model, versions);
    }
    return versions;
  }
}

function read(
  numbers: SharedNumbers,
  status: RequestStatus,
): Omit<RequestSeries, 'model' | 'version' | 'status'> {
  const at = (indexOf.get(status) as number) * statusWidth;
  return {
    count: numbers.total(at + count),
    seconds: numbers.total(at + sum),
    queueMicros: numbers.total(at + queue),
    runMicros: numbers.total(at + run),
    last: numbers.greatest(at + last),
    buckets: columns(numbers, at + buckets, latencyBounds.length + 1),
  };
}

function columns(numbers: SharedNumbers, first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => numbers.total(first + i));
}

function increase(numbers: Float64Array, column: number, by: number): void {
  numbers[column] = (numbers[column] as number) + by;
}

function addStage(numbers: Float64Array, index: number, micros: Microseconds): void {
  const at = stagesAt + index * stageWidth;
  const seconds = micros / 1e6;
  increase(numbers, at, seconds);
  increase(numbers, at + 1 + bucketOf(seconds, stageBounds), 1);
}
