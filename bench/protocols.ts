/**
 * `node scripts/bench.js protocols` compares the Open Inference Protocol with CBOR, for the same sample of the same
 * model.
 *
 * A round is a slice of each protocol between two slices of CBOR. A ratio is of a slice's requests per second, or of
 * the server's CPU time for a request, to the mean of those two. Figures are medians over rounds, with the least and
 * the greatest.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeRequests, type Request } from './body.ts';
import { MeasuredServer } from './server.ts';
import { measureSlice, type Slice } from './slice.ts';
import { median, spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: 'string', default: 'mlp,policy' },
    connections: { type: 'string', default: '16,64' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    /** The protocols besides CBOR. */
    protocols: { type: 'string', default: 'oipBinary,oipJson' },
  },
});
const models = positionals[0] ?? '';
const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
const rows: string[][] = [];
for (const model of flags.models.split(',')) {
  const server = await MeasuredServer.start(['--model-path', path.join(models, model)]);
  const requests: Readonly<Record<string, Request>> = await makeRequests(server.url, model);
  for (const connections of flags.connections.split(',').map(Number)) {
    for (const protocol of flags.protocols.split(','))
      rows.push(await compare({ server, model, requests, connections, protocol }));
  }
  await server.stop();
}
await rm(folder, { recursive: true });
console.log(table(['model', 'connections', 'protocol', 'requests/s', '÷ CBOR', 'CPU ÷ CBOR'], rows));

interface Comparison {
  readonly server: MeasuredServer;
  readonly model: string;
  readonly requests: Readonly<Record<string, Request>>;
  readonly connections: number;
  readonly protocol: string;
}

async function compare(comparison: Comparison): Promise<string[]> {
  const { model, connections, protocol } = comparison;
  await slice(comparison, 'cbor');
  await slice(comparison, protocol);
  const slices: Slice[] = [];
  const [ratios, cpuRatios]: [number[], number[]] = [[], []];
  let before = await slice(comparison, 'cbor');
  for (let round = 0; round < Number(flags.rounds); round++) {
    const between = await slice(comparison, protocol);
    const after = await slice(comparison, 'cbor');
    slices.push(between);
    ratios.push((2 * between.perSecond) / (before.perSecond + after.perSecond));
    cpuRatios.push((2 * between.serverCpu) / (before.serverCpu + after.serverCpu));
    before = after;
  }
  const perSecond = median(slices.map((each) => each.perSecond)).toFixed(0);
  return [model, String(connections), protocol, perSecond, spread(ratios), spread(cpuRatios)];
}

async function slice({ server, model, requests, connections }: Comparison, protocol: string): Promise<Slice> {
  const request = requests[protocol];
  if (request === undefined) throw new Error(`there is no protocol ${protocol}`);
  const bodyFile = path.join(folder, `${model}.${protocol}`);
  await writeFile(bodyFile, request.body);
  const place = protocol === 'cbor' ? `/models/${model}/infer` : `/v2/models/${model}/infer`;
  const { headers } = request;
  const load = { url: `${server.url}${place}`, pid: server.pid, bodyFile, headers, connections };
  const measured = await measureSlice({ ...load, seconds: Number(flags.seconds) });
  if (measured.failures > 0) throw new Error(`${measured.failures} requests of ${protocol} failed`);
  return measured;
}
