/**
 * `node scripts/bench.js against --other FOLDER` compares this server with that of another installed checkout, for the
 * same bodies of the same models.
 *
 * Both servers are started several times, because the compiler and the allocator give each process its own speed. A
 * round is a slice of this server between two slices of the other. A ratio is of this slice to the mean of those two.
 * Figures are medians over all rounds of all starts, with the least and the greatest.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeBody } from './body.ts';
import { MeasuredServer } from './server.ts';
import { measureSlice, type Slice } from './slice.ts';
import { median, spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** The root of the other checkout. */
    other: { type: 'string' },
    models: { type: 'string', default: 'null,mlp,policy' },
    connections: { type: 'string', default: '1,16,64' },
    starts: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
  },
});
if (flags.other === undefined) throw new Error('--other FOLDER is missing: the checkout to compare with');
const other = path.resolve(flags.other);
const models = positionals[0] ?? '';
const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));

/** Of one model at one number of connections. */
interface Ratios {
  readonly perSecond: number[];
  readonly cpu: number[];
  readonly p50: number[];
  readonly p99: number[];
}

const rows: string[][] = [];
for (const model of flags.models.split(',')) rows.push(...(await compare(model)));
await rm(folder, { recursive: true });
const headers = [
  'model',
  'connections',
  'requests/s',
  '÷ other',
  'CPU ÷ other',
  'p50 ÷ other',
  'p99 ÷ other',
];
console.log(table(headers, rows));

async function compare(model: string): Promise<string[][]> {
  const found = new Map<number, { readonly slices: Slice[]; readonly ratios: Ratios }>();
  for (const connections of flags.connections.split(',').map(Number))
    found.set(connections, { slices: [], ratios: { perSecond: [], cpu: [], p50: [], p99: [] } });
  for (let start = 0; start < Number(flags.starts); start++) {
    const args = ['--model-path', path.join(models, model)];
    const [ours, theirs] = await Promise.all([MeasuredServer.start(args), MeasuredServer.start(args, other)]);
    const bodyFile = path.join(folder, `${model}.cbor`);
    await writeFile(bodyFile, await makeBody(ours.url, model));
    for (const [connections, { slices, ratios }] of found) {
      const slice = (server: MeasuredServer) => sliceOf(server, bodyFile, connections);
      // The first slices warm the servers up.
      await slice(ours);
      await slice(theirs);
      let before = await slice(theirs);
      for (let round = 0; round < Number(flags.rounds); round++) {
        const between = await slice(ours);
        const after = await slice(theirs);
        slices.push(between);
        add(ratios, between, [before, after]);
        before = after;
      }
    }
    await Promise.all([ours.stop(), theirs.stop()]);
  }
  return [...found].map(([connections, { slices, ratios }]) => [
    ...[model, String(connections), median(slices.map(({ perSecond }) => perSecond)).toFixed(0)],
    ...[ratios.perSecond, ratios.cpu, ratios.p50, ratios.p99].map((each) => spread(each)),
  ]);
}

async function sliceOf(server: MeasuredServer, bodyFile: string, connections: number): Promise<Slice> {
  const load = { url: `${server.url}/infer`, pid: server.pid, bodyFile, connections };
  const measured = await measureSlice({ ...load, seconds: Number(flags.seconds) });
  if (measured.failures > 0) throw new Error(`${measured.failures} requests failed`);
  return measured;
}

function add(ratios: Ratios, between: Slice, [before, after]: readonly [Slice, Slice]): void {
  const ratio = (of: (slice: Slice) => number) => (2 * of(between)) / (of(before) + of(after));
  ratios.perSecond.push(ratio(({ perSecond }) => perSecond));
  ratios.cpu.push(ratio(({ serverCpu }) => serverCpu));
  ratios.p50.push(ratio(({ p50 }) => p50));
  ratios.p99.push(ratio(({ p99 }) => p99));
}
