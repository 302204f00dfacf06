/**
 * What is proven of models that JAX exports, and of damaged modules: nothing is proven of those, and nothing breaks.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Dim, TensorSpec } from '../../src/engines/signature.ts';
import { GraphDef } from '../../src/engines/tensorflow/graph/graph-def.ts';
import { proveRows, type SignatureProof } from '../../src/engines/tensorflow/graph/prove.ts';
import { Malformed } from '../../src/engines/tensorflow/graph/stablehlo/cursor.ts';
import { readModule } from '../../src/engines/tensorflow/graph/stablehlo/module.ts';
import { bytesField, type Message } from '../../src/engines/tensorflow/graph/wire.ts';
import { readSavedModel } from '../../src/engines/tensorflow/saved-model/read.ts';
import { Turns } from '../../src/flow/turns.ts';
import { jaxModels } from '../fixtures/jax.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';

openTestRuntime();

async function proofOf(model: string): Promise<SignatureProof> {
  const { metaGraph } = await readSavedModel(path.join(jaxModels, model, '1'), ['serve']);
  const signature = metaGraph.signatures.get('serving_default');
  if (!signature) throw new Error(`${model} has no signature`);
  return proveRows(await graphOf(await fileOf(model)), signature, new Turns());
}

const fileOf = (model: string): Promise<Message> =>
  readFile(path.join(jaxModels, model, '1', 'saved_model.pb'));

function graphOf(file: Message): Promise<GraphDef> {
  const graph = bytesField(bytesField(file, 2) ?? file, 2);
  if (!graph) throw new Error('no graph');
  return GraphDef.read(graph, new Turns());
}

it.each([
  ...['dense', 'images', 'tokens', 'recurrent', 'per_row', 'older', 'platforms'],
  ...['graph_dense', 'graph_images', 'graph_tokens', 'graph_recurrent'],
])('%s is proven', async (model) => {
  expect(await proofOf(model)).toMatchObject({ verdict: 'proven', why: '' });
});

it.each([
  ['not_mean', 'output `y`: operation `stablehlo.reduce` takes rows together'],
  ['not_sorted', 'output `y`: operation `stablehlo.sort` orders the rows'],
  ['not_halved', 'output `y`: operation `stablehlo.reduce` takes rows together'],
  ['not_random', 'output `y`: operation `stablehlo.dynamic_iota` numbers the rows'],
  ['not_position', 'output `y`: operation `stablehlo.dynamic_iota` numbers the rows'],
  ['not_graph_mean', 'output `y`: operation `Sum` (jax2tf_not_mean_/pjit__mean_/Sum) takes rows together'],
  [
    'not_graph_sorted',
    'output `y`: operation `XlaVariadicSort` (jax2tf_not_sorted_/pjit_sort_/XlaVariadicSort) orders the rows, or may',
  ],
])('%s is not: %s', async (model, why) => {
  expect(await proofOf(model)).toMatchObject({ verdict: 'unproven', why });
});

it('an input whose rank only the module knows gets it', async () => {
  const spec = (name: string, shape: readonly Dim[] | null, graphName: string): [string, TensorSpec] => [
    name,
    { name, dtype: 'float32', shape, graphName },
  ];
  const { metaGraph } = await readSavedModel(path.join(jaxModels, 'dense', '1'), ['serve']);
  const given = metaGraph.signatures.get('serving_default');
  const names = [given?.inputs.get('x')?.graphName ?? '', given?.outputs.get('y')?.graphName ?? ''];
  const signature = {
    inputs: new Map([spec('x', null, names[0] ?? '')]),
    outputs: new Map([spec('y', null, names[1] ?? '')]),
  };
  const proof = await proveRows(await graphOf(await fileOf('dense')), signature, new Turns());
  expect([proof.verdict, proof.ranks]).toEqual(['proven', new Map([['x', 2]])]);
});

/** Where a module lies in a file, and how long it is. */
function moduleIn(file: Message): { readonly start: number; readonly length: number } {
  const start = file.indexOf(Buffer.from([0x4d, 0x4c, 0xef, 0x52]));
  // Its length is written before it, seven bits in a byte, of which the last has the high bit unset.
  const [low = 0, high = 0] = file.subarray(start - 2, start);
  return { start, length: (low & 127) + 128 * high };
}

it.each(['dense', 'older'])(
  '%s: a module that is cut off anywhere is refused',
  async (model) => {
    const file = await fileOf(model);
    const { start, length } = moduleIn(file);
    const module = file.subarray(start, start + length);
    await expect(readModule(module, new Turns())).resolves.toHaveProperty('functions');
    for (let end = 0; end < length; end++)
      await expect(readModule(module.subarray(0, end), new Turns()), `${end} bytes`).rejects.toThrow(
        Malformed,
      );
  },
  60_000,
);

it.each(['dense', 'older'])(
  '%s: whichever bit of a module is another, a verdict comes',
  async (model) => {
    const { metaGraph } = await readSavedModel(path.join(jaxModels, model, '1'), ['serve']);
    const signature = metaGraph.signatures.get('serving_default');
    if (!signature) throw new Error('no signature');
    const file = await fileOf(model);
    const { start, length } = moduleIn(file);
    const counts = { proven: 0, unproven: 0, effects: 0 };
    for (let i = 0; i < length; i++) {
      const damaged = Buffer.from(file);
      damaged[start + i] = (file[start + i] ?? 0) ^ (1 << ((7 * i) % 8));
      const { verdict } = await proveRows(await graphOf(damaged), signature, new Turns());
      counts[verdict] += 1;
    }
    // Most of a file are names and places of code, which mean nothing.
    expect(counts.unproven).toBeGreaterThan(length / 20);
    expect(counts.effects).toBe(0);
  },
  120_000,
);
