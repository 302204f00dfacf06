/**
 * `make bench-reload-memory`: the server's resident memory over reload after reload of a 100 MB model.
 *
 * Each reload is a new version of ResNet50, dropped by a link; what is read is what the system says after the version
 * before it was unloaded.
 */
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writePlot } from './plot.ts';
import { residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { median } from './statistics.ts';

const [models = '', reloads = '200', plot = 'build/bench/reload-memory.svg', ...serverArgs] =
  process.argv.slice(2);
const model = 'resnet50';

const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
await mkdir(path.join(root, model));
await publish(1);
const server = await MeasuredServer.start(['--model-path', root, '--settle', '0.05', ...serverArgs]);
await server.line(new RegExp(`^${model} version 1 generation 1 serves$`));

const curve: [reload: number, mebibytes: number][] = [[0, residentMebibytes(server.pid)]];
for (let reload = 1; reload <= Number(reloads); reload++) {
  await publish(reload + 1);
  await server.line(new RegExp(`^${model} version ${reload} generation 1 is unloaded$`));
  await rm(path.join(root, model, String(reload)));
  curve.push([reload, residentMebibytes(server.pid)]);
  if (reload % 10 === 0) console.log(`${reload} reloads: ${curve.at(-1)?.[1].toFixed(0)} MiB`);
}
await server.stop();
await rm(root, { recursive: true });

/** The median of ten reloads from this one on: what the collector has not looked at yet comes and goes. */
const ofTenFrom = (reload: number) =>
  median(curve.slice(reload, reload + 10).map(([, mebibytes]) => mebibytes));
const last = curve.length - 1;
const ratio = ofTenFrom(last - 9) / ofTenFrom(11);
console.log(`\nreloads ${last - 9} to ${last} ÷ reloads 11 to 20: ${ratio.toFixed(3)}`);
await writePlot(plot, {
  title: { text: 'Resident memory over reloads of ResNet50 (102 MB of weights)', left: 'center' },
  grid: { left: 60, right: 30, bottom: 50 },
  xAxis: { type: 'value', name: 'reloads', nameLocation: 'middle', nameGap: 28, max: last },
  yAxis: { type: 'value', name: 'MiB', min: 0 },
  series: [{ type: 'line', data: curve, showSymbol: false }],
});
console.log(`plot: ${plot}`);

async function publish(version: number): Promise<void> {
  const staged = path.join(root, `.staged-${version}`);
  await symlink(path.resolve(models, model, '1'), staged);
  await rename(staged, path.join(root, model, String(version)));
}
