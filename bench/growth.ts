/**
 * `make bench-growth` measures how the cost of a request grows with the size of batches, the number of models, and the
 * number of connections.
 *
 * Each round measures every point of a curve once, one after another, so that all meet the same conditions. Figures are
 * medians over rounds, with the least and the greatest.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeBody } from './body.ts';
import { type Curve, type Point, plotGrowth, tableOfGrowth } from './growth-report.ts';
import { residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { measureSlice, type Slice } from './slice.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batches: { type: 'string', default: '1,2,4,8,16,32,64' },
    /** The models whose batches grow. */
    models: { type: 'string', default: 'mlp,mobilenet_v2' },
    copies: { type: 'string', default: '1,10,100' },
    connections: { type: 'string', default: '1,4,16,64,256,1000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    /** Flags of the server, in one text. */
    serve: { type: 'string', default: '' },
    out: { type: 'string', default: 'build/bench' },
  },
});
const models = positionals[0] ?? '';
const seconds = Number(flags.seconds);
const numbers = (text: string) => text.split(',').filter(Boolean).map(Number);
/** No queue may be full, because a refusal is cheaper than an answer. */
const longQueue = ['--queue-size', '4096'];

/** A server, and what it is asked. */
interface Started {
  readonly server: MeasuredServer;
  readonly bodyFile: string;
  /** The seconds from its start until it serves all of its models. */
  readonly ready: number;
}

const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
const curves: Curve[] = [];
for (const model of flags.models.split(',').filter(Boolean)) curves.push(await growBatches(model));
curves.push(...(await growCopies()), await growConnections());
await rm(folder, { recursive: true });
await mkdir(flags.out, { recursive: true });
const facts = { cpu: cpus()[0]?.model, node: process.version, date: new Date().toISOString(), flags };
const [json, plot] = ['growth.json', 'growth.svg'].map((name) => path.join(flags.out, name)) as [
  string,
  string,
];
await writeFile(json, JSON.stringify({ facts, curves }, undefined, 1));
await plotGrowth(plot, curves);
console.log(`\n${tableOfGrowth(curves)}\n\n${json}, ${plot}`);

/** Measures batches up to the largest, at 64 connections. */
async function growBatches(model: string): Promise<Curve> {
  const points: Growing[] = [];
  for (const size of numbers(flags.batches)) {
    // Without this setting, the server would use no larger size than it finds worthwhile.
    const parameters = JSON.stringify({ max_batch_size: size });
    const started = await start(path.join(models, model), model, ['--batching-parameters', parameters]);
    points.push(growing(size, started, { connections: 64 }));
  }
  return curve(`batches of ${model}`, 'largest batch', points);
}

/** Measures copies of a model in one folder, where one is asked, or all in turn. */
async function growCopies(): Promise<Curve[]> {
  const one: Growing[] = [];
  const all: Growing[] = [];
  for (const count of numbers(flags.copies)) {
    const root = path.join(folder, `copies-${count}`);
    const names = Array.from({ length: count }, (_, i) => `mlp-${i}`);
    for (const name of names) await cp(path.join(models, 'mlp'), path.join(root, name), { recursive: true });
    const started = await start(root, 'mlp-0');
    const paths = names.map((name) => `/models/${name}/infer`);
    one.push(growing(count, started, { connections: 64, paths: paths.slice(0, 1) }));
    all.push(growing(count, started, { connections: 64, paths }));
  }
  const rounds = await measure([...one, ...all]);
  return [
    { name: 'models, one asked', of: 'models', points: rounds.slice(0, one.length) },
    { name: 'models, all asked', of: 'models', points: rounds.slice(one.length) },
  ];
}

async function growConnections(): Promise<Curve> {
  const started = await start(path.join(models, 'mlp'), 'mlp');
  const points = numbers(flags.connections).map((connections) =>
    growing(connections, started, { connections }),
  );
  return curve('connections', 'connections', points);
}

async function start(modelPath: string, model: string, args: readonly string[] = []): Promise<Started> {
  const begun = performance.now();
  const server = await MeasuredServer.start([
    ...['--model-path', modelPath, ...longQueue, ...args],
    ...flags.serve.split(' ').filter(Boolean),
  ]);
  const ready = (performance.now() - begun) / 1000;
  const bodyFile = path.join(folder, `${model}.cbor`);
  await writeFile(bodyFile, await makeBody(server.url, model));
  return { server, bodyFile, ready };
}

/** A point before it is measured. */
interface Growing {
  readonly x: number;
  readonly started: Started;
  slice(): Promise<Slice>;
}

function growing(
  x: number,
  started: Started,
  load: { readonly connections: number; readonly paths?: readonly string[] },
): Growing {
  const { server, bodyFile } = started;
  const slice = () =>
    measureSlice({ url: `${server.url}/infer`, pid: server.pid, bodyFile, seconds, ...load });
  return { x, started, slice };
}

async function curve(name: string, of: string, points: readonly Growing[]): Promise<Curve> {
  return { name, of, points: await measure(points) };
}

/** Measures each point once in each round, and then stops their servers. */
async function measure(points: readonly Growing[]): Promise<Point[]> {
  const slices = points.map((): Slice[] => []);
  // The first slices warm the servers up.
  for (const { slice } of points) await slice();
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const [i, { slice }] of points.entries()) slices[i]?.push(await slice());
  }
  const measured = points.map(
    ({ x, started: { server, ready } }, i): Point => ({
      x,
      slices: slices[i] ?? [],
      ready,
      mebibytes: residentMebibytes(server.pid),
    }),
  );
  for (const server of new Set(points.map(({ started }) => started.server))) await server.stop();
  return measured;
}
