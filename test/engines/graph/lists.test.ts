/** The rules of lists, and of operations that call functions, loop and choose, in graphs in which they make sense. */
import { listRulesTable } from '../../../src/engines/tensorflow/graph/rules/lists.ts';
import { type FunctionBuilder, type Ref, variantType } from '../../fixtures/graph.ts';
import type { AttributeMessage } from '../../fixtures/graph-proto.ts';
import type { CaseMaker, Generator, Operand } from './case.ts';
import { judgeRules } from './judge.ts';

const anyShape = (nodes: CaseMaker['graph'] | FunctionBuilder) => nodes.integers(-1);

function call(make: CaseMaker, build: (body: FunctionBuilder) => Ref[]): AttributeMessage {
  const { graph } = make;
  return graph.function(`f${graph.functionCount}`, build);
}

/** `[turn, list of what comes in, list of what goes out, state]` → the next ones, one step of time at a time. */
function stepsOf(make: CaseMaker, steps: number, inner: number) {
  const cond = call(make, (body) => {
    const [turn] = [
      body.parameter('int32'),
      ...[variantType, variantType, 1].map((type) => body.parameter(type)),
    ];
    return [body.first('Less', [turn as Ref, body.integers(steps)])];
  });
  const keepsAll = make.random.chance(0.9);
  const body = call(make, (nodes) => {
    const [turn, given, made, state] = ['int32' as const, variantType, variantType, 1].map((type) =>
      nodes.parameter(type),
    ) as [Ref, Ref, Ref, Ref];
    const step = nodes.first('TensorListGetItem', [given, turn, nodes.integers([-1, inner])], {
      element_dtype: 'float32',
    });
    const sum = nodes.first('Add', [step, state]);
    const mean = nodes.first('Mean', [sum, nodes.integers([keepsAll ? 1 : 0])], { keep_dims: true });
    const next = nodes.first('Tanh', [nodes.first('Sub', [sum, mean])]);
    const kept = nodes.first('TensorListSetItem', [made, turn, next]);
    return [nodes.first('Add', [turn, nodes.integers(1)]), given, kept, next];
  });
  return { cond, body };
}

/** A recurrent layer: rows are kept apart, time is walked through. */
const overTime: Generator = (make) => {
  const { random, graph } = make;
  const [steps, inner] = [random.int(1, 4), random.int(1, 3)];
  const byTime = random.chance(0.85) ? make.rows([steps, 1, inner], 1) : make.rows([1, steps, inner], 0);
  const given = graph.first('TensorListFromTensor', [byTime, graph.integers([-1, inner])]);
  const made = graph.first('TensorListReserve', [graph.integers([-1, inner]), graph.integers(steps)], {
    element_dtype: 'float32',
  });
  const zeros = graph.first('Fill', [
    graph.first('Pack', [make.rowCount(byTime), graph.integers(inner)]),
    make.fixed([]),
  ]);
  const { cond, body } = stepsOf(make, steps, inner);
  const [, , list, state] = graph.add(
    random.pick(['While', 'StatelessWhile']),
    [graph.integers(0), given, made, zeros],
    {
      cond,
      body,
    },
  ) as [Ref, Ref, Ref, Ref];
  const stacked = graph.first('TensorListStack', [list, graph.integers([-1, inner])], {
    element_dtype: 'float32',
    num_elements: random.pick([-1, steps]),
  });
  make.outputs.push(stacked, state, graph.first('Transpose', [stacked, graph.integers([1, 0, 2])]));
};

