/**
 * `make bench-reload-memory`: the server's resident memory over reload after reload of a 100 MB model.
 *
 * Each reload is a new version of ResNet50, dropped by a link; what is read is what the system says after the version
 * before it was unloaded.
 */
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { reportMemory } from './memory-curve.ts';
import { residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';

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

await reportMemory(curve, 'Resident memory over reloads of ResNet50 (102 MB of weights)', plot);

async function publish(version: number): Promise<void> {
  const staged = path.join(root, `.staged-${version}`);
  await symlink(path.resolve(models, model, '1'), staged);
  await rename(staged, path.join(root, model, String(version)));
}
