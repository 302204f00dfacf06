/**
 * `make bench-reload-memory` measures the resident memory of a server over many reloads, of a model of 200 MB and one
 * of 1 GB.
 *
 * Each reload is a new version of the model, dropped in as a link. The memory is what the system says: before the
 * version is dropped, at the most until the one before it is unloaded, once it serves beside that one, and after the
 * unload.
 */
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type MemoryCurve, reportMemory } from './memory-curve.ts';
import { forgetPeak, residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** The models, with the number of reloads. */
    models: { type: 'string', default: 'resnet50:200,gigabyte:10' },
    /** Flags of the server, in one text. */
    serve: { type: 'string', default: '' },
    out: { type: 'string', default: 'build/bench' },
  },
});
const models = positionals[0] ?? '';
/** With so many reloads or more, there is a plot, and the last ten are compared with the second ten. */
const many = 30;

/** The MiB of one reload. */
interface Reload {
  readonly before: number;
  readonly most: number;
  readonly both: number;
  readonly after: number;
}

await mkdir(flags.out, { recursive: true });
for (const each of flags.models.split(',')) {
  const [model = '', reloads = '10'] = each.split(':');
  await measure(model, Number(reloads));
}

async function measure(model: string, count: number): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
  await mkdir(path.join(root, model));
  await publish(root, model, 1);
  const server = await MeasuredServer.start([
    ...['--model-path', root, '--settle', '0.05'],
    ...flags.serve.split(' ').filter(Boolean),
  ]);
  await server.line(new RegExp(`^${model} version 1 generation 1 serves`));
  const reloads: Reload[] = [];
  for (let version = 2; version <= count + 1; version++) {
    const before = residentMebibytes(server.pid);
    forgetPeak(server.pid);
    await publish(root, model, version);
    await server.line(new RegExp(`^${model} version ${version} generation 1 serves`));
    const both = residentMebibytes(server.pid);
    await server.line(new RegExp(`^${model} version ${version - 1} generation 1 is unloaded$`));
    const after = residentMebibytes(server.pid);
    const most = residentMebibytes(server.pid, 'at its most');
    await rm(path.join(root, model, String(version - 1)));
    reloads.push({ before, most, both, after });
    if (reloads.length % 10 === 0)
      console.log(`${model}, ${reloads.length} reloads: ${after.toFixed(0)} MiB`);
  }
  await server.stop();
  await rm(root, { recursive: true });
  await report(model, reloads);
}

async function publish(root: string, model: string, version: number): Promise<void> {
  const staged = path.join(root, `.staged-${version}`);
  await symlink(path.resolve(models, model, '1'), staged);
  await rename(staged, path.join(root, model, String(version)));
}

async function report(model: string, reloads: readonly Reload[]): Promise<void> {
  const row = (name: string, of: (reload: Reload) => number) => [
    name,
    spread(reloads.map(of), 0),
    of(reloads.at(-1) as Reload).toFixed(0),
  ];
  const rows = [
    row('before the load', ({ before }) => before),
    row('at the most', ({ most }) => most),
    row('both versions there', ({ both }) => both),
    row('after the unload', ({ after }) => after),
    row('after ÷ before, %', ({ before, after }) => (100 * after) / before),
  ];
  console.log(`\n${table([`${model}, MiB over ${reloads.length} reloads`, 'median', 'the last'], rows)}\n`);
  if (reloads.length < many) return;
  const curve: MemoryCurve = reloads.map(({ after }, i) => [i + 1, after]);
  const plot = path.join(flags.out, `reload-memory-${model}.svg`);
  await reportMemory(
    [[0, reloads[0]?.before ?? 0], ...curve],
    `Resident memory over reloads of ${model}`,
    plot,
  );
}
