/**
 * The model without a server: the session in this process, with tf.js loaded, run by so many callers at once.
 *
 *   node in-process.js MODEL_FOLDER native|tfjs CONCURRENCY SECONDS [INTER_THREADS INTRA_THREADS]
 *
 * Prints one JSON line.
 */
import { availableParallelism } from 'node:os';
import { readSavedModel } from '#dist/repository/saved-model.js';
import { openRuntime } from '#dist/runtime/open.js';
import { createTensor, disposeTensors, type NamedTensors } from '#dist/runtime/tensors.js';
import { allocate } from '#dist/runtime/values.js';
import { quantile } from './statistics.ts';

const [folder = '', kind = 'native', concurrency = '1', seconds = '1', inter, intra] = process.argv.slice(2);

const number = (text: string | undefined) => (text === undefined || text === '' ? undefined : Number(text));
const runtime = openRuntime({
  kind: kind as 'native' | 'tfjs',
  device: 'cpu',
  runThreads: availableParallelism(),
  tensorflowLogLevel: 3,
  interThreads: number(inter),
  intraThreads: number(intra),
});
const { metaGraph } = await readSavedModel(folder, ['serve']);
const model = await runtime.load(folder, metaGraph);
const signature = metaGraph.signatures.get('serving_default');
if (!signature) throw new Error('no serving_default');

function makeInputs(): NamedTensors {
  const named = new Map();
  for (const { name, dtype, shape } of signature?.inputs.values() ?? []) {
    if (dtype === 'string' || shape === null) throw new Error(`no values for ${name}`);
    const dims = shape.map((dim) => dim ?? 1);
    const count = dims.reduce((product, dim) => product * dim, 1);
    named.set(name, createTensor(dtype, dims, allocate(dtype, count).bytes));
  }
  return named;
}

const latencies: number[] = [];
async function caller(until: number): Promise<void> {
  while (performance.now() < until) {
    const started = performance.now();
    const inputs = makeInputs();
    const { outputs } = await model.predict(signature as never, [inputs]);
    disposeTensors(outputs);
    disposeTensors(inputs);
    latencies.push(performance.now() - started);
  }
}

async function callers(duration: number): Promise<void> {
  const until = performance.now() + duration * 1000;
  await Promise.all(Array.from({ length: Number(concurrency) }, () => caller(until)));
}

await callers(0.5);
latencies.length = 0;
const before = process.cpuUsage();
const started = performance.now();
await callers(Number(seconds));
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
await model.dispose();
process.exit(0);
