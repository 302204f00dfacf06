/**
 * Plots as SVG files, for the documents.
 */
import { writeFile } from 'node:fs/promises';
import * as echarts from 'echarts';

export type PlotOptions = echarts.EChartsOption;

/** Colours that stay apart for the colour-blind (Okabe and Ito, 2008), on light and dark pages. */
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
