/**
 * What is proven of whole signatures, for graphs made by hand: hidden effects, ranks that only the graph knows, unknown
 * operations, and large constants.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dim, TensorSpec } from '../../../src/engines/signature.ts';
import { GraphDef } from '../../../src/engines/tensorflow/graph/graph-def.ts';
import { proveRows, type SignatureProof } from '../../../src/engines/tensorflow/graph/prove.ts';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { Turns } from '../../../src/flow/turns.ts';
import { GraphBuilder, inSavedModel, type Ref } from '../../fixtures/graph.ts';
import { openTestRuntime } from '../../fixtures/runtime.ts';
import { tensor } from './case.ts';

beforeAll(() => {
  openTestRuntime();
});

interface Made {
  readonly graph: GraphBuilder;
  readonly x: Ref;
  readonly shape: readonly Dim[] | null;
}

/** A graph with the input `x`. */
function begin(shape: readonly Dim[] | null = [null, 3]): Made {
  const graph = new GraphBuilder();
  return { graph, x: graph.placeholder('float32', shape, { name: 'x' }), shape };
}

async function prove({ graph, shape }: Made, output: Ref): Promise<SignatureProof> {
  const spec = (name: string, graphName: string): [string, TensorSpec] => [
    name,
    { name, dtype: 'float32', shape, graphName: `${graphName}:0` },
  ];
  const signature = { inputs: new Map([spec('x', 'x')]), outputs: new Map([spec('y', output.name)]) };
  return proveRows(await GraphDef.read(graph.encode(), new Turns()), signature, new Turns());
}

function counter(graph: GraphBuilder): Ref {
  return graph.first('VarHandleOp', [], { dtype: 'float32', shape: { shape: { dim: [] } } });
}

const one = tensor('float32', [], [1]);

describe('effects', () => {
  it('through a control input', async () => {
    const made = begin();
    const { graph, x } = made;
    graph.add('AssignAddVariableOp', [counter(graph), graph.constant(one)], {}, { name: 'count' });
    const proof = await prove(made, graph.first('Identity', [x], {}, { after: ['count'] }));
    expect(proof).toMatchObject({ verdict: 'effects', writes: true });
    expect(proof.why).toContain('`AssignAddVariableOp`');
  });

  it('through a control output of a function', async () => {
    const made = begin();
    const { graph, x } = made;
    const f = graph.function(
      'count',
      (body) => {
        const [value, handle] = [body.parameter('float32'), body.parameter(20)];
        body.add('AssignAddVariableOp', [handle, body.constant(one)], {}, { name: 'write' });
        return [value];
      },
      ['write'],
    );
    const output = graph.first('StatefulPartitionedCall', [x, counter(graph)], { f, Tout: [1] });
    expect(await prove(made, output)).toMatchObject({ verdict: 'effects', writes: true });
  });

  it('in a function that a function calls, in a branch', async () => {
    const made = begin();
    const { graph, x } = made;
    graph.function('inner', (body) => {
      const value = body.parameter('float32');
      const noise = body.first('RandomUniform', [body.first('Shape', [value])], { dtype: 'float32' });
      return [body.first('Add', [value, noise])];
    });
    const same = graph.function('same', (body) => [body.parameter('float32')]);
    const outer = graph.function('outer', (body) => {
      const value = body.parameter('float32');
      return [body.first('PartitionedCall', [value], { f: { func: { name: 'inner' } }, Tout: [1] })];
    });
    const condition = graph.integers(0, 'bool');
    const output = graph.first('If', [condition, x], { then_branch: outer, else_branch: same, Tout: [1] });
    const proof = await prove(made, output);
    expect(proof).toMatchObject({ verdict: 'effects', writes: false, continues: false });
    expect(proof.why).toContain('`RandomUniform`');
  });

  it.each([['seed'], ['seed2']])('of random numbers that go on from the run before (%s)', async (seed) => {
    const made = begin();
    const { graph, x } = made;
    const noise = graph.first('RandomUniform', [graph.first('Shape', [x])], { dtype: 'float32', [seed]: 7 });
    const proof = await prove(made, graph.first('Add', [x, noise]));
    expect(proof).toMatchObject({ verdict: 'effects', writes: false, continues: true });
    expect(proof.why).toContain('from a seed');
  });

  it('that no run of the signature has are none', async () => {
    const made = begin();
    const { graph, x } = made;
    graph.add('AssignAddVariableOp', [counter(graph), graph.constant(one)]);
    const proof = await prove(made, graph.first('Relu', [x]));
    expect(proof).toMatchObject({ verdict: 'proven', why: '' });
    expect(proof.operations).toEqual(new Set(['Placeholder', 'Relu']));
  });
});

