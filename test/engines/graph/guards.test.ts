/** Guards: which nodes get one, and that a graph with guards computes the same, or says what an operation needs. */
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dim } from '../../../src/engines/signature.ts';
import type { Runtime } from '../../../src/engines/tensorflow/runtime.ts';
import { makeGuardedCopy } from '../../../src/engines/tensorflow/saved-model/guarded-copy.ts';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { createTensor, disposeTensors } from '../../../src/tfjs/tensors.ts';
import { type Attributes, GraphBuilder, inSavedModel, type Ref } from '../../fixtures/graph.ts';
import { openTestRuntime, signatureOf } from '../../fixtures/runtime.ts';

const pool = { ksize: [1, 2, 2, 1], strides: [1, 2, 2, 1], padding: 'VALID' };
const images: readonly Dim[] = [null, null, null, 1];

let runtime: Runtime;

beforeAll(() => {
  runtime = openTestRuntime();
});

/** A model of one input and one output, in a folder that is gone afterwards. */
function withModel<Result>(
  shape: readonly Dim[],
  build: (graph: GraphBuilder, x: Ref) => Ref,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', shape);
  const y = build(graph, x);
  const signature = { inputs: { x: { ref: x, shape } }, outputs: { y: { ref: y, shape: null } } };
  return inSavedModel(graph.encode(), use, signature);
}

async function guardsOf(directory: string): Promise<[place: string | undefined, nodes: string[]][]> {
  const { guards } = await readSavedModel(directory, ['serve']);
  return Array.from(guards, ([place, nodes]) => [place, Array.from(nodes.values(), ({ node }) => node.name)]);
}

/** The values of the output for an image of zeros with some height and width. */
async function poolOf(directory: string, height: number, width: number): Promise<readonly number[]> {
  const { metaGraph, guards } = await readSavedModel(directory, ['serve']);
  const typesOf = runtime.takeGuards?.();
  if (!typesOf) throw new Error('the runtime takes no guards');
  const copy = await makeGuardedCopy(directory, ['serve'], guards, ({ node }) => typesOf(node.op, node));
  const model = await runtime.load(copy.directory, metaGraph, copy.remove);
  await copy.loaded();
  const x = createTensor('float32', [1, height, width, 1], new Uint8Array(4 * height * width));
  const inputs = new Map([['x', x]]);
  try {
    const { outputs } = await model.predict(signatureOf(model, 'serving_default'), [inputs]);
    const shape = outputs.get('y')?.shape ?? [];
    disposeTensors(outputs);
    return shape;
  } finally {
    disposeTensors(inputs);
    await model.dispose();
  }
}

const pooled = (attributes: Attributes) => (graph: GraphBuilder, x: Ref) =>
  graph.first('MaxPool', [graph.first('Relu', [x])], attributes, { name: 'pool' });

describe('which nodes get one', () => {
  it('an operation that ends the process where its input is too small', async () => {
    expect(await withModel(images, pooled(pool), guardsOf)).toEqual([[undefined, ['pool']]]);
  });

  it('none where the signature shows that it is large enough', async () => {
    const build = (graph: GraphBuilder, x: Ref) => graph.first('MaxPool', [x], pool);
    expect(await withModel([null, 8, 8, 1], build, guardsOf)).toEqual([]);
    expect(await withModel([null, null, 8, 1], build, guardsOf)).toHaveLength(1);
  });

  it('none where the windows need no more than there is', async () => {
    const build = (graph: GraphBuilder, x: Ref) => graph.first('MaxPool', [x], { ...pool, padding: 'SAME' });
    expect(await withModel(images, build, guardsOf)).toEqual([]);
  });

  it.each([
    ['none', [null, 8, 4, 4], [null, 8, 4, 4]],
    ['none', [null, null, 4, 4], [8, 8, 4, 4]],
    ['one', [null, null, 4, 4], [null, null, 4, 4]],
    ['one', [null, null, 4, 4], null],
  ] as const)('%s for a product of batches %j and %j', async (count, a, b) => {
    const build = (graph: GraphBuilder, x: Ref) =>
      graph.first('BatchMatMulV2', [x, graph.placeholder('float32', b)]);
    expect(await withModel(a, build, guardsOf)).toHaveLength(count === 'none' ? 0 : 1);
  });

  it.each([
    ['none', [], [null, null, null]],
    ['one', [null, null, null], [null, null, null]],
  ] as const)('%s for a choice between %j and %j', async (count, a, b) => {
    const build = (graph: GraphBuilder, x: Ref) =>
      graph.first('SelectV2', [
        graph.placeholder('bool', [null, null, null]),
        x,
        graph.placeholder('float32', b),
      ]);
    expect(await withModel(a, build, guardsOf)).toHaveLength(count === 'none' ? 0 : 1);
  });

  it('one within a function', async () => {
    const build = (graph: GraphBuilder, x: Ref) => {
      const f = graph.function('pools', (body) => [
        body.first('MaxPool', [body.parameter('float32')], pool, { name: 'inner' }),
      ]);
      return graph.first('PartitionedCall', [x], { Tout: [1], f });
    };
    expect(await withModel(images, build, guardsOf)).toEqual([['pools', ['inner']]]);
  });
});

describe('a graph with guards', () => {
  it('computes what it did, and says what the operation needs', async () => {
    await withModel(images, pooled(pool), async (directory) => {
      expect(await poolOf(directory, 4, 6)).toEqual([1, 2, 3, 1]);
      await expect(poolOf(directory, 4, 1)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(
          'operation `MaxPool` (pool) needs pictures that are as large as its window: 2 or more along dim 2 of input 0; got [1,4,1,1]',
        ),
      });
    });
  });

  it('does so within a function that is called within a function', async () => {
    const build = (graph: GraphBuilder, x: Ref) => {
      const inner = graph.function('inner', (body) => [
        body.first('MaxPool', [body.parameter('float32')], pool, { name: 'pool' }),
      ]);
      const outer = graph.function('outer', (body) => [
        body.first('StatefulPartitionedCall', [body.parameter('float32')], { Tout: [1], f: inner }),
      ]);
      return graph.first('StatefulPartitionedCall', [x], { Tout: [1], f: outer });
    };
    await withModel(images, build, async (directory) => {
      expect(await poolOf(directory, 2, 2)).toEqual([1, 1, 1, 1]);
      await expect(poolOf(directory, 2, 1)).rejects.toThrow('operation `MaxPool` (pool) needs pictures');
    });
  });

  it('leaves nothing behind, and its model as it was', async () => {
    await withModel(images, pooled(pool), async (directory) => {
      const before = await readFile(path.join(directory, 'saved_model.pb'));
      await poolOf(directory, 2, 2);
      expect(await readFile(path.join(directory, 'saved_model.pb'))).toEqual(before);
      const left = (await readdir(tmpdir())).filter((name) => /^tfjs-serving-guarded-/.test(name));
      expect(left.filter((name) => name.includes(`-${process.pid}-`))).toEqual([]);
    });
  });
});
