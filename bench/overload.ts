/**
 * `make bench-overload` measures what the server does with more requests than it can answer.
 *
 * First it finds the peak: 64 connections ask without a pause. Then requests arrive at random times at 1, 2 and 4 times
 * that rate, and wait for nobody. Each overload is a slice between two slices of 1 ×, so that both meet the same
 * conditions. Each round finds the peak again. Figures are medians over rounds, with the least and the greatest.
 *
 * The client shares the cores with the server. A slice whose rate it missed by more than 5 % says nothing of the
 * server. It is left out, and the run fails. A level is not tried if the client alone would need half a core.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { makeBody } from './body.ts';
import type { Outcome, Plan } from './overload-client.ts';
import { forgetPeak, residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';
import { spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: 'string', default: 'mobilenet_v2,resnet50' },
    /** The multiples of the peak, besides 1. */
    levels: { type: 'string', default: '2,4' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    /**
     * The seconds that each request has: one value with which the queue overflows, and one with which time runs out
     * before.
     */
    deadlines: { type: 'string', default: '60,1' },
    seed: { type: 'string', default: '1' },
    /** Flags of the server, in one text. */
    serve: { type: 'string', default: '' },
    out: { type: 'string', default: 'build/bench' },
  },
});
const models = positionals[0] ?? '';
const seconds = Number(flags.seconds);
/** The most cores for the client alone, because the server must have the rest. */
const mostClientCpu = 0.5;

/** The result of one level in one round. */
interface Slice extends Outcome {
  /** The greatest resident memory of the server. */
  readonly mebibytes: number;
  /** The goodput divided by the peak of the round. */
  readonly overPeak: number;
  /** The goodput divided by the mean of the slices of 1 × before and after, for the other levels. */
  readonly overSingle?: number;
}

interface Level {
  readonly model: string;
  /** In seconds. */
  readonly deadline: number;
  /** The multiple of the peak. */
  readonly level: number;
  readonly slices: Slice[];
  /** The number of slices that missed their rate. */
  missed: number;
  /** Why it was not tried. */
  whyNot?: string;
}

const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
const levels: Level[] = [];
let seed = Number(flags.seed);
for (const model of flags.models.split(',')) levels.push(...(await overload(model)));
await rm(folder, { recursive: true });
await mkdir(flags.out, { recursive: true });
const facts = { cpu: cpus()[0]?.model, node: process.version, date: new Date().toISOString(), flags };
const json = path.join(flags.out, 'overload.json');
await writeFile(json, JSON.stringify({ facts, levels }, undefined, 1));
report();

async function overload(model: string): Promise<Level[]> {
  const server = await MeasuredServer.start([
    ...['--model-path', path.join(models, model)],
    ...flags.serve.split(' ').filter(Boolean),
  ]);
  try {
    const bodyFile = path.join(folder, `${model}.cbor`);
    await writeFile(bodyFile, await makeBody(server.url, model));
    const { choice, queueSize } = await batchingOf(server, model);
    console.log(`${model}: ${choice}; ${queueSize} requests may wait`);
    const served = { model, server, bodyFile, queueSize };
    // The first slice warms the server up.
    await findPeak(served);
    const found: Level[] = [];
    for (const deadline of flags.deadlines.split(','))
      found.push(...(await rounds(served, Number(deadline))));
    return found;
  } finally {
    await server.stop();
  }
}

/** A model that is served, and what is sent to it. */
interface Served {
  readonly model: string;
  readonly server: MeasuredServer;
  readonly bodyFile: string;
  readonly queueSize: number;
}

/** Finds the peak with 64 connections that ask without a pause, and have enough time. */
function findPeak({ server, bodyFile }: Served): Promise<Outcome> {
  const load = { connections: 64 };
  return runClient({ url: `${server.url}/infer`, bodyFile, load, deadline: 120, leadIn: 1, seconds });
}

async function rounds(served: Served, deadline: number): Promise<Level[]> {
  const { model } = served;
  const single: Level = { model, deadline, level: 1, slices: [], missed: 0 };
  const others = flags.levels.split(',').map((level) => ({ ...single, level: Number(level), slices: [] }));
  for (let round = 0; round < Number(flags.rounds); round++) {
    const peak = await findPeak(served);
    console.log(`${model}: peak ${peak.goodput.toFixed(0)}/s, ${peak.requests - peak.accepted} failed`);
    let before = await measure(served, peak, single);
    for (const each of others) {
      const cores = each.level * peak.goodput * peak.clientCpu;
      if (cores > mostClientCpu)
        each.whyNot = `not tried: the client alone would take ${cores.toFixed(1)} cores`;
      if (each.whyNot !== undefined) continue;
      const middle = await measure(served, peak, each);
      const after = await measure(served, peak, single);
      keep(each, { ...middle, overSingle: (2 * middle.goodput) / (before.goodput + after.goodput) });
      keep(single, before);
      before = after;
    }
    keep(single, before);
  }
  return [single, ...others];
}