describe('an unknown rank', () => {
  it('is the one that the first consumers need', async () => {
    const made = begin(null);
    const { graph, x } = made;
    const weights = graph.constant(tensor('float32', [3, 2], [1, 2, 3, 4, 5, 6]));
    const proof = await prove(made, graph.first('MatMul', [graph.first('Relu', [x]), weights]));
    expect(proof.ranks).toEqual(new Map([['x', 2]]));
    expect(proof.verdict).toBe('proven');
  });

  it('stays unknown where nothing needs one', async () => {
    const made = begin(null);
    const proof = await prove(made, made.graph.first('Relu', [made.x]));
    expect(proof.ranks.size).toBe(0);
    expect(proof.verdict).toBe('unproven');
  });

  it('is told as the shape of the input when the SavedModel is read', async () => {
    const { graph, x } = begin(null);
    const weights = graph.constant(tensor('float32', [3, 2], [1, 2, 3, 4, 5, 6]));
    const y = graph.first('MatMul', [x, weights]);
    const signature = {
      inputs: { x: { ref: x, shape: null } },
      outputs: { y: { ref: y, shape: [null, 2] } },
    };
    const read = (directory: string) => readSavedModel(directory, ['serve']);
    const { metaGraph } = await inSavedModel(graph.encode(), read, signature);
    const { inputs, rows } = metaGraph.signatures.get('serving_default') ?? {};
    expect(inputs?.get('x')?.shape).toEqual([null, null]);
    expect(rows?.verdict).toBe('proven');
  });
});

describe('an operation that nobody knows', () => {
  const unheard = (graph: GraphBuilder, input: string): Ref => {
    graph.nodes.push({ name: 'strange', op: 'Unheard', input: [input], attr: [] });
    return { node: 'strange', name: 'strange', type: 1 };
  };

  it('may mix rows', async () => {
    const made = begin();
    const proof = await prove(made, unheard(made.graph, made.x.name));
    expect(proof.verdict).toBe('unproven');
    expect(proof.why).toContain('`Unheard` (strange)');
  });

  it('may give something else each time, whatever it is given', async () => {
    const made = begin();
    const { graph, x } = made;
    const output = graph.first('Add', [x, unheard(graph, graph.constant(one).name)]);
    expect((await prove(made, output)).verdict).toBe('unproven');
  });

  it('does no harm where the signature does not need it', async () => {
    const made = begin();
    unheard(made.graph, made.x.name);
    expect((await prove(made, made.graph.first('Neg', [made.x]))).verdict).toBe('proven');
  });
});

describe('checks', () => {
  /** An output that is given only if a condition holds. */
  const checked = ({ graph, x }: Made, condition: Ref): Ref => {
    const told = graph.constant(tensor('string', [], ['wrong']));
    graph.add('Assert', [condition, told], {}, { name: 'check' });
    return graph.first('Identity', [x], {}, { after: ['check'] });
  };

  it('of each row stand in nobody’s way', async () => {
    const made = begin();
    const { graph, x } = made;
    const each = graph.first('Less', [x, graph.constant(tensor('float32', [], [9]))]);
    const output = checked(made, graph.first('All', [each, graph.integers([0, 1])]));
    expect((await prove(made, output)).verdict).toBe('proven');
  });

  it('of all rows together do', async () => {
    const made = begin();
    const { graph, x } = made;
    const sum = graph.first('Sum', [x, graph.integers([0, 1])]);
    const output = checked(made, graph.first('Less', [sum, graph.constant(tensor('float32', [], [9]))]));
    const proof = await prove(made, output);
    expect(proof.verdict).toBe('unproven');
    expect(proof.why).toContain('`Sum`');
  });
});

/** What was needed to make a graph must not go while memory is looked at. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

it('a constant of 200 MB is not copied', async () => {
  const megabyte = 2 ** 20;
  const rows = 50 * megabyte;
  const { graph, x } = begin([null]);
  const table = graph.constant({ dtype: 'float32', shape: [rows], data: new Uint8Array(4 * rows) });
  const places = graph.first('Cast', [x], { DstT: 'int32' });
  const y = graph.first('GatherV2', [table, places, graph.integers(0)]);
  const bytes = graph.encode();
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  collectGarbage();
  const before = used();
  const graphDef = await GraphDef.read(bytes, new Turns());
  const spec = (name: string, graphName: string): TensorSpec => ({
    name,
    dtype: 'float32',
    shape: [null],
    graphName,
  });
  const inputs = new Map([['x', spec('x', 'x:0')]]);
  const outputs = new Map([['y', spec('y', `${y.name}:0`)]]);
  const proof = await proveRows(graphDef, { inputs, outputs }, new Turns());
  expect(proof.verdict).toBe('proven');
  expect(bytes.length).toBeGreaterThan(200 * megabyte);
  expect((used() - before) / megabyte).toBeLessThan(50);
});
