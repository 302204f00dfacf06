/**
 * `make bench-clients` measures what a call of the TypeScript client costs beyond a bare call on a connection that is
 * kept.
 *
 * The bare call sends bytes that were encoded once and reads the answer as bytes, with `node:http` and with the `fetch`
 * that the client uses. The variants take turns, one call at a time on one connection, so that all meet the same
 * conditions. Latency is the median of a slice. CPU is that of this process, without the server's. Figures are medians
 * over rounds, with the least and the greatest.
 */
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { Client, dictToBinary, type EncodableDict, tensor } from 'tfjs-serving/client';
import { MeasuredServer } from './server.ts';
import { median, spread, table } from './statistics.ts';

const { values: flags } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '9' }, seconds: { type: 'string', default: '1' } },
});

interface Slice {
  /** The latency in milliseconds. */
  readonly latency: number;
  /** The CPU milliseconds of a call. */
  readonly cpu: number;
}

type Call = () => Promise<unknown>;

const inputs: Readonly<Record<string, EncodableDict>> = {
  half_plus_two: { x: new Float32Array(3) },
  policy: {
    state: new Float32Array(6),
    image: tensor(new Uint8Array(480 * 640 * 3), [480, 640, 3]),
  },
};

const server = await MeasuredServer.start(['--model-path', 'saved_models']);
const rows: string[][] = [];
for (const [model, values] of Object.entries(inputs)) rows.push(...(await compare(model, values)));
await server.stop();
console.log(table(['model', 'call', 'latency, ms', '× bare', 'CPU of the caller, ms', '× bare'], rows));

async function compare(model: string, values: EncodableDict): Promise<string[][]> {
  const url = `${server.url}/models/${model}/infer`;
  const body = dictToBinary(values);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const client = new Client(server.url);
  const ways: readonly (readonly [name: string, call: Call])[] = [
    ['bare, node:http', () => post(url, body, agent)],
    ['bare, fetch', () => fetchBytes(url, body)],
    ['client', () => client.infer(values, { model })],
  ];
  const slices = ways.map((): Slice[] => []);
  for (const [, call] of ways) await measure(call, Number(flags.seconds));
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const [i, [, call]] of ways.entries()) slices[i]?.push(await measure(call, Number(flags.seconds)));
  }
  agent.destroy();
  const [bare = []] = slices;
  return ways.map(([name], i) => {
    const own = slices[i] ?? [];
    const over = (what: keyof Slice) => own.map((slice, round) => slice[what] / (bare[round]?.[what] ?? 0));
    const of = (what: keyof Slice) => own.map((slice) => slice[what]);
    return [
      model,
      name,
      spread(of('latency'), 3),
      spread(over('latency')),
      spread(of('cpu'), 3),
      spread(over('cpu')),
    ];
  });
}

async function measure(call: Call, seconds: number): Promise<Slice> {
  const latencies: number[] = [];
  const before = process.cpuUsage();
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const started = performance.now();
    await call();
    latencies.push(performance.now() - started);
  }
  const { user, system } = process.cpuUsage(before);
  return { latency: median(latencies), cpu: (user + system) / 1000 / latencies.length };
}

function post(url: string, body: Uint8Array, agent: Agent): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/cbor', 'content-length': body.length };
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`HTTP ${response.statusCode}`));
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

async function fetchBytes(url: string, body: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/cbor' },
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.arrayBuffer();
}
