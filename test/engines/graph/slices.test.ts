/**
 * The rules of operations that take parts of tensors: slices, and members by their indices.
 */
import { gatherRules } from '../../../src/engines/tensorflow/graph/rules/gathers.ts';
import { orderingRules } from '../../../src/engines/tensorflow/graph/rules/ordering.ts';
import { sliceRules } from '../../../src/engines/tensorflow/graph/rules/slices.ts';
import type { Ref } from '../../fixtures/graph.ts';
import { between, type CaseMaker, type Generator, type Operand } from './case.ts';
import { judgeRules } from './judge.ts';

function any(make: CaseMaker, least = 1, most = 4): Operand {
  return make.either(make.dims(least, most), {}, 0.9);
}

/** Sizes of rows in a vector, some of the time. */
function anyOrShape(make: CaseMaker): Operand {
  if (!make.random.chance(0.15)) return any(make);
  const value = any(make, 2, 4);
  return { ...make.shapeOf(value), dims: [value.dims.length], axis: undefined, dtype: 'int32' };
}

/** Numbers for each axis; now and then the number of rows is in the place of one. */
function counted(make: CaseMaker, value: Operand, numbers: readonly number[], chance: number): Ref {
  const { random, graph } = make;
  if (!random.chance(chance) || numbers.length === 0) return make.numbers(numbers);
  const rows = value.axis !== undefined && random.chance(0.7) ? value : make.rows([]);
  const at = value.axis !== undefined && random.chance(0.6) ? value.axis : random.int(0, numbers.length - 1);
  const items = numbers.map((each, i) => (i === at ? make.rowCount(rows) : graph.integers(each)));
  return graph.first('Pack', items);
}

const slice: Generator = (make) => {
  const { random } = make;
  const value = anyOrShape(make);
  const begin = value.dims.map((dim, i) =>
    i === value.axis && random.chance(0.8) ? 0 : random.int(0, Math.max(0, dim - 1)),
  );
  const sizes = value.dims.map((dim, i) => {
    if (i === value.axis) return random.pick([-1, -1, -1, 1, make.batch]);
    return random.chance(0.4) ? -1 : random.int(0, dim - (begin[i] ?? 0));
  });
  make.judge([value, counted(make, value, begin, 0.1), counted(make, value, sizes, 0.3)]);
};

const stridedSlice: Generator = (make) => {
  const { random } = make;
  const value = anyOrShape(make);
  const rank = value.dims.length;
  const masks = { begin_mask: 0, end_mask: 0, ellipsis_mask: 0, new_axis_mask: 0, shrink_axis_mask: 0 };
  const [begin, end, strides]: number[][] = [[], [], []];
  let dim = 0;
  const places = random.int(1, rank + 1);
  for (let i = 0; i < places && dim < rank; i++) {
    const bit = 1 << i;
    begin?.push(0);
    end?.push(0);
    strides?.push(1);
    if (random.chance(0.12)) {
      masks.new_axis_mask |= bit;
      continue;
    }
    if (masks.ellipsis_mask === 0 && random.chance(0.12)) {
      masks.ellipsis_mask |= bit;
      dim += random.int(0, rank - dim);
      continue;
    }
    const size = dim === value.axis ? make.batch : (value.dims[dim] ?? 1);
    const isKept = dim === value.axis && random.chance(0.75);
    if (begin && end && strides) {
      begin[i] = isKept ? 0 : random.int(-size, size - 1);
      end[i] = isKept ? random.pick([size, 1, 0]) : random.int(-size, size);
      strides[i] = isKept ? random.pick([1, 1, 1, 2]) : random.pick([1, 1, 2, -1]);
    }
    if (random.chance(isKept ? 0.7 : 0.3)) masks.begin_mask |= bit;
    if (random.chance(isKept ? 0.8 : 0.3)) masks.end_mask |= bit;
    if (!isKept && random.chance(0.25)) masks.shrink_axis_mask |= bit;
    dim += 1;
  }
  const [first, last] = [counted(make, value, begin ?? [], 0.1), counted(make, value, end ?? [], 0.25)];
  make.judge([value, first, last, make.numbers(strides ?? [])], masks);
};

