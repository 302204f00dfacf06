/** Writes the results of `throughput.ts` as a table and a plot. */
import type { InProcess } from './in-process-model.ts';
import { grouped, type PlotOptions, writePlot } from './plot.ts';
import type { Slice } from './slice.ts';
import { median, spread, table } from './statistics.ts';

/**
 * One model at one number of connections. There is a slice for each round, and one more of the Koa echo before the
 * first.
 */
export interface Row {
  readonly model: string;
  readonly connections: number;
  /** In requests per second. */
  readonly limit: number;
  readonly ours: readonly Slice[];
  readonly koa: readonly Slice[];
  readonly node: readonly Slice[];
  readonly inProcess: readonly InProcess[];
  readonly upstream: InProcess;
  readonly residentMebibytes: number;
}

/** For each slice, a figure beside the mean of the Koa echo's before and after it. */
function besideKoa<Figure>(
  { koa }: Row,
  slices: readonly Slice[],
  read: (slice: Slice) => number,
  combine: (own: number, echo: number) => Figure,
): Figure[] {
  return slices.map((slice, i) => {
    const [before, after] = [koa[i] as Slice, koa[i + 1] as Slice];
    return combine(read(slice), (read(before) + read(after)) / 2);
  });
}

const perSecond = (slice: Slice) => slice.perSecond;
const overKoa = (row: Row, slices: readonly Slice[]) =>
  besideKoa(row, slices, perSecond, (own, echo) => own / echo);
const overLimit = ({ ours, limit }: Row) => ours.map((slice) => slice.perSecond / limit);
const overInProcess = ({ ours, inProcess }: Row) => {
  const run = median(inProcess.map((each) => each.perSecond));
  return ours.map((slice) => slice.perSecond / run);
};

/** The median divided by a run and an echo one after the other, where nobody waits for anybody else. */
function overHops(row: Row): number[] {
  if (row.connections !== 1) return [];
  const run = median(row.inProcess.map(({ p50 }) => p50));
  return besideKoa(
    row,
    row.ours,
    ({ p50 }) => p50,
    (own, echo) => own / (run + echo),
  );
}

/**
 * The microseconds of the server's CPU beyond HTTP (a Koa echo's) and TensorFlow (a run in-process). It is computed
 * only for the model that does nothing, because in others it vanishes in the time of a run. Batches make runs cheaper
 * than in-process, so it can be negative.
 */
function ownCpu(row: Row): number[] {
  if (row.model !== 'null') return [];
  const run = median(row.inProcess.map(({ cpuPerRequest }) => cpuPerRequest));
  return besideKoa(
    row,
    row.ours,
    ({ serverCpu }) => serverCpu * 1e6,
    (own, echo) => own - echo - run,
  );
}

const columns: readonly (readonly [head: string, cell: (row: Row) => string])[] = [
  ['model', ({ model }) => model],
  ['connections', ({ connections }) => String(connections)],
  ['requests/s', ({ ours }) => spread(ours.map(perSecond), 0)],
  ['÷ Koa echo', (row) => spread(overKoa(row, row.ours))],
  ['node echo ÷ Koa echo', (row) => median(overKoa(row, row.node)).toFixed(2)],
  ['÷ in-process', (row) => median(overInProcess(row)).toFixed(2)],
  [
    '÷ upstream predict',
    ({ ours, upstream }) => (median(ours.map(perSecond)) / upstream.perSecond).toFixed(2),
  ],
  ['÷ limit', (row) => spread(overLimit(row))],
  ['p50 ms', ({ ours }) => spread(ours.map(({ p50 }) => p50))],
  ['p50 ÷ (in-process + Koa echo)', (row) => spread(overHops(row))],
  ['p99 ms', ({ ours }) => spread(ours.map(({ p99 }) => p99))],
  ['p99.9 ms', ({ ours }) => spread(ours.map(({ p999 }) => p999))],
  ['CPU µs', ({ ours }) => median(ours.map(({ serverCpu }) => serverCpu * 1e6)).toFixed(0)],
  ['of them own', (row) => spread(ownCpu(row), 1)],
  ['failed', ({ ours }) => String(ours.reduce((sum, { failures }) => sum + failures, 0))],
  ['MiB', (row) => row.residentMebibytes.toFixed(0)],
];

export function describe(row: Row): string[] {
  return columns.map(([, cell]) => cell(row));
}

export function tableOfThroughput(rows: readonly Row[]): string {
  return table(
    columns.map(([head]) => head),
    rows.map(describe),
  );
}

/** Draws what the server reaches of each measure above, and what a request takes below, by model and connections. */
export async function plotThroughput(file: string, rows: readonly Row[]): Promise<void> {
  const panels = [
    {
      title: 'requests/s, as a share of those of',
      groups: grouped('bar', 0, [
        { name: 'a Koa echo', values: rows.map((row) => overKoa(row, row.ours)) },
        { name: 'the limit', values: rows.map(overLimit) },
        { name: 'the model in-process', values: rows.map(overInProcess) },
      ]),
    },
    {
      title: 'latency in ms',
      groups: grouped('dot', 1, [
        { name: 'p50', values: rows.map(({ ours }) => ours.map(({ p50 }) => p50)) },
        { name: 'p99', values: rows.map(({ ours }) => ours.map(({ p99 }) => p99)) },
      ]),
    },
  ];
  const top = (i: number) => 40 + i * 350;
  await writePlot(file, {
    ...{ width: Math.max(820, 120 + 64 * rows.length), height: 720 },
    title: panels.map(({ title }, i) => ({
      ...{ text: title, left: 56, top: top(i) - 32 },
      textStyle: { fontSize: 14 },
    })),
    legend: panels.map(({ groups }, i) => ({
      ...{ top: top(i) - 32, right: 24, itemGap: 20 },
      data: groups.map(({ name }) => String(name)),
    })),
    grid: panels.map((_, i) => ({ left: 60, right: 24, top: top(i), height: 250 })),
    xAxis: panels.map((_, gridIndex) => ({
      ...{ type: 'category', gridIndex, data: rows.map((_row, i) => i) },
      axisLabel: { interval: 0, formatter: (_: string, i: number) => label(rows, i) },
    })),
    yAxis: [
      { type: 'value', gridIndex: 0, min: 0 },
      { type: 'log', gridIndex: 1, logBase: 10 },
    ],
    series: panels.flatMap(({ groups }) => groups),
  } as PlotOptions);
}

/** The connections of a row, and the model below the row in the middle. */
function label(rows: readonly Row[], i: number): string {
  const { model, connections } = rows[i] as Row;
  const first = rows.findIndex((row) => row.model === model);
  const last = rows.findLastIndex((row) => row.model === model);
  const counted = `${connections} conn.`;
  return i === Math.floor((first + last) / 2) ? `${counted}\n\n${model}` : counted;
}
