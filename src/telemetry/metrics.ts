/**
 * What `/metrics` shows, in the text format of Prometheus.
 *
 * Each request is one call of {@link Telemetry.observe}. What it counts becomes metrics when they are scraped.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Loop, onlyLoop } from '../flow/shared-numbers.js';
import { Turns } from '../flow/turns.js';
import type { Microseconds, Seconds } from '../time.js';
import {
  latencyBounds,
  RequestCounts,
  type RequestSeries,
  type Stage,
  stageBounds,
  stages,
} from './request-counts.js';
import type { RequestRecord } from './request-record.js';

export interface Telemetry {
  /** What {@link observe} has counted. */
  readonly requests: RequestCounts;
  /** Called once, at the end of each request. */
  observe(record: RequestRecord): void;
  /** Adds gauges. Their values are read at each scrape. */
  gauges(name: string, help: string, read: () => Iterable<MetricValue>): void;
  /** Adds counters, which only grow. Their values are read at each scrape. */
  counters(name: string, help: string, read: () => Iterable<MetricValue>): void;
  /** Adds histograms. Their values are read at each scrape. */
  histograms(name: string, help: string, read: () => Iterable<Histogram>): void;
  /** The totals of all inference requests that a version has answered or failed. */
  totalsOf(model: string, version: number): RequestTotals;
  /** The whole text of `/metrics`. It is made in pieces, because there may be hundreds of models. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** The requests of one version since the process began. */
export interface RequestTotals {
  readonly succeeded: Count;
  readonly failed: Count;
  /** The microseconds in the queue of those that succeeded. */
  readonly queueMicros: Microseconds;
  readonly runMicros: Microseconds;
  /** When the last one ended, in milliseconds since 1970; 0 if there was none. */
  readonly last: number;
}

interface Count {
  readonly count: number;
  /** The seconds of all requests together. */
  readonly seconds: Seconds;
}

export interface MetricValue {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string | number>>;
}

/** The values of a histogram, for one set of labels. */
export interface Histogram {
  readonly labels: Readonly<Record<string, string | number>>;
  /** The upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[];
  /** The number of values in each bucket, not cumulated, with one more for those beyond every bound. */
  readonly buckets: readonly number[];
  /** All values together. */
  readonly sum: number;
}

const stageHelp: Readonly<Record<Stage, string>> = {
  decode: 'Seconds from the body of a request to its tensors',
  queue: 'Seconds of a request in the queue',
  run: 'Seconds of the run that a request was in',
  encode: 'Seconds from the outputs of a request to its answer',
};

/** What prom-client asks a metric for at a scrape. */
interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** What the registry needs of a metric. Its typings ask for a class of the library, whose values are set one by one. */
interface Readings {
  registerMetric(metric: { get(): Promise<unknown> }): void;
}

/** @param loop is the one on which requests are observed and metrics are read */
export function createTelemetry(loop: Loop = onlyLoop): Telemetry {
  const registry = new Registry();
  const readings: Readings = registry;
  collectDefaultMetrics({ register: registry });
  // These gauges have names that end in `_total`, which `promtool check metrics` refuses. The metrics without that
  // ending say the same by kind.
  for (const what of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  const requests = new RequestCounts(loop);

  register('inference_requests_total', 'Inference requests that have been answered', 'counter', () =>
    Array.from(requests.all(), ({ model, version, status, count }) => ({
      value: count,
      labels: { model, version, status },
    })),
  );
  register(
    'inference_latency_seconds',
    'Seconds from the start of an inference request to the end of its answer',
    'histogram',
    () =>
      [...requests.all()].flatMap(({ model, version, status, ...values }) =>
        samplesOf('inference_latency_seconds', {
          ...{ ...values, sum: values.seconds, bounds: latencyBounds },
          labels: { model, version, status },
        }),
      ),
  );
  for (const stage of stages) {
    const name = `tfjs_serving_${stage}_seconds`;
    register(name, stageHelp[stage], 'histogram', () =>
      [...requests.allStages()]
        .filter((series) => series.stage === stage)
        .flatMap(({ model, version, seconds, buckets }) =>
          samplesOf(name, { buckets, sum: seconds, bounds: stageBounds, labels: { model, version } }),
        ),
    );
  }

  function register(name: string, help: string, type: string, read: () => Sample[]): void {
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: async () => ({ name, help, type, aggregator: 'sum', values: read() }),
    };
    readings.registerMetric(metric);
  }

  function registerValues(name: string, help: string, type: string, read: () => Iterable<MetricValue>): void {
    register(name, help, type, () => Array.from(read(), ({ value, labels = {} }) => ({ value, labels })));
  }

  return {
    requests,
    observe(record) {
      if (record.isInference) requests.add(record);
    },
    totalsOf: (model, version) => totals([...requests.of(model, version)]),
    gauges: (name, help, read) => registerValues(name, help, 'gauge', read),
    counters: (name, help, read) => registerValues(name, help, 'counter', read),
    histograms: (name, help, read) =>
      register(name, help, 'histogram', () => Array.from(read(), (each) => samplesOf(name, each)).flat()),
    render: async () => {
      const turns = new Turns('in its turn');
      const texts: string[] = [];
      for (const { name } of registry.getMetricsAsArray()) {
        await turns.pause();
        texts.push(await registry.getSingleMetricAsString(name));
      }
      return `${texts.join('\n\n')}\n`;
    },
    contentType: registry.contentType,
  };
}

/** @param series are those of one version */
function totals(series: readonly RequestSeries[]): RequestTotals {
  const ok = series.find(({ status }) => status === 'ok');
  let [count, seconds, last] = [0, 0, 0];
  for (const one of series) {
    last = Math.max(last, one.last);
    if (one === ok) continue;
    count += one.count;
    seconds += one.seconds;
  }
  return {
    succeeded: { count: ok?.count ?? 0, seconds: ok?.seconds ?? 0 },
    failed: { count, seconds },
    queueMicros: ok?.queueMicros ?? 0,
    runMicros: ok?.runMicros ?? 0,
    last,
  };
}

function samplesOf(name: string, { labels, bounds, buckets, sum }: Histogram): Sample[] {
  let below = 0;
  const cumulative = [...bounds, '+Inf'].map((le, i) => {
    below += buckets[i] as number;
    return { value: below, labels: { ...labels, le }, metricName: `${name}_bucket` };
  });
  return [
    ...cumulative,
    { value: sum, labels, metricName: `${name}_sum` },
    { value: below, labels, metricName: `${name}_count` },
  ];
}
