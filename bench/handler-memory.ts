/**
 * `make bench-handler-memory` measures the resident memory and the tensors of a server over many reloads of a handler.
 * The handler makes 4 MB of tensors when it is loaded, answers a request, and imports a file of its own.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { reportMemory } from './memory-curve.ts';
import { residentMebibytes } from './process.ts';
import { MeasuredServer } from './server.ts';

const [, reloads = '200', plot = 'build/bench/handler-memory.svg'] = process.argv.slice(2);
const model = 'handled';

const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
await mkdir(path.join(root, model));
await put(
  'handler.ts',
  `import * as tf from '@tensorflow/tfjs-node-gpu';
   import { number } from './number';
   export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
   export const load = () => ({ weights: tf.variable(tf.randomNormal([1000, 1000])), bias: tf.keep(tf.zeros([1000])) });
   export const predict = ({ x }, { loaded }) => ({ y: x.add(loaded.weights.mean()).add(loaded.bias.sum()).add(number) });`,
);
await put('number.ts', 'export const number = 0;');
const server = await MeasuredServer.start(['--model-path', root, '--settle', '0.02', '--allow-handlers']);

const curve: [reload: number, mebibytes: number][] = [[0, residentMebibytes(server.pid)]];
const tensors: number[] = [];
for (let reload = 1; reload <= Number(reloads); reload++) {
  await put('number.ts', `export const number = ${reload};`);
  await fetch(`${server.url}/update_model`, { method: 'POST' });
  await server.line(new RegExp(`^${model} version 1 generation ${reload} is unloaded$`));
  await ask(reload);
  curve.push([reload, residentMebibytes(server.pid)]);
  tensors.push(await tensorsHeld());
  if (reload % 20 === 0)
    console.log(`${reload} reloads: ${curve.at(-1)?.[1].toFixed(0)} MiB, ${tensors.at(-1)} tensors`);
}
await server.stop();
await rm(root, { recursive: true });

console.log(`tensors after the first reload and the last: ${tensors[0]}, ${tensors.at(-1)}`);
await reportMemory(curve, 'Resident memory over reloads of a handler with 4 MB of tensors', plot);

async function put(name: string, text: string): Promise<void> {
  const staged = path.join(root, `.staged-${name}`);
  await writeFile(staged, text);
  await rename(staged, path.join(root, model, name));
}

async function ask(expected: number): Promise<void> {
  const response = await fetch(`${server.url}/models/${model}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"x": 0}',
  });
  const { outputs } = (await response.json()) as { outputs?: { y: number } };
  if (Math.round(outputs?.y ?? Number.NaN) !== expected)
    throw new Error(`not the handler of reload ${expected}`);
}

async function tensorsHeld(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^tfjs_serving_tensors (\d+)$/m.exec(text)?.[1]);
}
