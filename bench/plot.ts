/** Draws plots as SVG files, for the documents. */
import { writeFile } from 'node:fs/promises';
import * as echarts from 'echarts';
import { median } from './statistics.ts';

export type PlotOptions = echarts.EChartsOption;

/** Colours that the colour-blind can tell apart (Okabe and Ito, 2008), on light and dark pages. */
const color = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

/** @param file where the SVG is written; its folder exists */
export async function writePlot(
  file: string,
  { width = 760, height = 360, ...options }: PlotOptions & { width?: number; height?: number },
): Promise<void> {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, color, backgroundColor: '#ffffff', ...options });
    await writeFile(file, `${chart.renderToSVGString()}\n`);
  } finally {
    // A chart that is not disposed keeps the process alive.
    chart.dispose();
  }
}

/** Figures by category, each measured several times. */
export interface Group {
  readonly name: string;
  readonly values: readonly (readonly number[])[];
}

/**
 * Draws groups in each category: the median as a bar beside those of the others, or as a dot above them, and a line
 * from the least to the greatest.
 *
 * @param panel is the index of the axes to draw on; the one below has categories
 */
export function grouped(
  mark: 'bar' | 'dot',
  panel: number,
  groups: readonly Group[],
): echarts.CustomSeriesOption[] {
  return groups.map(({ name, values }, group) => ({
    ...{ type: 'custom', name, xAxisIndex: panel, yAxisIndex: panel },
    encode: { x: 0, y: [1, 2, 3] },
    data: values.flatMap((each, category) =>
      each.length === 0 ? [] : [[category, median(each), Math.min(...each), Math.max(...each)]],
    ),
    renderItem: (_, api) => {
      const [layout] = (
        api.barLayout({ count: groups.length, barGap: '8%', barCategoryGap: '30%' }) ?? []
      ).slice(group);
      const category = api.value(0);
      const [x = 0, y = 0] = api.coord([category, api.value(1)]);
      const [low, high] = [2, 3].map((dim) => api.coord([category, api.value(dim)])[1] ?? 0);
      const [, base = 0] = mark === 'bar' ? api.coord([category, 0]) : [];
      const center = mark === 'bar' ? x + (layout?.offsetCenter ?? 0) : x;
      const width = layout?.width ?? 10;
      const fill = String(api.visual('color'));
      const shape =
        mark === 'bar' ? { x: center - width / 2, y, width, height: base - y } : { cx: center, cy: y, r: 4 };
      return {
        type: 'group',
        children: [
          { type: mark === 'bar' ? 'rect' : 'circle', shape, style: { fill } },
          {
            type: 'line',
            shape: { x1: center, x2: center, y1: low, y2: high },
            style: { stroke: mark === 'bar' ? '#333333' : fill, lineWidth: 1.5 },
          },
        ],
      } as echarts.CustomSeriesRenderItemReturn;
    },
  }));
}
