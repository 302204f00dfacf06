/**
 * What `/metrics` shows, in Prometheus' text format.
 *
 * Requests are counted in plain numbers, one call of {@link Telemetry.observe} each, and turned into metrics when they
 * are scraped: prom-client hashes its labels on every call, which would be the dearest part of a small request.
 */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { Turns } from '../flow/turns.js';

/** One finished request, however it ended and wherever it was refused. */
export interface RequestRecord {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  /** The address that it came from. */
  readonly peer: string;
  /** Which key it came with; empty for none. */
  readonly principal: string;
  /** It asked for a prediction. */
  readonly isInference: boolean;
  /** Empty where the request named no model that exists. */
  readonly model: string;
  /** Empty where no version answered. */
  readonly version: number | '';
  /** `ok`, or the error's code. */
  readonly status: string;
  /** Of the body as it was read, and of the answer's. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Microseconds in the queue and in the run. */
  readonly queueMicros: number;
  readonly runMicros: number;
  /** From the first byte of the head to the last of the answer. */
  readonly seconds: number;
}

/** A record that says nothing yet. */
export const blankRecord: RequestRecord = {
  method: '',
  path: '',
  requestId: '',
  peer: '',
  principal: '',
  isInference: false,
  model: '',
  version: '',
  status: '',
  bytesIn: 0,
  bytesOut: 0,
  queueMicros: 0,
  runMicros: 0,
  seconds: 0,
};

export interface Telemetry {
  /** Called once at the end of each request. */
  observe(record: RequestRecord): void;
  /** Adds numbers that are read when they are asked for. */
  gauges(name: string, help: string, read: () => Iterable<MetricValue>): void;
  /** As {@link gauges}, for numbers that only grow. */
  counters(name: string, help: string, read: () => Iterable<MetricValue>): void;
  /** Of all inference requests that a version has answered or failed. */
  totalsOf(model: string, version: number): RequestTotals;
  /** The whole of `/metrics`, made in pieces: there may be hundreds of models. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** Requests of one version, since the process began. */
export interface RequestTotals {
  readonly succeeded: Count;
  readonly failed: Count;
  /** Of those that succeeded. */
  readonly queueMicros: number;
  readonly runMicros: number;
  /** When the last one ended, in milliseconds since 1970; 0 if there was none. */
  readonly last: number;
}

interface Count {
  readonly count: number;
  /** Of all together. */
  readonly seconds: number;
}

export interface MetricValue {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string | number>>;
}

/** Upper bounds in seconds, from a tiny model's run to a hung one. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** The requests that share model, version and status. */
class Series {
  count = 0;
  sum = 0;
  queueMicros = 0;
  runMicros = 0;
  last = 0;
  /** Requests per bucket, not yet added up; the last is for those beyond every bound. */
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

/** What prom-client asks of a metric when it is scraped. */
interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

export function createTelemetry(): Telemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges, which names in `_total` are not: `promtool check metrics` refuses them. Those without the ending say the same by kind.
  for (const what of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  // Nested maps, so that finding a series builds no key.
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
    // The registry calls nothing but `get`; its typings ask for one of the library's own classes.
    registry.registerMetric(metric as unknown as Metric);
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

/** @param statuses of one version */
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
