/**
 * The rules of operations that tell shapes, make tensors of a shape, and change the shape of tensors.
 */
import { joiningRules } from '../../../src/engines/tensorflow/graph/rules/joining.ts';
import { repeatingRules } from '../../../src/engines/tensorflow/graph/rules/repeating.ts';
import { reshapingRules } from '../../../src/engines/tensorflow/graph/rules/reshaping.ts';
import { shapeRules } from '../../../src/engines/tensorflow/graph/rules/shapes.ts';
import type { Ref } from '../../fixtures/graph.ts';
import type { CaseMaker, Generator, Operand } from './case.ts';
import { judgeRules } from './judge.ts';

/** Rows, mostly, of a random rank. */
function any(make: CaseMaker, least = 1, most = 4): Operand {
  return make.either(make.dims(least, most), { dtype: make.random.pick(['float32', 'int32'] as const) }, 0.9);
}

/** Numbers in a vector, one of which may be the number of rows. */
function shapeVector(make: CaseMaker, dims: readonly number[], axis: number | undefined, count: Ref): Ref {
  const { random, graph } = make;
  const items = dims.map((dim, i) => (i === axis ? count : graph.integers(dim)));
  if (axis === undefined && random.chance(0.7)) return make.numbers(dims);
  return items.length === 0 ? make.numbers([]) : graph.first('Pack', items);
}

/** Dims with as many elements: some are split, some are merged; at random across the rows. */
function reshaped(make: CaseMaker, operand: Operand): { dims: number[]; axis: number | undefined } {
  const { random } = make;
  const { dims, axis } = operand;
  const at = axis ?? random.int(0, dims.length);
  const before = regroup(make, dims.slice(0, at));
  const after = regroup(make, dims.slice(at + (axis === undefined ? 0 : 1)));
  if (axis === undefined) return { dims: [...before, ...after], axis: undefined };
  const own = dims[axis] ?? 1;
  const [first = 1, ...rest] = after;
  if (random.chance(0.25)) return { dims: [...before, own * first, ...rest], axis: before.length };
  if (random.chance(0.1)) return { dims: [own, ...before, ...after], axis: 0 };
  if (own > 1 && random.chance(0.5)) return { dims: [...before, 1, own, ...after], axis: before.length };
  return { dims: [...before, own, ...after], axis: before.length };
}

function regroup({ random }: CaseMaker, dims: readonly number[]): number[] {
  return dims.flatMap((dim, i) => {
    if (random.chance(0.2)) return [1, dim];
    if (dim === 4 && random.chance(0.3)) return [2, 2];
    return i > 0 && dims[i - 1] === 1 && random.chance(0.3) ? [dim] : [dim];
  });
}

const reshape: Generator = (make) => {
  const { random } = make;
  if (random.chance(0.1)) {
    const sizes = make.shapeOf(any(make));
    return void make.judge([sizes, make.numbers(random.pick([[-1], [-1, 1], [1, -1]]))]);
  }
  const value = any(make);
  const { dims, axis } = reshaped(make, value);
  const inferred = random.chance(0.7)
    ? (axis ?? random.int(0, dims.length - 1))
    : random.int(0, dims.length - 1);
  if (
    random.chance(0.6) ||
    value.axis === undefined ||
    axis === undefined ||
    dims[axis] !== value.dims[value.axis]
  )
    return void make.judge([value, make.numbers(dims.map((dim, i) => (i === inferred ? -1 : dim)))]);
  const written = random.chance(0.3) ? dims.map((dim, i) => (i !== axis && i === inferred ? -1 : dim)) : dims;
  make.judge([value, shapeVector(make, written, axis, make.rowCount(value))]);
};

const fill: Generator = (make) => {
  const { random } = make;
  const rows = any(make);
  const dims = make.dims(0, 3);
  const axis = dims.length > 0 && random.chance(0.85) ? random.int(0, dims.length - 1) : undefined;
  const item = make.fixed([], { dtype: random.pick(['float32', 'int32'] as const) });
  const value = random.chance(0.1) ? make.rowCount(rows) : item;
  make.judge([shapeVector(make, dims, axis, make.rowCount(rows)), value]);
};

const range: Generator = (make) => {
  const { random } = make;
  const rows = any(make);
  const number = (least: number, most: number) =>
    random.chance(0.2) ? make.rowCount(rows) : make.numbers(random.int(least, most));
  make.judge([number(0, 2), number(3, 6), make.numbers(random.int(1, 2))]);
};

const tile: Generator = (make) => {
  const { random } = make;
  const value = any(make);
  const multiples = value.dims.map((_, i) =>
    i === value.axis && random.chance(0.8) ? 1 : random.pick([1, 1, 2, make.batch]),
  );
  const repeated = random.chance(0.15) ? random.int(0, multiples.length - 1) : undefined;
  make.judge([value, shapeVector(make, multiples, repeated, make.rowCount(value))]);
};