/** tf.map_fn: a turn for each row; sometimes one that looks at another row, or hands something on. */
const overRows: Generator = (make) => {
  const { random, graph } = make;
  const inner = random.int(1, 3);
  const rows = make.rows([1, inner]);
  const mistake = random.chance(0.4) ? random.pick(['first row', 'next row', 'state', 'turn']) : '';
  const count = random.chance(0.95) ? make.rowCount(rows) : graph.integers(make.batch);
  const cond = call(make, (body) => {
    const [turn, , , , limit] = parametersOf(body);
    return [body.first('Less', [turn, limit])];
  });
  const body = call(make, (nodes) => {
    const [turn, given, made, state, limit] = parametersOf(nodes);
    const next = nodes.first('Add', [turn, nodes.integers(1)]);
    const place = mistake === 'first row' ? nodes.integers(0) : turn;
    const row = nodes.first('TensorListGetItem', [given, place, nodes.integers([inner])], {
      element_dtype: 'float32',
    });
    const sum = nodes.first('Sum', [nodes.first('Square', [row]), nodes.integers(0)]);
    const shifted = mistake === 'state' ? nodes.first('Add', [sum, state]) : sum;
    const counted =
      mistake === 'turn'
        ? nodes.first('Add', [sum, nodes.first('Cast', [turn], { DstT: 'float32' })])
        : shifted;
    const at = mistake === 'next row' ? nodes.first('FloorMod', [next, limit]) : turn;
    const kept = nodes.first('TensorListSetItem', [made, at, counted]);
    return [next, given, kept, mistake === 'state' ? sum : state, limit];
  });
  const given = graph.first('TensorListFromTensor', [rows, graph.integers([inner])]);
  const made = graph.first('TensorListReserve', [graph.integers([]), count], { element_dtype: 'float32' });
  const [, , list] = graph.add('While', [graph.integers(0), given, made, make.fixed([]), count], {
    cond,
    body,
  });
  make.outputs.push(
    graph.first('TensorListStack', [list as Ref, graph.integers([])], {
      element_dtype: 'float32',
      num_elements: -1,
    }),
  );
};

function parametersOf(body: FunctionBuilder): [Ref, Ref, Ref, Ref, Ref] {
  return [
    body.parameter('int32'),
    body.parameter(variantType),
    body.parameter(variantType),
    body.parameter('float32'),
    body.parameter('int32'),
  ];
}

/** Rows that are put into a list one tensor after another. */
const pushed: Generator = (make) => {
  const { random, graph } = make;
  const dims = make.dims(1, 2);
  const axis = random.int(0, dims.length - 1);
  const element = { element_dtype: 'float32' as const };
  let list = graph.first('EmptyTensorList', [anyShape(graph), graph.integers(-1)], element);
  const count = random.int(1, 3);
  for (let i = 0; i < count; i++) {
    const own = make.oneSlice(dims, axis).with(axis, 1);
    const item = random.chance(0.92) ? make.rows(own, axis) : make.fixed(own.with(axis, make.batch));
    list = graph.first('TensorListPushBack', [list, item]);
  }
  make.outputs.push(graph.first('TensorListLength', [list]));
  make.outputs.push(
    graph.first('TensorListStack', [list, anyShape(graph)], { ...element, num_elements: -1 }),
  );
  const places = graph.integers([count - 1, 0]);
  make.outputs.push(graph.first('TensorListGather', [list, places, anyShape(graph)], element));
  make.outputs.push(graph.add('TensorListPopBack', [list, anyShape(graph)], element)[1] as Ref);
};

/** An array of the old kind, which goes with a flow of floats. */
const array: Generator = (make) => {
  const { random, graph } = make;
  const size = random.int(2, 3);
  const [handle, flow] = graph.add('TensorArrayV3', [graph.integers(size)], { dtype: 'float32' }) as [
    Ref,
    Ref,
  ];
  let now = flow;
  if (random.chance(0.5)) {
    const value = random.chance(0.8) ? make.rows([size, 1, 2], 1) : make.rows([1, 2]);
    const all = graph.integers(Array.from({ length: size }, (_, i) => i));
    now = graph.first('TensorArrayScatterV3', [handle, all, value, now]);
  } else {
    for (let i = 0; i < size; i++)
      now = graph.first('TensorArrayWriteV3', [handle, graph.integers(i), make.rows([1, 2]), now]);
  }
  const typed = { dtype: 'float32' as const };
  make.outputs.push(graph.first('TensorArraySizeV3', [handle, now]));
  make.outputs.push(graph.first('TensorArrayReadV3', [handle, graph.integers(1), now], typed));
  if (random.chance(0.7)) {
    make.outputs.splice(1, 1);
    make.outputs.push(graph.first('TensorArrayGatherV3', [handle, graph.integers([0, 1]), now], typed));
  }
};

