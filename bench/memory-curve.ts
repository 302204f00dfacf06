/** Shows the resident memory over reloads as one ratio and as a plot. */
import { writePlot } from './plot.ts';
import { median } from './statistics.ts';

/** The memory after each reload, as the system reports it. The first value is before any. */
export type MemoryCurve = [reload: number, mebibytes: number][];

/** Prints the ratio of the last ten reloads to the second ten, and writes the plot. */
export async function reportMemory(curve: MemoryCurve, title: string, plot: string): Promise<void> {
  // The median of ten reloads smooths what the garbage collector has not freed yet.
  const ofTenFrom = (reload: number) =>
    median(curve.slice(reload, reload + 10).map(([, mebibytes]) => mebibytes));
  const last = curve.length - 1;
  const ratio = ofTenFrom(last - 9) / ofTenFrom(11);
  console.log(`\nreloads ${last - 9} to ${last} ÷ reloads 11 to 20: ${ratio.toFixed(3)}`);
  await writePlot(plot, {
    title: { text: title, left: 'center' },
    grid: { left: 60, right: 30, bottom: 50 },
    xAxis: { type: 'value', name: 'reloads', nameLocation: 'middle', nameGap: 28, max: last },
    yAxis: { type: 'value', name: 'MiB', min: 0 },
    series: [{ type: 'line', data: curve, showSymbol: false }],
  });
  console.log(`plot: ${plot}`);
}
