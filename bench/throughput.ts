/**
 * `make bench`: requests per second and latency, beside what limits them, on the same machine in the same minute.
 *
 * A round is one slice of each contestant, one after another, between two of the Koa echo; a ratio is of a slice to the
 * mean of those two, so that both meet the machine in the same mood. Figures are medians over rounds, with the least and
 * the greatest.
 *
 * The limit of a row is what these cores could do if the server itself cost nothing: cores ÷ (CPU of a run in-process +
 * CPU of the Koa echo, with the same bodies, and of its client).
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeBody } from './body.ts';
import { EchoServer } from './echo-server.ts';
import { cpuSeconds, residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { median, spread, table } from './statistics.ts';
import { type Measured, wrk } from './wrk.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: 'string', default: 'null,mlp,policy,mobilenet_v2,resnet50' },
    connections: { type: 'string', default: '1,16,64' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    /** Flags of the server, in one text. */
    serve: { type: 'string', default: '' },
    out: { type: 'string', default: 'build/bench' },
  },
});
const models = positionals[0] ?? '';
const seconds = Number(flags.seconds);
const cores = availableParallelism();

/** CPU is in seconds per request. */
interface Slice extends Measured {
  readonly serverCpu: number;
}

interface InProcess {
  readonly perSecond: number;
  readonly p50: number;
  /** Microseconds. */
  readonly cpuPerRequest: number;
}

interface Row {
  readonly model: string;
  readonly connections: number;
  /** In requests per second. */
  readonly limit: number;
  readonly ours: readonly Slice[];
  readonly koa: readonly Slice[];
  readonly node: readonly Slice[];
  readonly inProcess: readonly InProcess[];
  readonly upstream: InProcess;
  readonly residentMebibytes: number;
}

const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
const rows: Row[] = [];
for (const model of flags.models.split(',')) rows.push(...(await measureModel(model)));
await rm(folder, { recursive: true });
await mkdir(flags.out, { recursive: true });
const facts = { cpu: cpus()[0]?.model, cores, node: process.version, date: new Date().toISOString(), flags };
await writeFile(path.join(flags.out, 'throughput.json'), JSON.stringify({ facts, rows }, undefined, 1));
report();

async function measureModel(model: string): Promise<Row[]> {
  const server = await MeasuredServer.start([
    ...['--model-path', path.join(models, model)],
    ...flags.serve.split(' ').filter(Boolean),
  ]);
  const bodyFile = path.join(folder, `${model}.cbor`);
  await writeFile(bodyFile, await makeBody(server.url, model));
  const answer = await (
    await fetch(`${server.url}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor' },
      body: await readFile(bodyFile),
    })
  ).arrayBuffer();
  const echoes = {
    koa: await EchoServer.start('koa', answer.byteLength),
    node: await EchoServer.start('node', answer.byteLength),
  };
  const found: Row[] = [];
  for (const connections of flags.connections.split(',').map(Number)) {
    const slice = (url: string, pid: number) => measure({ url, pid, bodyFile, connections });
    const row = {
      ours: [] as Slice[],
      koa: [] as Slice[],
      node: [] as Slice[],
      inProcess: [] as InProcess[],
    };
    // Nobody is measured cold.
    await slice(`${server.url}/infer`, server.pid);
    row.koa.push(await slice(echoes.koa.url, echoes.koa.pid));
    for (let round = 0; round < Number(flags.rounds); round++) {
      row.ours.push(await slice(`${server.url}/infer`, server.pid));
      row.koa.push(await slice(echoes.koa.url, echoes.koa.pid));
      row.node.push(await slice(echoes.node.url, echoes.node.pid));
      if (round < 2) row.inProcess.push(inProcess(model, 'native', connections));
    }
    const upstream = inProcess(model, 'tfjs', 1);
    const run = median(row.inProcess.map(({ cpuPerRequest }) => cpuPerRequest)) / 1e6;
    const echo = median(
      row.koa.map(({ serverCpu, clientCpu, requests }) => serverCpu + clientCpu / requests),
    );
    const memory = residentMebibytes(server.pid);
    found.push({
      model,
      connections,
      ...row,
      upstream,
      limit: cores / (run + echo),
      residentMebibytes: memory,
    });
    console.log(describe(found.at(-1) as Row).join('  '));
  }
  for (const each of [server, echoes.koa, echoes.node]) await each.stop();
  return found;
}

async function measure(load: {
  url: string;
  pid: number;
  bodyFile: string;
  connections: number;
}): Promise<Slice> {
  const before = cpuSeconds(load.pid) ?? 0;
  const measured = await wrk({ ...load, seconds });
  return { ...measured, serverCpu: ((cpuSeconds(load.pid) ?? 0) - before) / measured.requests };
}

function inProcess(model: string, kind: 'native' | 'tfjs', concurrency: number): InProcess {
  const script = fileURLToPath(new URL('in-process.js', import.meta.url));
  const args = [script, path.join(models, model, '1'), kind, String(concurrency), flags.seconds];
  const output = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output);
}

/** Of each slice, over the mean of the Koa echo's before and after it. */
function overKoa(row: Row, slices: readonly Slice[]): number[] {
  return slices.map(({ perSecond }, i) => {
    const [before, after] = [row.koa[i] as Slice, row.koa[i + 1] as Slice];
    return perSecond / ((before.perSecond + after.perSecond) / 2);
  });
}

function describe(row: Row): string[] {
  const { model, connections, ours, limit, inProcess: runs, upstream } = row;
  const rate = median(ours.map(({ perSecond }) => perSecond));
  const run = median(runs.map(({ perSecond }) => perSecond));
  return [
    model,
    String(connections),
    spread(
      ours.map(({ perSecond }) => perSecond),
      0,
    ),
    spread(overKoa(row, ours)),
    median(overKoa(row, row.node)).toFixed(2),
    (rate / run).toFixed(2),
    (rate / upstream.perSecond).toFixed(2),
    (rate / limit).toFixed(2),
    spread(ours.map(({ p50 }) => p50)),
    spread(ours.map(({ p99 }) => p99)),
    spread(ours.map(({ p999 }) => p999)),
    median(ours.map(({ serverCpu }) => serverCpu * 1e6)).toFixed(0),
    String(ours.reduce((sum, { failures }) => sum + failures, 0)),
    row.residentMebibytes.toFixed(0),
  ];
}

function report(): void {
  const head = [
    ...[
      'model',
      'connections',
      'requests/s',
      '÷ Koa echo',
      'node echo ÷ Koa echo',
      '÷ in-process',
      '÷ upstream predict',
    ],
    ...['÷ limit', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs', 'failed', 'MiB'],
  ];
  console.log(`\n${table(head, rows.map(describe))}\n\n${path.join(flags.out, 'throughput.json')}`);
}
