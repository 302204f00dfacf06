/** Draws the contest: a panel for each model and number of connections, with a bar for each server. */

import { writePlot } from '../plot.ts';
import { median } from '../statistics.ts';
import type { Row } from './row.ts';

const ours = '#0072b2';
const theirs = '#b8c4cc';
const panelWidth = 330;
const barHeight = 30;
const margin = { left: 290, top: 70, gap: 40, panelTop: 40, bottom: 30 };

export async function plotPeers(file: string, rows: readonly Row[]): Promise<void> {
  const models = unique(rows.map(({ model }) => model));
  const columns = Math.max(...models.map((model) => connectionsOf(model, rows).length));
  const panelHeight = Math.max(...models.map((model) => labelsOf(model, rows).length)) * barHeight;
  const panels = models.flatMap((model, row) =>
    connectionsOf(model, rows).map((connections, column) => ({
      model,
      connections,
      left: margin.left + column * (panelWidth + margin.gap),
      top: margin.top + margin.panelTop + row * (panelHeight + margin.panelTop + margin.gap),
      first: column === 0,
    })),
  );
  await writePlot(file, {
    width: margin.left + columns * (panelWidth + margin.gap),
    height: margin.top + models.length * (panelHeight + margin.panelTop + margin.gap) + margin.bottom,
    title: [
      {
        text: 'Requests per second',
        subtext: 'medians; in brackets how many times as many tfjs-serving answers beside it',
        left: 'center',
      },
      ...panels.map(({ model, connections, left, top }) => ({
        text: `${model}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
        left,
        top: top - margin.panelTop + 8,
        textStyle: { fontSize: 13 },
      })),
    ],
    grid: panels.map(({ left, top }) => ({ left, top, width: panelWidth, height: panelHeight })),
    xAxis: panels.map((panel, i) => ({
      type: 'value',
      gridIndex: i,
      // This leaves room for the text after the longest bar.
      max: Math.max(...rowsOf(panel, rows).map(rate)) * 1.45,
      axisLabel: { show: false },
      splitLine: { show: false },
    })),
    yAxis: panels.map(({ first, model }, i) => ({
      type: 'category',
      gridIndex: i,
      data: labelsOf(model, rows),
      inverse: true,
      axisTick: { show: false },
      axisLabel: { show: first, width: margin.left - 20, overflow: 'break' },
    })),
    series: panels.map((panel, i) => ({
      type: 'bar',
      xAxisIndex: i,
      yAxisIndex: i,
      barWidth: '62%',
      data: rowsOf(panel, rows).map((row) => ({
        value: [rate(row), label(row, rows)],
        itemStyle: { color: row.ratios.length === 0 ? ours : theirs },
        label: { show: true, position: 'right', formatter: caption(row) },
      })),
    })),
  });
}

function rate({ slices }: Row): number {
  return median(slices.map(({ perSecond }) => perSecond));
}

/** Writes `12,345 (× 1.84)`. */
function caption(row: Row): string {
  const value = rate(row);
  const text = value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
  if (row.ratios.length === 0) return text;
  const ratio = median(row.ratios);
  return `${text} (× ${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)})`;
}

function labelsOf(model: string, rows: readonly Row[]): string[] {
  return unique(rows.filter((row) => row.model === model).map((row) => label(row, rows)));
}

/** Names a server, with its settings only if they tell it from others. */
function label({ model, title, settings }: Row, rows: readonly Row[]): string {
  const same = rows.filter((row) => row.model === model && row.title === title);
  return unique(same.map((row) => row.settings)).length > 1 ? `${title}, ${settings}` : title;
}

function connectionsOf(model: string, rows: readonly Row[]): number[] {
  return unique(rows.filter((row) => row.model === model).map(({ connections }) => connections));
}

function rowsOf(panel: { model: string; connections: number }, rows: readonly Row[]): Row[] {
  return rows.filter((row) => row.model === panel.model && row.connections === panel.connections);
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
