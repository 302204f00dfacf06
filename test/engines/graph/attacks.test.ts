/** Graphs that try to pass for row by row, or to keep the walk busy for ever. */
import { describe, expect, it } from 'vitest';
import type { TensorSpec } from '../../../src/engines/signature.ts';
import { GraphDef } from '../../../src/engines/tensorflow/graph/graph-def.ts';
import { proveRows, type SignatureProof } from '../../../src/engines/tensorflow/graph/prove.ts';
import { Turns } from '../../../src/flow/turns.ts';
import type { TensorView } from '../../../src/tfjs/tensors.ts';
import { type FunctionBuilder, GraphBuilder, type Ref, variantType } from '../../fixtures/graph.ts';
import { openTestRuntime } from '../../fixtures/runtime.ts';
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
  return proveRows(await GraphDef.read(graph.encode(), new Turns()), signature, new Turns());
}

const float = (value: number) => tensor('float32', [], [value]);

const text = (value: string): TensorView => ({ dtype: 'string', shape: [], data: [Buffer.from(value)] });

/** Of a ragged tensor, by how many slices each row has. */
function dense(
  graph: GraphBuilder,
  values: Ref,
  lengths: Ref,
  shape: readonly number[],
  none: TensorView,
): Ref {
  const ends = graph.first('Cumsum', [lengths, graph.integers(0)]);
  const splits = graph.first('ConcatV2', [graph.integers([0]), ends, graph.integers(0)]);
  const inputs = [graph.integers(shape), values, graph.constant(none), splits];
  return graph.first('RaggedTensorToTensor', inputs, { row_partition_types: ['ROW_SPLITS'] });
}

/** The number of rows of a tensor. */
function rowsOf(graph: GraphBuilder, x: Ref): Ref {
  return graph.first('GatherV2', [graph.first('Shape', [x]), graph.integers(0), graph.integers(0)]);
}

/** The numbers of the rows, `[rows, 1]`. */
function numbersOf(graph: GraphBuilder, x: Ref): Ref {
  const numbers = graph.first('Range', [graph.integers(0), rowsOf(graph, x), graph.integers(1)]);
  return graph.first('Reshape', [numbers, graph.integers([-1, 1])]);
}

/** The digits of each row's first number, split at the point: their values, and how many each row has. */
function digitsOf(graph: GraphBuilder, x: Ref): { values: Ref; lengths: Ref } {
  const first = graph.first('GatherV2', [x, graph.integers(0), graph.integers(1)]);
  const point = graph.constant({ dtype: 'string', shape: [], data: [Buffer.from('.')] });
  const [indices, values] = graph.add('StringSplitV2', [graph.first('AsString', [first]), point]) as [
    Ref,
    Ref,
  ];
  const column = [graph.integers([0, 0]), graph.integers([0, 1]), graph.integers([1, 1])];
  const masks = { begin_mask: 1, end_mask: 1, shrink_axis_mask: 2 };
  const rows = graph.first('Cast', [graph.first('StridedSlice', [indices, ...column], masks)], {
    DstT: 'int32',
  });
  const weights = graph.constant(tensor('int32', [0], []));
  return { values, lengths: graph.first('DenseBincount', [rows, rowsOf(graph, x), weights]) };
}

/** `x`, if a condition holds that does not; else less the greatest of all rows. */
function unless(graph: GraphBuilder, x: Ref, condition: Ref): Ref {
  const branch = (name: string, build: (body: FunctionBuilder, value: Ref) => Ref) =>
    graph.function(name, (body) => [build(body, body.parameter('float32'))]);
  const less = (body: FunctionBuilder, value: Ref) =>
    body.first('Sub', [value, body.first('Max', [value, body.integers([0])], { keep_dims: true })]);
  const branches = {
    then_branch: branch('same', (body, value) => body.first('Neg', [value])),
    else_branch: branch('less', less),
  };
  return graph.first('StatelessIf', [condition, x], { ...branches, Tout: [1] });
}