const broadcastTo: Generator = (make) => {
  const { random } = make;
  const dims = make.dims(1, 3);
  const axis = random.int(0, dims.length - 1);
  const own = make.oneSlice(dims, axis);
  const rows = make.rows(own, axis);
  const start = random.int(0, axis);
  const narrow = own.map((dim, i) => (i !== axis && random.chance(0.3) ? 1 : dim)).slice(start);
  const given = random.chance(0.6)
    ? make.rows(narrow, axis - start)
    : make.fixed(
        own
          .map((dim, i) => (i === axis ? random.pick([1, 1, make.batch]) : dim))
          .slice(random.int(0, dims.length)),
      );
  if (random.chance(0.3)) return void make.judge([given, make.shapeOf(rows)]);
  const front = random.chance(0.3) ? [random.int(1, 3)] : [];
  make.judge([given, shapeVector(make, [...front, ...own], axis + front.length, make.rowCount(rows))]);
};

/** Several tensors with the same dims. */
function alike(make: CaseMaker, count: number, along?: number): { all: Operand[]; rank: number } {
  const { random } = make;
  const dims = make.dims(1, 3);
  const axis = random.int(0, dims.length - 1);
  const own = make.oneSlice(dims, axis);
  const all = random.list(count, () => {
    const varied = own.map((dim, i) =>
      i === along && i !== axis && random.chance(0.5) ? random.int(1, 4) : dim,
    );
    if (random.chance(0.9)) return make.rows(varied, axis);
    return random.chance(0.5)
      ? make.rows(varied, random.int(0, dims.length - 1))
      : make.fixed(varied.with(axis, random.pick([1, make.batch])));
  });
  return { all, rank: dims.length };
}

const pack: Generator = (make) => {
  const { random } = make;
  if (random.chance(0.15)) {
    const rows = any(make);
    const items = random.list(random.int(1, 3), () =>
      random.chance(0.4) ? make.rowCount(rows) : make.numbers(random.int(-1, 5)),
    );
    return void make.judge(items, { axis: random.pick([0, 0, -1]) });
  }
  const { all, rank } = alike(make, random.int(1, 3));
  make.judge(all, { axis: make.axis(rank + 1) });
};

const unpack: Generator = (make) => {
  const { random } = make;
  const value = random.chance(0.1) ? { ...make.shapeOf(any(make, 3, 3)), dims: [3] } : any(make);
  const axis = random.int(0, value.dims.length - 1);
  const count = 'axis' in value && value.axis === axis ? make.batch : (value.dims[axis] ?? 1);
  make.judge([value], { num: count, axis: random.chance(0.3) ? axis - value.dims.length : axis });
};

const concat: Generator = (make) => {
  const { random } = make;
  const inputs = (values: readonly Ref[], axis: Ref) =>
    make.judge(make.op === 'ConcatV2' ? [...values, axis] : [axis, ...values]);
  if (random.chance(0.2)) {
    const sizes = random.list(2, () =>
      random.chance(0.6)
        ? make.shapeOf(any(make))
        : make.numbers(random.list(random.int(0, 2), () => random.int(-1, 4))),
    );
    return void inputs(sizes, make.numbers(0));
  }
  const along = random.int(0, 2);
  const { all, rank } = alike(make, random.int(2, 3), along);
  const axis = along < rank && random.chance(0.8) ? along : random.int(0, rank - 1);
  inputs(all, make.numbers(random.chance(0.3) && make.op === 'ConcatV2' ? axis - rank : axis));
};

/** @param bySizes the sizes of the parts are an input */
const split =
  (bySizes: boolean): Generator =>
  (make) => {
    const { random } = make;
    const value = random.chance(0.15)
      ? { ...make.shapeOf(any(make, 2, 4)), dims: [2], axis: undefined }
      : any(make);
    const axis = random.int(0, value.dims.length - 1);
    const size = value.axis === axis ? make.batch : (value.dims[axis] ?? 1);
    const along = make.numbers(random.chance(0.3) ? axis - value.dims.length : axis);
    if (!bySizes) {
      const count = random.pick([1, size, size % 2 === 0 ? 2 : 1]);
      return void make.judge([along, value], { num_split: count });
    }
    const first = random.int(0, size);
    const parts = random.pick([[first, size - first], [first, -1], [-1], [-1, first]]);
    const told = random.chance(0.1)
      ? make.graph.first('Pack', [make.rowCount(any(make)), make.graph.integers(-1)])
      : make.numbers(parts, random.pick(['int32', 'int64'] as const));
    make.judge([value, told, along], { num_split: 'dims' in told ? parts.length : 2 });
  };

