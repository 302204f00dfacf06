/**
 * Graphs that were made to be taken for row by row, or to keep the walk busy for ever.
 */
import { describe, expect, it } from 'vitest';
import { GraphDef } from '../../src/graph/graph-def.ts';
import { pauser } from '../../src/graph/pause.ts';
import { proveRows, type SignatureProof } from '../../src/graph/prove.ts';
import type { TensorSpec } from '../../src/runtime/signature.ts';
import { GraphBuilder, type Ref } from '../fixtures/graph.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';
import { tensor } from './case.ts';

openTestRuntime();

/** @param build makes the output of the input `x`, float32 [-1, 4] */
async function prove(build: (graph: GraphBuilder, x: Ref) => Ref): Promise<SignatureProof> {
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', [null, 4], { name: 'x' });
  const output = build(graph, x);
  const spec = (name: string, graphName: string): [string, TensorSpec] => [
    name,
    { name, dtype: 'float32', shape: [null, 4], graphName: `${graphName}:0` },
  ];
  const signature = { inputs: new Map([spec('x', 'x')]), outputs: new Map([spec('y', output.name)]) };
  return proveRows(await GraphDef.read(graph.encode(), pauser()), signature, pauser());
}

const float = (value: number) => tensor('float32', [], [value]);

/** The number of rows of a tensor. */
function rowsOf(graph: GraphBuilder, x: Ref): Ref {
  return graph.first('GatherV2', [graph.first('Shape', [x]), graph.integers(0), graph.integers(0)]);
}

describe('is not proven', () => {
  it.each<[string, (graph: GraphBuilder, x: Ref) => Ref]>([
    [
      'a sum along an axis that a truncated division gives',
      (graph, x) =>
        graph.first('Cumsum', [x, graph.first('TruncateDiv', [graph.integers(-1), graph.integers(2)])]),
    ],
    [
      'a sum along an axis that wraps around',
      (graph, x) => {
        const large = graph.integers(65536);
        return graph.first('Cumsum', [x, graph.first('Mul', [large, large])]);
      },
    ],
    [
      'a part as long as there are rows',
      (graph, x) => {
        const sizes = graph.first('Pack', [graph.integers(-1), rowsOf(graph, x)]);
        return graph.first('Slice', [x, graph.integers([0, 0]), sizes]);
      },
    ],
    [
      'what is read from an array that others write to',
      (graph, x) => {
        const [handle, flow] = graph.add('TensorArrayV3', [graph.integers(2)], { dtype: 1 }) as [Ref, Ref];
        const own = graph.first('TensorArrayWriteV3', [handle, graph.integers(1), x, flow]);
        const sums = graph.first('Cumsum', [x, graph.integers(0)]);
        graph.add('TensorArrayWriteV3', [handle, graph.integers(0), sums, flow], {}, { name: 'other' });
        const options = { after: ['other'] };
        return graph.first('TensorArrayReadV3', [handle, graph.integers(0), own], { dtype: 1 }, options);
      },
    ],
    [
      'a check that only one row passes',
      (graph, x) =>
        graph.first('EnsureShape', [x], { shape: { shape: { dim: [{ size: 1 }, { size: 4 }] } } }),
    ],
  ])('%s', async (_, build) => {
    expect((await prove(build)).verdict).toBe('unproven');
  });
});

describe('is not followed', () => {
  it('a tensor of more dims than TensorFlow has', async () => {
    const proof = await prove((graph, x) => {
      const dims = graph.integers(Array<number>(300).fill(1));
      return graph.first('AddV2', [x, graph.first('Fill', [dims, graph.constant(float(1))])]);
    });
    expect(proof).toMatchObject({ verdict: 'unproven', why: expect.stringContaining('more dims') });
  });

  it('a product of sizes that doubles sixty times', async () => {
    const proof = await prove((graph, x) => {
      let size = rowsOf(graph, x);
      for (let i = 0; i < 60; i++) size = graph.first('Mul', [size, size]);
      return graph.first('AddV2', [
        x,
        graph.first('Fill', [graph.first('Pack', [size]), graph.constant(float(1))]),
      ]);
    });
    expect(proof.verdict).toBe('unproven');
  });

  it('a function that calls itself', async () => {
    const proof = await prove((graph, x) => {
      const f = graph.function('again', (body) => {
        const value = body.parameter('float32');
        return [body.first('PartitionedCall', [value], { f: { func: { name: 'again' } }, Tout: [1] })];
      });
      return graph.first('PartitionedCall', [x], { f, Tout: [1] });
    });
    expect(proof).toMatchObject({ verdict: 'unproven', why: expect.stringContaining('called within') });
  });
});
