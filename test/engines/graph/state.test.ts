/**
 * The rules of constants, variables and tables, and of the operations that read them. The run itself fills them first.
 */
import { stateRules } from '../../../src/engines/tensorflow/graph/rules/state.ts';
import type { Ref } from '../../fixtures/graph.ts';
import { between, type CaseMaker, type Generator, type Operand } from './case.ts';
import { judgeRules } from './judge.ts';

/** A variable that holds some numbers once `after` has run. */
function variable(make: CaseMaker, dims: readonly number[]): { handle: Ref; after: string[]; like: Operand } {
  const { graph, random } = make;
  const like = make.fixed(dims);
  const shape = { shape: { dim: dims.map((size) => ({ size: random.chance(0.2) ? -1 : size })) } };
  const handle = graph.first('VarHandleOp', [], { dtype: 'float32', shape });
  const assign = `Assign${graph.nodes.length}`;
  graph.add('AssignVariableOp', [handle, like], {}, { name: assign });
  return { handle, after: [assign], like };
}

const places = (make: CaseMaker, dims: readonly number[], limit: number) =>
  make.either(dims, { dtype: 'int32', value: between(0, limit - 1, true) }, 0.9);

const read: Generator = (make) => {
  const { handle, after } = variable(make, make.dims(0, 3));
  const weights = make.graph.first('ReadVariableOp', [handle], { dtype: 'float32' }, { after });
  make.outputs.push(weights, make.graph.first('Add', [weights, make.rows([])]));
};

/** A variable of the old kind, which is its own value. */
const old: Generator = (make) => {
  const { graph, op } = make;
  const like = make.fixed(make.dims(1, 2));
  const shape = { shape: { dim: like.dims.map((size) => ({ size })) } };
  const ref = graph.first(op, [], { dtype: 'float32', shape });
  const assigned = graph.first('Assign', [ref, like]);
  make.outputs.push(graph.first('Identity', [ref], {}, { after: [assigned.node] }));
};

const gather: Generator = (make) => {
  const { random, graph, op } = make;
  const dims = make.dims(1, 3);
  const { handle, after } = variable(make, dims);
  const attributes = { dtype: 'float32' as const };
  const rank = random.int(1, 2);
  const depth = random.int(1, dims.length);
  const front = make.dims(rank, rank);
  const at = random.int(0, rank - 1);
  const options = { dtype: 'int32' as const, value: between(0, Math.min(...dims) - 1, true) };
  const own = make.oneSlice(front, at);
  const indices =
    op === 'ResourceGather'
      ? places(make, front, dims[0] ?? 1)
      : random.chance(0.9)
        ? make.rows([...own, depth], at, options)
        : make.fixed([...own, depth], options);
  make.outputs.push(...graph.add(op, [handle, indices], attributes, { after }));
};

const shapeOfVariable: Generator = (make) => {
  const { handle, after } = variable(make, make.dims(0, 3));
  make.outputs.push(...make.graph.add('VariableShape', [handle], {}, { after }));
};

const lookUp: Generator = (make) => {
  const { random, graph } = make;
  const isFixed = random.chance(0.5);
  const types = { key_dtype: 'string' as const, value_dtype: 'int32' as const };
  const table = graph.first(isFixed ? 'HashTableV2' : 'MutableHashTableV2', [], types);
  const keys = graph.constant({
    dtype: 'string',
    shape: [2],
    data: ['a', 'b'].map((key) => Buffer.from(key)),
  });
  const fill = `Fill${graph.nodes.length}`;
  const put = isFixed ? 'InitializeTableV2' : 'LookupTableImportV2';
  graph.add(put, [table, keys, graph.integers([4, 5])], {}, { name: fill });
  const asked = make.either(
    make.dims(1, 3),
    { dtype: 'string', value: (each) => each.pick(['a', 'b', 'c']) },
    0.95,
  );
  const none = random.chance(0.05) ? make.rows([], 0, { dtype: 'int32' }) : graph.integers(-1);
  make.outputs.push(graph.first('LookupTableFindV2', [table, asked, none], {}, { after: [fill] }));
  if (random.chance(0.3)) make.outputs.push(graph.first('LookupTableSizeV2', [table], {}, { after: [fill] }));
};

const generators = new Map<string, Generator>([
  ['Const', (make) => void make.outputs.push(make.fixed(make.dims(0, 3)), make.numbers([1, -2], 'int64'))],
  ['VarHandleOp', read],
  ['ReadVariableOp', read],
  ['VariableV2', old],
  ['Variable', old],
  ['VariableShape', shapeOfVariable],
  ['HashTableV2', lookUp],
  ['MutableHashTableV2', lookUp],
  ['LookupTableSizeV2', lookUp],
  ['LookupTableFindV2', lookUp],
  ['ResourceGather', gather],
  ['ResourceGatherNd', gather],
  ['PlaceholderWithDefault', placeholder],
  [
    'Print',
    (make) => {
      const value = make.either(make.dims(1, 3), {}, 0.9);
      make.judge([value, value], { message: '', first_n: 0 });
    },
  ],
]);

function placeholder(make: CaseMaker): void {
  const like = make.fixed(make.dims(1, 3));
  const shape = { shape: { dim: like.dims.map((size) => ({ size })) } };
  make.outputs.push(...make.add('PlaceholderWithDefault', [like], { shape }));
}

const asState = 'makes a handle or tells of one: nothing that a request could be given';

judgeRules([...stateRules.keys(), 'LookupTableFindV2', 'ResourceGather', 'ResourceGatherNd'], generators, {
  cases: 12,
  exceptions: Object.fromEntries(
    [
      ...['HashTable', 'MutableHashTable', 'MutableDenseHashTableV2', 'MutableHashTableOfTensorsV2'],
      ...['AnonymousHashTable', 'AnonymousMutableHashTable', 'VarIsInitializedOp', 'IsVariableInitialized'],
      ...['DummySeedGenerator', 'NoOp', 'ControlTrigger', 'PrintV2'],
    ].map((op) => [op, asState]),
  ),
  neverRows: ['Const', 'VariableV2', 'Variable', 'VariableShape', 'PlaceholderWithDefault'],
});