describe('a graph is not proven if it has', () => {
  it.each<[string, (graph: GraphBuilder, x: Ref) => Ref]>([
    [
      'what stands in each row at the place of its number',
      (graph, x) => {
        const numbers = numbersOf(graph, x);
        const places = graph.first('ConcatV2', [numbers, numbers, graph.integers(1)]);
        return graph.first('GatherNd', [graph.first('Tile', [x, graph.integers([1, 9])]), places]);
      },
    ],
    [
      'a table of numbers that is taken for a list of them',
      (graph, x) => {
        const places = graph.constant(tensor('int32', [2, 4], [0, 1, 2, 0, 1, 2, 0, 1]));
        const table = graph.first('GatherV2', [graph.integers([3, 5, 7]), places, graph.integers(0)]);
        const weighted = graph.first('Mul', [x, graph.first('Cast', [table], { DstT: 'float32' })]);
        return graph.first('Reshape', [
          weighted,
          graph.first('Pack', [rowsOf(graph, x), graph.integers(-1)]),
        ]);
      },
    ],
    [
      'as many ones and zeros for each digit as there are rows',
      (graph, x) => {
        const { values, lengths } = digitsOf(graph, x);
        const numbers = graph.first('StringToNumber', [values], { out_type: 'int32' });
        const [on, off] = [graph.constant(float(1)), graph.constant(float(0))];
        const ones = graph.first('OneHot', [numbers, rowsOf(graph, x), on, off]);
        return dense(graph, ones, lengths, [-1, 2, -1], float(0));
      },
    ],
    [
      'digits that are dealt out by bools, as if no row had two',
      (graph, x) => {
        const { values, lengths } = digitsOf(graph, x);
        const bools = graph.first('Cast', [lengths], { DstT: 'bool' });
        const ones = graph.first('Cast', [bools], { DstT: 'int32' });
        return dense(graph, values, ones, [-1, 2], text(''));
      },
    ],
    [
      'a branch that is chosen by numbers of 8 bits that wrap around',
      (graph, x) => {
        const number = (value: number) => graph.constant(tensor('int8', [], [value]));
        const sum = graph.first('AddV2', [number(100), number(100)]);
        return unless(graph, x, graph.first('Greater', [sum, number(0)]));
      },
    ],
    [
      'a branch that is chosen by a product that wraps around',
      (graph, x) => {
        const product = graph.first('Prod', [graph.integers([65536, 65536]), graph.integers(0)]);
        return unless(graph, x, graph.first('Greater', [product, graph.integers(1)]));
      },
    ],
    [
      'a branch that is chosen by a length, which is not less than 0',
      (graph, x) => {
        const length = graph.first('EuclideanNorm', [graph.integers([-1]), graph.integers(0)]);
        return unless(graph, x, graph.first('Equal', [length, graph.integers(-1)]));
      },
    ],
    [
      'a branch that is chosen by numbers that no double holds',
      (graph, x) => {
        const number = (value: bigint) =>
          graph.constant({
            dtype: 'int64',
            shape: [],
            data: new Uint8Array(new BigInt64Array([value]).buffer),
          });
        return unless(graph, x, graph.first('Equal', [number(2n ** 60n), number(2n ** 60n + 1n)]));
      },
    ],
    [
      'a branch that is chosen by whether a number equals itself',
      (graph, x) => {
        const number = graph.first('Sqrt', [graph.constant(float(-1))]);
        const numbers = graph.first('Pack', [number, number]);
        const [place, axis] = [graph.integers(0), graph.integers(0)];
        const taken = graph.first('GatherV2', [numbers, place, axis]);
        return unless(graph, x, graph.first('Equal', [taken, taken]));
      },
    ],
    [
      'a check that is only made where something holds for all rows',
      (graph, x) => {
        const check = graph.function(
          'check',
          (body) => {
            const value = body.parameter('float32');
            const small = body.first('Less', [value, body.constant(float(1))]);
            const all = body.first('All', [small, body.integers([0, 1])]);
            body.add('Assert', [all, value], {}, { name: 'assert' });
            return [all];
          },
          ['assert'],
        );
        const nothing = graph.function('nothing', (body) => {
          body.parameter('float32');
          return [body.constant({ dtype: 'bool', shape: [], data: new Uint8Array([1]) })];
        });
        const positive = graph.first('Greater', [x, graph.constant(float(0))]);
        const all = graph.first('All', [positive, graph.integers([0, 1])]);
        const branches = { then_branch: check, else_branch: nothing };
        graph.add('If', [all, x], { ...branches, Tout: [10] }, { name: 'maybe' });
        return graph.first('Neg', [x], {}, { after: ['maybe'] });
      },
    ],
    [
      'for each row, what all rows have at its places',
      (graph, x) => {
        const list = { element_dtype: 'float32' as const };
        const columns = graph.first('TensorListFromTensor', [
          graph.first('Transpose', [x, graph.integers([1, 0])]),
          graph.constant(tensor('int32', [1], [-1])),
        ]);
        const cond = graph.function('cond', (body) => {
          const [i, n] = [body.parameter('int32'), body.parameter('int32')];
          for (const type of ['float32', variantType, variantType] as const) body.parameter(type);
          return [body.first('Less', [i, n])];
        });
        const loop = graph.function('loop', (body) => {
          const [i, n, rows] = [body.parameter('int32'), body.parameter('int32'), body.parameter('float32')];
          const [given, made] = [body.parameter(variantType), body.parameter(variantType)];
          const row = body.first('GatherV2', [rows, i, body.integers(0)]);
          const places = body.first('Cast', [body.first('Relu', [row])], { DstT: 'int32' });
          const taken = body.first('TensorListGather', [given, places, body.integers([-1])], list);
          const sum = body.first('Sum', [taken, body.integers([0, 1])]);
          const next = body.first('AddV2', [i, body.integers(1)]);
          return [next, n, rows, given, body.first('TensorListSetItem', [made, i, sum])];
        });
        const rows = rowsOf(graph, x);
        const sums = graph.first('TensorListReserve', [graph.integers([]), rows], list);
        const state = [graph.integers(0), rows, x, columns, sums];
        const [, , , , done] = graph.add('StatelessWhile', state, { cond, body: loop, T: [3, 3, 1, 21, 21] });
        return graph.first('TensorListStack', [done as Ref, graph.integers([])], list);
      },
    ],
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

describe('the proof does not follow', () => {
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
