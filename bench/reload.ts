/**
 * `make bench-reload` measures what requests to a small model notice while a large one is loaded, warmed up and
 * unloaded beside it.
 *
 * Each cycle is a quiet slice and a reload of the large model, so that both meet the same conditions. Ratios are of one
 * cycle's slice to its quiet one.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Recording } from './client.ts';
import { MeasuredServer } from './server.ts';
import { quantile, spread, table } from './statistics.ts';

const [models = '', cycles = '5', connections = '16', ...serverArgs] = process.argv.slice(2);
const quietSeconds = 4;

/** CBOR `{"state": tag 40 [[6], tag 85 (float32) …]}`. */
const body = Buffer.concat([Buffer.from('a1657374617465d82882820106d8555818', 'hex'), Buffer.alloc(24, 0)]);

interface Slice {
  readonly phase: 'quiet' | 'load' | 'warm-up' | 'unload' | 'all of it';
  readonly from: number;
  readonly to: number;
}

const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
await cp(path.join(models, 'mlp'), path.join(root, 'mlp'), { recursive: true });
await mkdir(path.join(root, 'resnet50'));
const bodyFile = path.join(root, '.body.cbor');
await writeFile(bodyFile, body);
await publish(1);
const server = await MeasuredServer.start([
  '--model-path',
  root,
  '--log-level',
  'debug',
  '--settle',
  '0.2',
  ...serverArgs,
]);

const load = spawn(process.execPath, [
  fileURLToPath(new URL('client.js', import.meta.url)),
  `${server.url}/models/mlp/infer`,
  bodyFile,
  connections,
  String(Number(cycles) * 30),
]);
let output = '';
load.stdout.setEncoding('utf8').on('data', (chunk: string) => {
  output += chunk;
});

await delay(3000);
const rounds: Slice[][] = [];
for (let cycle = 0; cycle < Number(cycles); cycle++) rounds.push(await round(cycle + 2));
// The load prints when its input ends.
load.stdin.end();
await new Promise((resolve) => load.on('close', resolve));
await server.stop();
await rm(root, { recursive: true });
report(JSON.parse(output));

async function publish(version: number): Promise<void> {
  const staged = path.join(root, `.staged-${version}`);
  await cp(path.join(models, 'resnet50', '1'), staged, { recursive: true });
  await rename(staged, path.join(root, 'resnet50', String(version)));
}

async function round(version: number): Promise<Slice[]> {
  const staged = path.join(root, '.staged');
  await cp(path.join(models, 'resnet50', '1'), staged, { recursive: true });
  await delay(1000);
  const quiet = Date.now();
  await delay(quietSeconds * 1000);
  const drop = Date.now();
  await rename(staged, path.join(root, 'resnet50', String(version)));
  const name = `resnet50 version ${version}`;
  const loading = await server.line(new RegExp(`^loading ${name}$`));
  const warming = await server.line(new RegExp(`^warming up ${name}$`));
  const swapped = await server.line(new RegExp(`^${name} generation 1 serves$`));
  const unloaded = await server.line(
    new RegExp(`^resnet50 version ${version - 1} generation 1 is unloaded$`),
  );
  await rm(path.join(root, 'resnet50', String(version - 1)), { recursive: true });
  return [
    { phase: 'quiet', from: quiet, to: drop },
    { phase: 'load', from: loading.time, to: warming.time },
    { phase: 'warm-up', from: warming.time, to: swapped.time },
    { phase: 'unload', from: swapped.time, to: unloaded.time },
    { phase: 'all of it', from: loading.time, to: unloaded.time },
  ];
}

function report({ ends, latencies, failures }: Recording): void {
  const measured = rounds.map((slices) =>
    slices.map(({ phase, from, to }) => {
      const inside = latencies.filter((latency, i) => {
        const end = ends[i] as number;
        return end > from && end - latency < to;
      });
      const finished = ends.filter((end) => end > from && end <= to).length;
      return {
        phase,
        seconds: (to - from) / 1000,
        p99: quantile(inside, 0.99),
        rate: finished / ((to - from) / 1000),
      };
    }),
  );
  const phases = ['quiet', 'load', 'warm-up', 'unload', 'all of it'] as const;
  const rows = phases.map((phase, i) => {
    const of = (read: (slice: (typeof measured)[0][0]) => number) =>
      measured.map((slices) => read(slices[i] as never));
    const against = (read: (slice: (typeof measured)[0][0]) => number) =>
      measured.map((slices) => read(slices[i] as never) / read(slices[0] as never));
    return [
      phase,
      spread(of(({ seconds }) => seconds)),
      spread(of(({ p99 }) => p99)),
      spread(against(({ p99 }) => p99)),
      spread(
        of(({ rate }) => rate),
        0,
      ),
      spread(against(({ rate }) => rate)),
    ];
  });
  console.log(
    `mlp at ${connections} connections while ResNet50 is reloaded, ${cycles} cycles; median (least–greatest)\n`,
  );
  console.log(table(['phase', 'seconds', 'p99 ms', '÷ quiet', 'requests/s', '÷ quiet'], rows));
  console.log(`\n${latencies.length} requests, ${failures} failed`);
}