/** Places along an axis of so many; now and then one that is not there, which CPU kernels refuse. */
function indices(make: CaseMaker, dims: readonly number[], limit: number, rows = 0.6): Operand {
  const dtype = make.random.pick(['int32', 'int64'] as const);
  return make.either(dims, { dtype, value: between(0, Math.max(0, limit - 1), true) }, rows);
}

const gather: Generator = (make) => {
  const { random } = make;
  const isFirst = make.op === 'Gather';
  if (!isFirst && random.chance(0.25)) return gatherInBatches(make);
  if (!isFirst && random.chance(0.2)) return gatherOwn(make);
  const params = make.either(make.dims(1, 3), {}, 0.5);
  const axis = isFirst ? 0 : random.int(0, params.dims.length - 1);
  const limit = params.axis === axis ? 1 : (params.dims[axis] ?? 1);
  const places = indices(make, make.dims(0, 2), limit, params.axis === undefined ? 0.9 : 0.15);
  if (isFirst) return void make.judge([params, places]);
  const given = random.chance(0.3) ? axis - params.dims.length : axis;
  make.judge([params, places, make.numbers(given)], { batch_dims: 0 });
};

/** The number of each row, from 0 or another start, as a range counts them. */
function rowNumbers(make: CaseMaker, rows: Operand): Ref {
  const { random, graph } = make;
  const [start, step] = [random.chance(0.85) ? 0 : 1, random.chance(0.9) ? 1 : 2];
  const numbers = graph.first('Range', [graph.integers(start), make.rowCount(rows), graph.integers(step)]);
  return random.chance(0.3) ? graph.first('Cast', [numbers], { DstT: 9 }) : numbers;
}

/** Each row by its own number. */
function gatherOwn(make: CaseMaker): void {
  const { random } = make;
  const params = make.rows([random.pick([1, 1, 1, 2]), ...make.dims(0, 2)]);
  const axis = random.chance(0.85) ? 0 : random.int(0, params.dims.length - 1);
  make.judge([params, rowNumbers(make, params), make.numbers(axis)], { batch_dims: 0 });
}

/** Something of each row, at a place that begins with the row's own number. */
function gatherNdOwn(make: CaseMaker): void {
  const { random, graph } = make;
  const least = random.int(1, 3);
  const params = make.rows([random.pick([1, 1, 1, 2]), least, random.int(least, 4), ...make.dims(0, 1)]);
  const numbers = graph.first('Cast', [rowNumbers(make, params)], { DstT: 3 });
  const options = { dtype: 'int32' as const, value: between(0, least - 1, true) };
  const column = () => {
    if (random.chance(0.5)) return graph.first('Reshape', [numbers, graph.integers([-1, 1])]);
    const [begin, end, strides] = [graph.integers([0, 0]), graph.integers([0, 0]), graph.integers([1, 1])];
    return graph.first('StridedSlice', [numbers, begin, end, strides], {
      begin_mask: 1,
      end_mask: 1,
      new_axis_mask: random.pick([2, 2, 2, 1]),
    });
  };
  const isFirst = random.chance(0.9);
  const inOrder = (own: Ref, others: readonly Ref[]) => (isFirst ? [own, ...others] : [...others, own]);
  const places = random.pick([
    () => column(),
    () => graph.first('ExpandDims', [numbers, graph.integers(random.pick([1, -1]))]),
    () => graph.first('Pack', inOrder(numbers, [make.rows([1], 0, options)]), { axis: random.pick([1, -1]) }),
    () => {
      const others = random.chance(0.8) ? make.rows([1, random.int(1, 2)], 0, options) : column();
      return graph.first('ConcatV2', [...inOrder(column(), [others]), graph.integers(random.pick([1, -1]))]);
    },
  ])();
  make.judge([params, places]);
}

