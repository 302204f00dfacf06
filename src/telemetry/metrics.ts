/**
 * What `/metrics` shows, in the text format of Prometheus.
 *
 * Each request is one call of {@link Telemetry.observe}, which adds plain numbers. They become metrics when they are
 * scraped. prom-client hashes its labels on every call, which would be the most expensive part of a small request.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Turns } from '../flow/turns.js';
import type { Microseconds, Seconds } from '../time.js';
import type { RequestRecord } from './request-record.js';

export interface Telemetry {
  /** Called once, at the end of each request. */
  observe(record: RequestRecord): void;
  /** Adds gauges. Their values are read at each scrape. */
  gauges(name: string, help: string, read: () => Iterable<MetricValue>): void;
  /** Adds counters, which only grow. Their values are read at each scrape. */
  counters(name: string, help: string, read: () => Iterable<MetricValue>): void;
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

/** The upper bounds of the buckets in seconds, from the run of a tiny model to a hung one. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** The requests that have model, version and status in common. */
class Series {
  count = 0;
  sum = 0;
  queueMicros = 0;
  runMicros = 0;
  last = 0;
  /** The requests per bucket, not cumulated. The last bucket is for requests beyond every bound. */
  readonly buckets = new Array<number>(bounds.length + 1).fill(0);

  add({ seconds, queueMicros, runMicros }: RequestRecord): void {
    this.count += 1;
    this.sum += seconds;
    this.queueMicros += queueMicros;
    this.runMicros += runMicros;
    this.last = Date.now();
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
  }
}

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

export function createTelemetry(): Telemetry {
  const registry = new Registry();
  const readings: Readings = registry;
  collectDefaultMetrics({ register: registry });
  // These gauges have names that end in `_total`, which `promtool check metrics` refuses. The metrics without that
  // ending say the same by kind.
  for (const what of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  // The maps are nested, so that finding a series builds no key.
  const series = new Map<string, Map<number | '', Map<string, Series>>>();
  const newVersions = () => new Map<number | '', Map<string, Series>>();
  const newStatuses = () => new Map<string, Series>();
  const newSeries = () => new Series();

  register('inference_requests_total', 'Inference requests that have been answered', 'counter', () =>
    samples((labels, { count }) => [{ value: count, labels }]),
  );
  register(
    'inference_latency_seconds',
    'Seconds from the start of an inference request to the end of its answer',
    'histogram',
    () => samples(histogram),
  );

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

  function samples(each: (labels: Record<string, string | number>, series: Series) => Sample[]): Sample[] {
    const found: Sample[] = [];
    for (const [model, versions] of series) {
      for (const [version, statuses] of versions) {
        for (const [status, one] of statuses) found.push(...each({ model, version, status }, one));
      }
    }
    return found;
  }

  return {
    observe(record) {
      const { isInference, model, version, status } = record;
      if (!isInference) return;
      const versions = getOrMake(series, model, newVersions);
      getOrMake(getOrMake(versions, version, newStatuses), status, newSeries).add(record);
    },
    totalsOf: (model, version) => totals(series.get(model)?.get(version) ?? newStatuses()),
    gauges: (name, help, read) => registerValues(name, help, 'gauge', read),
    counters: (name, help, read) => registerValues(name, help, 'counter', read),
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

/** @param statuses are those of one version */
function totals(statuses: ReadonlyMap<string, Series>): RequestTotals {
  const ok = statuses.get('ok');
  let [count, seconds, last] = [0, 0, 0];
  for (const one of statuses.values()) {
    last = Math.max(last, one.last);
    if (one === ok) continue;
    count += one.count;
    seconds += one.sum;
  }
  return {
    succeeded: { count: ok?.count ?? 0, seconds: ok?.sum ?? 0 },
    failed: { count, seconds },
    queueMicros: ok?.queueMicros ?? 0,
    runMicros: ok?.runMicros ?? 0,
    last,
  };
}

function histogram(labels: Record<string, string | number>, { buckets, count, sum }: Series): Sample[] {
  let below = 0;
  const cumulative = bounds.map((le, i) => {
    below += buckets[i] as number;
    return { value: below, labels: { ...labels, le }, metricName: 'inference_latency_seconds_bucket' };
  });
  return [
    ...cumulative,
    { value: count, labels: { ...labels, le: '+Inf' }, metricName: 'inference_latency_seconds_bucket' },
    { value: sum, labels, metricName: 'inference_latency_seconds_sum' },
    { value: count, labels, metricName: 'inference_latency_seconds_count' },
  ];
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