const pads: Generator = (make) => {
  const { random } = make;
  const value = any(make);
  const most = make.op === 'MirrorPad' ? 1 : 2;
  const amounts = value.dims.flatMap((dim, i) => {
    if (i === value.axis && random.chance(0.8)) return [0, 0];
    const limit = make.op === 'MirrorPad' ? Math.min(most, Math.max(0, dim - 1)) : most;
    return [random.int(0, limit), random.int(0, limit)];
  });
  const paddings = make.numbers(amounts, random.pick(['int32', 'int64'] as const), [value.dims.length, 2]);
  if (make.op === 'Pad') return void make.judge([value, paddings]);
  if (make.op === 'MirrorPad')
    return void make.judge([value, paddings], { mode: random.pick(['REFLECT', 'SYMMETRIC']) });
  const dtype = value.dtype;
  const filler = random.chance(0.1) ? make.rows([1], 0, { dtype }) : make.fixed([], { dtype });
  make.judge([value, paddings, filler]);
};

/** Blocks moved into rows and, with something element by element between, back. */
const blocks: Generator = (make) => {
  const { random, graph } = make;
  const spatial = random.int(1, 2);
  const sizes = random.list(spatial, () => random.int(1, 3));
  const dims = [1, ...sizes.map((size) => size * random.int(1, 2)), ...make.dims(0, 2)];
  const value = random.chance(0.85) ? make.rows(dims) : make.either(dims);
  const none = make.numbers(Array(2 * spatial).fill(0), 'int32', [spatial, 2]);
  const apart = make.add('SpaceToBatchND', [value, make.numbers(sizes), none])[0] as Ref;
  if (make.op === 'SpaceToBatchND' && random.chance(0.5)) return void make.outputs.push(apart);
  const between = random.chance(0.5) ? graph.first('Relu', [apart]) : apart;
  const back = random.chance(0.2) ? random.shuffled(sizes) : sizes;
  make.outputs.push(...make.add('BatchToSpaceND', [between, make.numbers(back), none]));
};

const transposes: Generator = (make) => {
  const { random } = make;
  const dims = make.dims(1, 4);
  const value = make.either(dims, { dtype: random.pick(['float32', 'complex64'] as const) }, 0.9);
  const order = random.shuffled(dims.map((_, i) => i));
  const perm =
    make.op === 'Transpose' && random.chance(0.1) ? order.map((axis) => axis - dims.length) : order;
  make.judge([value, make.numbers(perm, random.pick(['int32', 'int64'] as const))]);
};

const ensureShape: Generator = (make) => {
  const { random } = make;
  const value = any(make);
  const size = (i: number) => {
    if (i === value.axis) return random.pick([-1, -1, -1, 1, make.batch]);
    return random.chance(0.6) ? (value.dims[i] ?? 1) : -1;
  };
  make.judge([value], { shape: { shape: { dim: value.dims.map((_, i) => ({ size: size(i) })) } } });
};

const expandDims: Generator = (make) => {
  const { random } = make;
  if (random.chance(0.1)) {
    const rows = any(make);
    return void make.judge([random.chance(0.7) ? make.rowCount(rows) : make.shapeOf(rows), make.numbers(0)]);
  }
  const value = any(make, 1, 3);
  make.judge([
    value,
    make.numbers(make.axis(value.dims.length + 1), random.pick(['int32', 'int64'] as const)),
  ]);
};

const squeeze: Generator = (make) => {
  const { random } = make;
  const dims = make.dims(1, 4).map((dim) => (random.chance(0.5) ? 1 : dim));
  const value = make.either(dims, {}, 0.9);
  const ones = dims.flatMap((dim, i) => (dim === 1 && (i !== value.axis || random.chance(0.1)) ? [i] : []));
  const chosen = ones.filter(() => random.chance(0.8)).map((i) => (random.chance(0.3) ? i - dims.length : i));
  make.judge([value], { squeeze_dims: random.chance(0.1) ? [] : chosen });
};

const generators = new Map<string, Generator>([
  ['Shape', (make) => void make.judge([any(make)], { out_type: make.random.pick(['int32', 'int64']) })],
  ['ShapeN', (make) => void make.judge(make.broadcast([{}, {}]))],
  ['Size', (make) => void make.judge([any(make)], { out_type: make.random.pick(['int32', 'int64']) })],
  ['Rank', (make) => void make.judge([any(make)])],
  ['Fill', fill],
  ['ZerosLike', (make) => void make.judge([any(make)])],
  ['OnesLike', (make) => void make.judge([any(make)])],
  ['Range', range],
  ['Reshape', reshape],
  ['ExpandDims', expandDims],
  ['Squeeze', squeeze],
  ['Transpose', transposes],
  ['ConjugateTranspose', transposes],
  ['Tile', tile],
  ['BroadcastTo', broadcastTo],
  ['Pack', pack],
  ['Unpack', unpack],
  ['ConcatV2', concat],
  ['Concat', concat],
  ['Split', split(false)],
  ['SplitV', split(true)],
  ['EnsureShape', ensureShape],
  ['Pad', pads],
  ['PadV2', pads],
  ['MirrorPad', pads],
  ['SpaceToBatchND', blocks],
  ['BatchToSpaceND', blocks],
]);

const tables = [shapeRules, reshapingRules, repeatingRules, joiningRules];
judgeRules(
  tables.flatMap((table) => [...table.keys()]),
  generators,
  { cases: 24, neverRows: ['Rank', 'Range'] },
);
