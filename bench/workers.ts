/**
 * `make bench-workers` compares numbers of workers: requests per second, latency, CPU, batches and memory.
 *
 * A round is a slice of the server with so many workers between two slices of the server with one. A ratio is of the
 * slice to the mean of those two. Figures are medians over rounds, with the least and the greatest. All servers are
 * started anew several times, because the compiler and the allocator give each process its own speed.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeBody } from './body.ts';
import { residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { measureSlice, type Slice } from './slice.ts';
import { median, spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: 'string', default: 'null,mlp,policy' },
    connections: { type: 'string', default: '1,16,64' },
    workers: { type: 'string', default: '2,4' },
    starts: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
  },
});
const models = positionals[0] ?? '';
const counts = flags.workers.split(',').map(Number);
const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));

interface Measured extends Slice {
  /** Rows in a run, on average. */
  readonly batch: number;
}

/** Of one number of workers, for one model at one number of connections. */
class Cell {
  readonly slices: Measured[] = [];
  readonly perSecond: number[] = [];
  readonly p99: number[] = [];

  /** @param around are the slices of one worker before and after it */
  add(slice: Measured, around: readonly [Measured, Measured]): void {
    const ratio = (of: (slice: Slice) => number) => (2 * of(slice)) / (of(around[0]) + of(around[1]));
    this.slices.push(slice);
    this.perSecond.push(ratio(({ perSecond }) => perSecond));
    this.p99.push(ratio(({ p99 }) => p99));
  }

  get row(): string[] {
    const of = (read: (slice: Measured) => number) => median(this.slices.map(read));
    return [
      of(({ perSecond }) => perSecond).toFixed(0),
      spread(this.perSecond),
      of(({ p50 }) => p50).toFixed(2),
      of(({ p99 }) => p99).toFixed(2),
      spread(this.p99),
      (of(({ serverCpu }) => serverCpu) * 1e6).toFixed(0),
      of(({ batch }) => batch).toFixed(1),
    ];
  }
}

const rows: string[][] = [];
const memory: string[][] = [];
for (const model of flags.models.split(',')) await measureModel(model);
await rm(folder, { recursive: true });
const headers = ['model', 'connections', 'workers', 'requests/s', '÷ one worker', 'p50 ms', 'p99 ms'];
console.log(table([...headers, 'p99 ÷ one worker', 'CPU µs/request', 'rows/run'], rows));
console.log(`\n${table(['model', 'workers', 'resident MiB after the load'], memory)}`);

async function measureModel(model: string): Promise<void> {
  const cells = new Map<string, Cell>();
  const cellOf = (connections: number, workers: number) => {
    const key = `${connections} ${workers}`;
    const cell = cells.get(key) ?? new Cell();
    cells.set(key, cell);
    return cell;
  };
  const resident = new Map<number, number[]>();
  for (let start = 0; start < Number(flags.starts); start++) {
    const servers = new Map<number, MeasuredServer>();
    for (const workers of [1, ...counts])
      servers.set(
        workers,
        await MeasuredServer.start([
          ...['--model-path', path.join(models, model)],
          ...['--workers', String(workers)],
        ]),
      );
    const one = servers.get(1) as MeasuredServer;
    const bodyFile = path.join(folder, `${model}.cbor`);
    await writeFile(bodyFile, await makeBody(one.url, model));
    // Each worker has a compiler of its own, and needs requests to become fast.
    for (const [workers, server] of servers)
      for (let slice = 0; slice < 2 + workers; slice++) await measure(server, bodyFile, 64);
    for (const connections of flags.connections.split(',').map(Number)) {
      const slice = (server: MeasuredServer) => measure(server, bodyFile, connections);
      let before = await slice(one);
      for (let round = 0; round < Number(flags.rounds); round++) {
        for (const workers of counts) {
          const between = await slice(servers.get(workers) as MeasuredServer);
          const after = await slice(one);
          cellOf(connections, workers).add(between, [before, after]);
          cellOf(connections, 1).add(after, [before, after]);
          before = after;
        }
      }
    }
    for (const [workers, server] of servers) {
      resident.set(workers, [...(resident.get(workers) ?? []), residentMebibytes(server.pid)]);
      await server.stop();
    }
  }
  for (const connections of flags.connections.split(',').map(Number))
    for (const workers of [1, ...counts])
      rows.push([model, String(connections), String(workers), ...cellOf(connections, workers).row]);
  for (const [workers, seen] of resident) memory.push([model, String(workers), median(seen).toFixed(0)]);
}

async function measure(server: MeasuredServer, bodyFile: string, connections: number): Promise<Measured> {
  const before = await counters(server);
  const load = { url: `${server.url}/infer`, pid: server.pid, bodyFile, connections };
  const slice = await measureSlice({ ...load, seconds: Number(flags.seconds) });
  if (slice.failures > 0) throw new Error(`${slice.failures} requests failed`);
  const after = await counters(server);
  return { ...slice, batch: (after.rows - before.rows) / (after.runs - before.runs) };
}

async function counters({ url }: MeasuredServer): Promise<{ rows: number; runs: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return { rows: sum('tfjs_serving_rows_total'), runs: sum('tfjs_serving_runs_total') };
}
