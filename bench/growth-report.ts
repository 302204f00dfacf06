/** Writes the results of `growth.ts` as a table and a plot. */
import { type PlotOptions, writePlot } from './plot.ts';
import type { Slice } from './slice.ts';
import { median, spread, table } from './statistics.ts';

export interface Point {
  readonly x: number;
  readonly slices: readonly Slice[];
  /** The seconds from the server's start until it served all of its models. */
  readonly ready: number;
  /** The resident memory after the load. */
  readonly mebibytes: number;
}

export interface Curve {
  readonly name: string;
  /** What `x` counts. */
  readonly of: string;
  readonly points: readonly Point[];
}

export function tableOfGrowth(curves: readonly Curve[]): string {
  const head = ['curve', 'at', 'requests/s', 'CPU µs', 'p50 ms', 'p99 ms', 'failed', 'ready s', 'MiB'];
  const rows = curves.flatMap(({ name, of, points }) =>
    points.map(({ x, slices, ready, mebibytes }) => {
      const over = (read: (slice: Slice) => number, digits: number) => spread(slices.map(read), digits);
      return [
        name,
        `${x} ${of}`,
        over(({ perSecond }) => perSecond, 0),
        over(({ serverCpu }) => serverCpu * 1e6, 0),
        over(({ p50 }) => p50, 2),
        over(({ p99 }) => p99, 2),
        String(slices.reduce((sum, { failures }) => sum + failures, 0)),
        ready.toFixed(1),
        mebibytes.toFixed(0),
      ];
    }),
  );
  return table(head, rows);
}

interface Line {
  readonly name: string;
  readonly data: readonly (readonly [x: number, y: number])[];
}

interface Panel {
  readonly title: string;
  readonly x: string;
  readonly lines: readonly Line[];
}

const rate = ({ slices }: Point) => median(slices.map(({ perSecond }) => perSecond));
const cpu = ({ slices }: Point) => median(slices.map(({ serverCpu }) => serverCpu));

/**
 * Draws the curves. Every value but the latency is relative to the first point of its curve, so that models of all
 * sizes share an axis.
 */
export async function plotGrowth(file: string, curves: readonly Curve[]): Promise<void> {
  const relative = (name: string, { points }: Curve, read: (point: Point) => number): Line => {
    const [first] = points;
    return { name, data: points.map((point) => [point.x, read(point) / (first ? read(first) : 1)]) };
  };
  const milliseconds = (name: string, { points }: Curve, read: (slice: Slice) => number): Line => ({
    name,
    data: points.map(({ x, slices }) => [x, median(slices.map(read))]),
  });
  const batches = curves.filter(({ of }) => of === 'largest batch');
  const copies = curves.filter(({ of }) => of === 'models');
  const connections = curves.filter(({ of }) => of === 'connections');
  const after = (text: string, { name }: Curve) => name.slice(text.length);
  const panels: Panel[] = [
    {
      title: 'requests/s ÷ those in batches of 1',
      x: 'largest batch',
      lines: batches.map((curve) => relative(after('batches of ', curve), curve, rate)),
    },
    {
      title: 'requests/s ÷ those with one model',
      x: 'models',
      lines: copies.map((curve) => relative(after('models, ', curve), curve, rate)),
    },
    {
      title: 'requests/s ÷ those of one connection',
      x: 'connections',
      lines: connections.map((curve) => relative('mlp', curve, rate)),
    },
    {
      title: 'CPU of a request ÷ that in batches of 1',
      x: 'largest batch',
      lines: batches.map((curve) => relative(after('batches of ', curve), curve, cpu)),
    },
    {
      title: 'cost ÷ that of one model',
      x: 'models',
      lines: copies
        .slice(0, 1)
        .flatMap((curve) => [
          relative('time until ready', curve, ({ ready }) => ready),
          relative('memory', curve, ({ mebibytes }) => mebibytes),
          relative('CPU of a request', curve, cpu),
        ]),
    },
    {
      title: 'latency, ms',
      x: 'connections',
      lines: connections.flatMap((curve) => [
        milliseconds('p50', curve, ({ p50 }) => p50),
        milliseconds('p99', curve, ({ p99 }) => p99),
      ]),
    },
  ];
  await writePlot(file, { width: 1080, height: 640, ...layOut(panels) });
}

/** Two rows of three panels, with a logarithmic axis below. Each line is named at its end. */
function layOut(panels: readonly Panel[]): PlotOptions {
  const place = (i: number) => ({ left: 50 + (i % 3) * 350, top: 50 + Math.floor(i / 3) * 310 });
  return {
    title: panels.map(({ title: text }, i) => ({
      text,
      textStyle: { fontSize: 13 },
      left: place(i).left - 10,
      top: place(i).top - 40,
    })),
    grid: panels.map((_, i) => ({ ...place(i), width: 210, height: 210 })),
    xAxis: panels.map(({ x: name }, gridIndex) => ({
      ...{ type: 'log', logBase: 2, gridIndex, name, nameLocation: 'middle', nameGap: 26 },
      ...{ axisLabel: { hideOverlap: true }, splitLine: { show: false } },
    })),
    yAxis: panels.map(({ title }, gridIndex) => ({
      ...(title.startsWith('latency') ? { type: 'log', logBase: 10 } : { type: 'value', min: 0 }),
      gridIndex,
    })),
    series: panels.flatMap(({ lines }, i) =>
      lines.map(({ name, data }) => ({
        ...{ type: 'line' as const, xAxisIndex: i, yAxisIndex: i, name, symbolSize: 5 },
        data: data.map(([x, y]) => [x, y]),
        endLabel: { show: true, formatter: '{a}', fontSize: 11 },
        labelLayout: { moveOverlap: 'shiftY' as const },
      })),
    ),
  } as PlotOptions;
}
