/**
 * The model without a server: the session in this process, with tf.js loaded, run by so many callers at once.
 *
 *   node bench/in-process.ts MODEL_FOLDER native|tfjs [INTER_THREADS INTRA_THREADS [xla] [mixed-precision]]
 *
 * For each line `CALLERS SECONDS [ROWS]` that it reads it prints one JSON line. ROWS are of one run, 1 by default.
 */
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { openRuntime } from '#dist/engines/tensorflow/open-runtime.js';
import { readSavedModel } from '#dist/engines/tensorflow/saved-model/read.js';
import { allocate } from '#dist/tensors/values.js';
import { createTensor, disposeTensors, type NamedTensors } from '#dist/tfjs/tensors.js';
import { quantile } from './statistics.ts';

const [folder = '', kind = 'native', inter, intra, ...engine] = process.argv.slice(2);

const number = (text: string | undefined) => (text === undefined || text === '' ? undefined : Number(text));
const runtime = openRuntime({
  kind: kind as 'native' | 'tfjs',
  device: 'cpu',
  runThreads: availableParallelism(),
  tensorflowLogLevel: 3,
  interThreads: number(inter),
  intraThreads: number(intra),
  xla: engine.includes('xla'),
  mixedPrecision: engine.includes('mixed-precision'),
});
const { metaGraph } = await readSavedModel(folder, ['serve']);
const model = await runtime.load(folder, metaGraph);
const signature = metaGraph.signatures.get('serving_default');
if (!signature) throw new Error('no serving_default');

function makeInputs(rows: number): NamedTensors {
  const named = new Map();
  for (const { name, dtype, shape } of signature?.inputs.values() ?? []) {
    if (dtype === 'string' || shape === null) throw new Error(`no values for ${name}`);
    const dims = shape.map((dim) => dim ?? rows);
    const count = dims.reduce((product, dim) => product * dim, 1);
    named.set(name, createTensor(dtype, dims, allocate(dtype, count).bytes));
  }
  return named;
}

async function caller(until: number, rows: number, latencies: number[]): Promise<void> {
  while (performance.now() < until) {
    const started = performance.now();
    const inputs = makeInputs(rows);
    const { outputs } = await model.predict(signature as never, [inputs]);
    disposeTensors(outputs);
    disposeTensors(inputs);
    latencies.push(performance.now() - started);
  }
}

/** @returns the milliseconds of each run */
async function runs(callers: number, seconds: number, rows: number): Promise<number[]> {
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: callers }, () => caller(until, rows, latencies)));
  return latencies;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [callers = 1, seconds = 1, rows = 1] = line.split(' ').map(Number);
  await runs(callers, seconds / 4, rows);
  const before = process.cpuUsage();
  const started = performance.now();
  const latencies = await runs(callers, seconds, rows);
  const elapsed = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  console.log(
    JSON.stringify({
      perSecond: latencies.length / elapsed,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      cpuPerRequest: (user + system) / latencies.length,
    }),
  );
}
await model.dispose();
process.exit(0);
