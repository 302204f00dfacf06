/**
 * `make bench-engine` measures what `--xla`, `--mixed-precision` and weights in int8 gain.
 *
 * It runs models in-process, one run at a time. A round is a slice of each option between two slices of the same model
 * without it. A ratio is of a slice's runs per second to the mean of those two. Another ratio is of the CPU time of a
 * run, which depends less on what else the machine does. Figures are medians over rounds, with the least and the
 * greatest.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { InProcessModel } from './in-process-model.ts';
import { residentMebibytes } from './process.ts';
import { median, spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** The models, with the rows of a run. */
    models: {
      type: 'string',
      default: 'mlp:1,mlp:32,policy:1,policy:8,mobilenet_v2:1,mobilenet_v2:8,dense:1,dense:256,elementwise:1',
    },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.5' },
    out: { type: 'string', default: 'build/bench' },
  },
});
const models = positionals[0] ?? '';
const seconds = Number(flags.seconds);

/** A variant that is compared with the model as it is. */
interface Contender {
  readonly name: string;
  readonly model: string;
  readonly options: readonly string[];
}

interface Row {
  readonly model: string;
  readonly rows: number;
  readonly contender: string;
  /** The runs per second, divided by those without the option. */
  readonly ratios: readonly number[];
  /** The CPU time of a run, divided by that without the option. */
  readonly cpuRatios: readonly number[];
  /** The milliseconds of a run without the option. */
  readonly plain: number;
  /** The seconds of the first slice, which loads, compiles and runs. */
  readonly firstSlice: number;
  /** The MiB of memory beyond those without the option. */
  readonly memory: number;
}

const measured: Row[] = [];
for (const each of flags.models.split(',')) {
  const [model = '', rows = '1'] = each.split(':');
  measured.push(...(await measure(model, Number(rows))));
}
await mkdir(flags.out, { recursive: true });
const facts = {
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  node: process.version,
  date: new Date().toISOString(),
};
const json = path.join(flags.out, 'engine-options.json');
await writeFile(json, JSON.stringify({ facts, flags, rows: measured }, undefined, 1));
console.log(
  `\n${table(
    [
      'model, rows',
      'option',
      'runs/s ÷ without',
      'CPU ÷ without',
      'a run without, ms',
      'first slice, s',
      'MiB more',
    ],
    measured.map(({ model, rows, contender, ratios, cpuRatios, plain, firstSlice, memory }) => [
      `${model}, ${rows}`,
      contender,
      spread(ratios),
      spread(cpuRatios),
      plain.toFixed(3),
      firstSlice.toFixed(1),
      memory.toFixed(0),
    ]),
  )}\n\n${json}`,
);

function open({ model, options }: Pick<Contender, 'model' | 'options'>): InProcessModel {
  return new InProcessModel(path.join(models, model, '1'), 'native', '-1', '', ...options);
}

async function measure(model: string, rows: number): Promise<Row[]> {
  const contenders: Contender[] = [
    { name: '--xla', model, options: ['xla'] },
    { name: '--mixed-precision', model, options: ['mixed-precision'] },
  ];
  if (model === 'dense') contenders.push({ name: 'int8 weights', model: 'dense_int8', options: [] });
  const plain = open({ model, options: [] });
  await plain.measure(1, seconds, rows);
  const found: Row[] = [];
  for (const contender of contenders) {
    const started = performance.now();
    const process = open(contender);
    // The first slice warms the model up.
    await process.measure(1, seconds, rows);
    const firstSlice = (performance.now() - started) / 1000;
    const ratios: number[] = [];
    const cpuRatios: number[] = [];
    const runs: number[] = [];
    let before = await plain.measure(1, seconds, rows);
    for (let round = 0; round < Number(flags.rounds); round++) {
      const between = await process.measure(1, seconds, rows);
      const after = await plain.measure(1, seconds, rows);
      ratios.push((2 * between.perSecond) / (before.perSecond + after.perSecond));
      cpuRatios.push((2 * between.cpuPerRequest) / (before.cpuPerRequest + after.cpuPerRequest));
      runs.push(1000 / after.perSecond);
      before = after;
    }
    const memory = residentMebibytes(process.pid) - residentMebibytes(plain.pid);
    await process.stop();
    const row = {
      model,
      rows,
      contender: contender.name,
      ratios,
      cpuRatios,
      plain: median(runs),
      firstSlice,
    };
    found.push({ ...row, memory });
    console.log(`${model}, ${rows} rows, ${contender.name}: ${spread(ratios)}, CPU ${spread(cpuRatios)}`);
  }
  await plain.stop();
  return found;
}