async function measure(
  { server, bodyFile, queueSize }: Served,
  peak: Outcome,
  { level, deadline }: Level,
): Promise<Slice> {
  forgetPeak(server.pid);
  seed += 1;
  const load = { rate: peak.goodput * level, seed };
  // Nobody is refused before the queue is full, or its oldest requests are out of time.
  const leadIn = 1 + (level > 1 ? Math.min(queueSize / (load.rate - peak.goodput), deadline) : 0);
  const outcome = await runClient({ url: `${server.url}/infer`, bodyFile, load, deadline, leadIn, seconds });
  const mebibytes = residentMebibytes(server.pid, 'at its most');
  return { ...outcome, mebibytes, overPeak: outcome.goodput / peak.goodput };
}

/** What the server says of its batching. */
async function batchingOf(
  server: MeasuredServer,
  model: string,
): Promise<{ choice: string; queueSize: number }> {
  const { batching } = (await (await fetch(`${server.url}/models/${model}`)).json()) as {
    batching: Record<string, { choice: string; queue: { size: number } }>;
  };
  const { choice, queue } = batching['serving_default'] ?? { choice: 'unknown', queue: { size: 0 } };
  return { choice, queueSize: queue.size };
}

/** Keeps a slice if its rate was reached. Otherwise it says nothing of the server. */
function keep(level: Level, slice: Slice): void {
  if (wasOffered(slice)) {
    level.slices.push(slice);
    console.log(describe({ ...level, slices: [slice] }).join('  '));
    return;
  }
  level.missed += 1;
  process.exitCode = 1;
  const rates = `${slice.offered.toFixed(0)} of ${slice.wanted.toFixed(0)} requests/s`;
  console.log(`${level.model}  ${level.level} ×  NOT OFFERED: ${rates}`);
}

function wasOffered({ offered, wanted }: Outcome): boolean {
  return offered >= 0.95 * wanted;
}

async function runClient(plan: Plan): Promise<Outcome> {
  const script = fileURLToPath(new URL('overload-client.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(plan)]);
  return JSON.parse(stdout);
}

function describe({ model, deadline, level, slices, missed, whyNot }: Level): string[] {
  const name = [model, `${deadline} s`, `${level} ×`];
  if (whyNot !== undefined) return [...name, whyNot];
  if (slices.length === 0) return [...name, 'NOT OFFERED'];
  const of = (read: (slice: Slice) => number, digits = 2) =>
    spread(slices.map(read).filter(Number.isFinite), digits);
  const sum = (read: (slice: Slice) => number) =>
    String(slices.reduce((total, each) => total + read(each), 0));
  const share = (count: (slice: Slice) => number) => of((slice) => (100 * count(slice)) / slice.requests, 0);
  return [
    ...name,
    `${slices.length} of ${slices.length + missed}`,
    of(({ wanted }) => wanted, 0),
    of(({ offered, wanted }) => offered / wanted),
    of(({ overPeak }) => overPeak),
    level === 1 ? '' : of(({ overSingle = Number.NaN }) => overSingle),
    share(({ rejected }) => rejected),
    ...(['scheduled', 'written'] as const).flatMap((from) => [
      of(({ rejectedLatencies }) => rejectedLatencies[from].p50, 1),
      of(({ rejectedLatencies }) => rejectedLatencies[from].p99, 1),
    ]),
    of(({ acceptedLatencies }) => acceptedLatencies.scheduled.p50, 0),
    of(({ acceptedLatencies }) => acceptedLatencies.scheduled.p99, 0),
    share(({ timedOut }) => timedOut),
    sum(({ broken }) => broken),
    sum(({ failed, broken }) => failed - broken),
    of(({ lag }) => lag, 1),
    of(({ connections }) => connections, 0),
    of(({ mebibytes }) => mebibytes, 0),
  ];
}

function report(): void {
  const head = [
    ...[
      'model',
      'deadline',
      'rate ÷ peak',
      'slices offered',
      'wanted/s',
      'offered ÷ wanted',
      'goodput ÷ peak',
      '÷ that of 1 ×',
      '503 %',
    ],
    ...['503: p50 ms', 'p99 ms', 'from written: p50 ms', 'p99 ms', '200: p50 ms', 'p99 ms', '504 %'],
    ...['broken connections', 'otherwise failed', 'client late p99 ms', 'connections', 'MiB at most'],
  ];
  console.log(
    `\n${table(head, levels.map(describe))}\n\nGoodput: answers of 200 within the deadline. ${json}`,
  );
  if (process.exitCode)
    console.error('\nFAILED: the client could not offer every rate, see NOT OFFERED above');
}