/** A loop of the old kind: nodes in the graph itself that come back to where they began. */
const loop: Generator = (make) => {
  const { random, graph } = make;
  const frame = { frame_name: `frame${graph.nodes.length}` };
  const rows = make.rows([1, ...make.dims(0, 2)]);
  const [turnName, stateName] = [`nextTurn${graph.nodes.length}`, `nextState${graph.nodes.length}`];
  const again = (node: string, like: Ref): Ref => ({ node, name: node, type: like.type });
  const start = graph.first('Enter', [graph.integers(0)], frame);
  const limit = graph.first('Enter', [graph.integers(random.int(0, 3))], { ...frame, is_constant: true });
  const weight = graph.first('Enter', [make.fixed([])], { ...frame, is_constant: true });
  const entered = graph.first('Enter', [rows], frame);
  const turn = graph.first('Merge', [start, again(turnName, start)]);
  const state = graph.first('Merge', [entered, again(stateName, entered)]);
  const isByRows = random.chance(0.15);
  const all = isByRows ? graph.first('Sum', [state, graph.integers(rows.dims.map((_, i) => i))]) : undefined;
  const goesOn = all
    ? graph.first('LogicalAnd', [
        graph.first('Less', [turn, limit]),
        graph.first('Less', [all, make.fixed([])]),
      ])
    : graph.first('Less', [turn, limit]);
  if (isByRows) return;
  const condition = graph.first('LoopCond', [goesOn]);
  const [, turnOn] = graph.add('Switch', [turn, condition]) as [Ref, Ref];
  const [done, stateOn] = graph.add('Switch', [state, condition]) as [Ref, Ref];
  const mean = graph.first(
    'Mean',
    [stateOn, graph.integers([random.chance(0.8) ? rows.dims.length - 1 : 0])],
    {
      keep_dims: true,
    },
  );
  const next = graph.first('Sub', [graph.first('Mul', [stateOn, weight]), mean]);
  graph.first(
    'NextIteration',
    [graph.first('Add', [turnOn, graph.integers(1)], {}, { after: [turnOn.node] })],
    {},
    {
      name: turnName,
    },
  );
  graph.first('NextIteration', [next], {}, { name: stateName });
  make.outputs.push(graph.first('Exit', [done]));
};

/** What decides is the same for all, mostly. */
function decision(make: CaseMaker, rows: Operand, dtype: 'bool' | 'int32'): Ref {
  const { random, graph } = make;
  if (random.chance(0.8)) return make.fixed([], { dtype, value: (each) => each.int(0, 1) });
  const sum = graph.first('Sum', [rows, graph.integers(rows.dims.map((_, i) => i))]);
  return graph.first(
    dtype === 'bool' ? 'Less' : 'Cast',
    dtype === 'bool' ? [sum, make.fixed([])] : [sum],
    dtype === 'bool' ? {} : { DstT: dtype },
  );
}

/** Functions that are called, and of which one is chosen. */
const choose: Generator = (make) => {
  const { random, graph } = make;
  const rows = make.rows([1, ...make.dims(1, 2)]);
  const mixes = random.chance(0.15);
  const branch = (op: string) =>
    call(make, (body) => {
      const value = body.first(op, [body.parameter('float32')]);
      const axis = body.integers([mixes ? 0 : rows.dims.length - 1]);
      return [body.first('Sub', [value, body.first('Max', [value, axis], { keep_dims: true })])];
    });
  const kind = random.pick([
    'If',
    'StatelessIf',
    'Case',
    'StatelessCase',
    'PartitionedCall',
    'StatefulPartitionedCall',
  ]);
  const Tout = [1];
  if (/Call$/.test(kind))
    return void make.outputs.push(...graph.add(kind, [rows], { f: branch('Exp'), Tout }));
  if (/If$/.test(kind)) {
    const branches = { then_branch: branch('Exp'), else_branch: branch('Neg') };
    return void make.outputs.push(
      ...graph.add(kind, [decision(make, rows, 'bool'), rows], { ...branches, Tout }),
    );
  }
  const func = ['Exp', 'Neg', 'Abs'].map(branch).flatMap(({ func: each }) => (each ? [each] : []));
  make.outputs.push(
    ...graph.add(kind, [decision(make, rows, 'int32'), rows], { branches: { list: { func } }, Tout }),
  );
};

const ways: Generator = (make) => {
  const { graph } = make;
  const rows = make.either(make.dims(1, 3), {}, 0.95);
  const [no, yes] = graph.add('Switch', [rows, decision(make, rows, 'bool')]) as [Ref, Ref];
  make.outputs.push(graph.first('Merge', [graph.first('Neg', [no]), graph.first('Exp', [yes])]));
};

const generators = new Map<string, Generator>([
  ['a loop over time', overTime],
  ['a loop over rows', overRows],
  ['lists that are pushed to', pushed],
  ['arrays of the old kind', array],
  ['a loop of the old kind', loop],
  ['functions that are called and chosen', choose],
  ['ways that are taken or not', ways],
]);

judgeRules(generators.keys(), generators, { cases: 24, occurring: [...listRulesTable.keys()] });