/** From each member of the dims in front its own. */
function gatherInBatches(make: CaseMaker): void {
  const { random } = make;
  const front = make.dims(1, 2);
  const at = random.int(0, front.length - 1);
  const own = make.oneSlice(front, at);
  const limit = random.int(1, 4);
  const between1 = random.chance(0.3) ? [make.dim()] : [];
  const params = random.chance(0.8)
    ? make.rows([...own, ...between1, limit, ...make.dims(0, 1)], at)
    : make.fixed([...own.with(at, make.batch), ...between1, limit]);
  const value = between(0, limit - 1, true);
  const more = make.dims(0, 2);
  const places = random.chance(0.8)
    ? make.rows([...own, ...more], at, { dtype: 'int32', value })
    : make.fixed([...own.with(at, random.pick([1, make.batch])), ...more], { dtype: 'int32', value });
  const shared = front.length;
  const axis = shared + between1.length;
  make.judge([params, places, make.numbers(random.chance(0.3) ? axis - params.dims.length : axis)], {
    batch_dims: random.chance(0.3) ? shared - places.dims.length : shared,
  });
}

const gatherNd: Generator = (make) => {
  const { random } = make;
  if (random.chance(0.4)) return gatherNdOwn(make);
  const dims = make.dims(1, 3).map((dim) => Math.max(1, dim));
  const params = make.either(dims, {}, 0.5);
  const depth = random.int(1, dims.length);
  const limit = Math.min(...params.dims.slice(0, depth).map((dim, i) => (i === params.axis ? 1 : dim)));
  const value = between(0, Math.max(0, limit - 1), true);
  const front = make.dims(0, 2);
  const options = { dtype: 'int32' as const, value };
  const isFixed = params.axis !== undefined ? random.chance(0.9) : random.chance(0.2);
  if (isFixed || front.length === 0) return void make.judge([params, make.fixed([...front, depth], options)]);
  const at = random.int(0, front.length - 1);
  make.judge([params, make.rows([...make.oneSlice(front, at), depth], at, options)]);
};

const oneHot: Generator = (make) => {
  const { random } = make;
  const places = indices(make, make.dims(1, 3), 4, 0.9);
  const depth = random.chance(0.1) ? make.rowCount(any(make)) : make.numbers(random.int(1, 4));
  const [on, off] = [make.fixed([]), random.chance(0.05) ? make.rows([]) : make.fixed([])];
  make.judge([places, depth, on, off], { axis: random.pick([-1, -1, 0, places.dims.length]) });
};

/** One or several axes, mostly not the rows'. */
function axesBeside({ random }: CaseMaker, { dims, axis }: Operand): number[] {
  const all = dims.map((_, i) => i).filter((i) => i !== axis || random.chance(0.15));
  return random
    .shuffled(all)
    .slice(0, random.int(0, all.length))
    .map((each) => (random.chance(0.3) ? each - dims.length : each));
}

const reverse: Generator = (make) => {
  const value = any(make);
  make.judge([value, make.numbers(axesBeside(make, value), make.random.pick(['int32', 'int64'] as const))]);
};

const roll: Generator = (make) => {
  const { random } = make;
  const value = any(make);
  const axes = axesBeside(make, value);
  const chosen = axes.length > 0 ? axes : [0];
  make.judge([value, make.numbers(chosen.map(() => random.int(-2, 2))), make.numbers(chosen)]);
};

const reverseSequence: Generator = (make) => {
  const { random } = make;
  const dims = make.dims(2, 4);
  const axis = random.chance(0.6) ? 0 : random.int(0, dims.length - 1);
  const own = make.oneSlice(dims, axis);
  const value = make.rows(own, axis);
  const batchDim = random.chance(0.8) ? axis : random.int(0, dims.length - 1);
  const others = dims.map((_, i) => i).filter((i) => i !== batchDim);
  const seqDim = random.pick(others);
  const longest = seqDim === axis ? 1 : (own[seqDim] ?? 1);
  const options = { dtype: random.pick(['int32', 'int64'] as const), value: between(0, longest, true) };
  const size = own[batchDim] ?? 1;
  const lengths = random.chance(0.85)
    ? make.rows([batchDim === axis ? size : 1], 0, options)
    : make.fixed([batchDim === axis ? make.batch : size], options);
  make.judge([value, lengths], { batch_dim: batchDim, seq_dim: seqDim });
};

