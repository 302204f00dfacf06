/**
 * `make bench` measures requests per second and latency, beside what limits them, on the same machine in the same
 * minute.
 *
 * A round is one slice of each contestant, one after another, between two slices of the Koa echo. A ratio is of a slice
 * to the mean of those two, so that both meet the same conditions. Figures are medians over rounds, with the least and
 * the greatest.
 *
 * The limit of a row is what these cores could do if the server itself cost nothing: cores ÷ (CPU of a run in-process +
 * CPU of the Koa echo, with the same bodies, and of its client).
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeBody } from './body.ts';
import { EchoServer } from './echo-server.ts';
import { type InProcess, InProcessModel } from './in-process-model.ts';
import { residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { measureSlice, type Slice } from './slice.ts';
import { median } from './statistics.ts';
import { describe, plotThroughput, type Row, tableOfThroughput } from './throughput-report.ts';

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

const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
const rows: Row[] = [];
for (const model of flags.models.split(',')) rows.push(...(await measureModel(model)));
await rm(folder, { recursive: true });
await mkdir(flags.out, { recursive: true });
const facts = { cpu: cpus()[0]?.model, cores, node: process.version, date: new Date().toISOString(), flags };
const [json, plot] = ['throughput.json', 'throughput.svg'].map((name) => path.join(flags.out, name)) as [
  string,
  string,
];
await writeFile(json, JSON.stringify({ facts, rows }, undefined, 1));
await plotThroughput(plot, rows);
console.log(`\n${tableOfThroughput(rows)}\n\n${json}, ${plot}`);

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
  // It runs one request at a time, however many wait.
  const upstreamModel = new InProcessModel(path.join(models, model, '1'), 'tfjs');
  const upstream = await upstreamModel.measure(1, seconds);
  await upstreamModel.stop();
  const inProcess = new InProcessModel(path.join(models, model, '1'), 'native');
  const found: Row[] = [];
  for (const connections of flags.connections.split(',').map(Number)) {
    const slice = (url: string, pid: number) => measureSlice({ url, pid, bodyFile, connections, seconds });
    const row = {
      ours: [] as Slice[],
      koa: [] as Slice[],
      node: [] as Slice[],
      inProcess: [] as InProcess[],
    };
    // The first slice warms the server up.
    await slice(`${server.url}/infer`, server.pid);
    row.koa.push(await slice(echoes.koa.url, echoes.koa.pid));
    for (let round = 0; round < Number(flags.rounds); round++) {
      row.ours.push(await slice(`${server.url}/infer`, server.pid));
      row.koa.push(await slice(echoes.koa.url, echoes.koa.pid));
      row.node.push(await slice(echoes.node.url, echoes.node.pid));
      if (round < 2) row.inProcess.push(await inProcess.measure(connections, seconds));
    }
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
  for (const each of [server, echoes.koa, echoes.node, inProcess]) await each.stop();
  return found;
}