const search: Generator = (make) => {
  const { random } = make;
  const [length, count] = [random.int(1, 4), random.int(1, 4)];
  const sortedValue = () => {
    let next = 0;
    return () => {
      next += 0.5;
      return next % 4;
    };
  };
  const sorted = random.chance(0.7)
    ? make.rows([random.pick([1, 1, 2]), length], 0, { value: sortedValue() })
    : make.fixed([random.pick([1, 1, make.batch]), length], { value: sortedValue() });
  const values = random.chance(0.3)
    ? make.rows([random.pick([1, 1, 2]), count], random.int(0, 1))
    : make.rows(
        sorted.axis === undefined ? [count, 1] : [sorted.dims[0] ?? 1, count],
        sorted.axis === undefined ? 1 : 0,
      );
  if (sorted.axis === undefined && random.chance(0.7))
    return void make.judge([sorted, make.rows([1, random.int(1, 2)], 1)], {
      out_type: random.pick(['int32', 'int64']),
    });
  make.judge([sorted, values], { out_type: random.pick(['int32', 'int64']) });
};

const stitch: Generator = (make) => {
  const { random, graph } = make;
  if (random.chance(0.2)) {
    const rows = make.rows([1, 2]);
    return void make.judge([make.numbers([0, 1]), make.numbers([2]), rows, make.fixed([1, 2])]);
  }
  const rows = any(make, 3, 3);
  const shape = make.shapeOf(rows);
  const part = (places: number[]) =>
    graph.first('GatherV2', [shape, graph.integers(places), graph.integers(0)]);
  const order = random.shuffled([0, 1, 2]);
  const cut = random.int(1, 2);
  const [first, second] = [order.slice(0, cut), order.slice(cut)];
  make.judge([
    make.numbers(first),
    make.numbers(second),
    part(first),
    random.chance(0.6) ? part(second) : make.numbers(second.map(() => 7)),
  ]);
};

const topK: Generator = (make) => {
  const { random } = make;
  const dims = make.dims(1, 3);
  const value = make.either(dims, {}, 0.9);
  const k = random.int(0, value.axis === dims.length - 1 ? 1 : (dims.at(-1) ?? 1));
  const attributes = { sorted: true };
  make.judge([value, random.chance(0.05) ? make.rowCount(any(make)) : make.numbers(k)], attributes);
};

const inTopK: Generator = (make) => {
  const { random } = make;
  const classes = random.int(1, 4);
  const m = random.pick([1, 1, 2]);
  const predictions = random.chance(0.85) ? make.rows([m, classes]) : make.either([make.batch, classes]);
  const options = { dtype: 'int32' as const, value: between(0, classes - 1, true) };
  const targets = random.chance(0.85)
    ? make.rows([predictions.axis === 0 ? m : 1], 0, options)
    : make.fixed([make.batch], options);
  if (make.op === 'InTopK') return void make.judge([predictions, targets], { k: random.int(1, 2) });
  make.judge([predictions, targets, make.numbers(random.int(1, 2))]);
};

/** The numbers of a permutation; or the axes of some rows' shape. */
const invert: Generator = (make) => {
  const order = make.random.shuffled([0, 1, 2, 3].slice(0, make.random.int(1, 4)));
  make.judge([make.numbers(order)]);
};

const generators = new Map<string, Generator>([
  ['Slice', slice],
  ['StridedSlice', stridedSlice],
  ['GatherV2', gather],
  ['Gather', gather],
  ['GatherNd', gatherNd],
  ['OneHot', oneHot],
  ['ReverseV2', reverse],
  ['Roll', roll],
  ['ReverseSequence', reverseSequence],
  ['LowerBound', search],
  ['UpperBound', search],
  ['InvertPermutation', invert],
  ['DynamicStitch', stitch],
  ['ParallelDynamicStitch', stitch],
  ['TopKV2', topK],
  ['InTopK', inTopK],
  ['InTopKV2', inTopK],
]);

const tables = [sliceRules, gatherRules, orderingRules];
judgeRules(
  tables.flatMap((table) => [...table.keys()]),
  generators,
  {
    cases: 30,
    exceptions: {
      ResourceGather: 'needs a variable: in state.test.ts',
      ResourceGatherNd: 'needs a variable: in state.test.ts',
      LookupTableFindV2: 'needs a table: in state.test.ts',
      TopK: 'its kernels ask for an attribute that it does not have',
    },
    neverRows: ['InvertPermutation'],
  },
);
