/**
 * The rules of operations along axes: sums, softmax, Fourier transforms, decompositions of matrices.
 */
import { reductionRules } from '../../../src/engines/tensorflow/graph/rules/reductions.ts';
import type { Dtype } from '../../../src/tensors/dtypes.ts';
import type { Ref } from '../../fixtures/graph.ts';
import { between, type CaseMaker, type Generator, type MakeValue, type Operand } from './case.ts';
import { judgeRules } from './judge.ts';

interface OperandOptions {
  readonly dtype?: Dtype;
  readonly value?: MakeValue;
}

/** Axes, some of which may be the rows' own. */
function someAxes({ random }: CaseMaker, { dims, axis }: Operand): number[] {
  return dims
    .map((_, i) => i)
    .filter((i) => random.chance(i === axis ? 0.15 : 0.5))
    .map((i) => (random.chance(0.3) ? i - dims.length : i));
}

const reduce: Generator = (make) => {
  const { random, op } = make;
  const dtype =
    op === 'All' || op === 'Any'
      ? 'bool'
      : op === 'ReduceJoin'
        ? 'string'
        : random.pick(['float32', 'int32'] as const);
  const keeps = { keep_dims: random.chance(0.4) };
  if (dtype === 'int32' && op !== 'EuclideanNorm' && random.chance(0.25)) {
    const shape = make.shapeOf(make.either(make.dims(1, 4), {}, 0.9));
    return void make.judge([shape, random.chance(0.5) ? make.numbers(0) : make.numbers([0])], keeps);
  }
  const value = make.either(make.dims(1, 4), { dtype: op === 'EuclideanNorm' ? 'float32' : dtype }, 0.9);
  if (op === 'All' && random.chance(0.3))
    return void make.judge([value, make.numbers(value.dims.map((_, i) => i))], { keep_dims: false });
  const axes = someAxes(make, value);
  const one = axes[0];
  const given =
    one !== undefined && axes.length === 1 && random.chance(0.5) ? make.numbers(one) : make.numbers(axes);
  make.judge([value, given], keeps);
};

/** An axis that is mostly not the rows'. */
function oneAxis(make: CaseMaker, { dims, axis }: Operand): number {
  const others = dims.map((_, i) => i).filter((i) => i !== axis);
  return make.axis(dims.length, others.length > 0 && make.random.chance(0.8) ? others : undefined);
}

const alongAxis: Generator = (make) => {
  const { random, op } = make;
  const value = make.either(make.dims(1, 4), {}, 0.95);
  const axis = make.numbers(oneAxis(make, value), random.pick(['int32', 'int64'] as const));
  if (op.startsWith('Arg'))
    return void make.judge([value, axis], { output_type: random.pick(['int32', 'int64']) });
  make.judge([value, axis], { exclusive: random.chance(0.5), reverse: random.chance(0.5) });
};

const whole: Generator = (make) => {
  const value = make.either(make.op === 'AudioSpectrogram' ? [8, make.dim()] : make.dims(1, 3), {}, 0.3);
  make.judge([value], make.op === 'AudioSpectrogram' ? { window_size: 4, stride: 2 } : {});
};

const softmax: Generator = (make) => {
  make.judge([make.either(make.dims(1, 4), {}, 0.95)]);
};

/** Dims in front of a matrix or vector. */
function front(make: CaseMaker, inner: readonly number[], options: OperandOptions = {}): Operand {
  const { random } = make;
  const before = make.dims(random.chance(0.9) ? 1 : 0, 2);
  const dims = [...before, ...inner];
  const isFront = before.length > 0 && random.chance(0.85);
  if (random.chance(0.07)) return make.fixed(dims, options);
  const axis = isFront ? random.int(0, before.length - 1) : random.int(0, dims.length - 1);
  const own = isFront ? make.oneSlice(dims, axis) : dims.with(axis, 1);
  return make.rows(own, axis, options);
}

const transform =
  (rank: number): Generator =>
  (make) => {
    const { random, op } = make;
    const inner = random.list(rank, () => random.pick([2, 3, 4]));
    const isReal = op.startsWith('RFFT');
    const value = front(make, inner, { dtype: isReal ? 'float32' : 'complex64' });
    const length = random.chance(0.05)
      ? make.shapeOf(make.rows([]))
      : make.numbers(inner.map((size) => (random.chance(0.2) ? 4 : size)));
    make.judge(/R/.test(op) ? [value, length] : [value]);
  };

const nth: Generator = (make) => {
  const length = make.random.int(2, 4);
  make.judge([front(make, [length]), make.numbers(make.random.int(0, 1))], {
    reverse: make.random.chance(0.5),
  });
};

const square =
  (dtype: Dtype = 'float32'): Generator =>
  (make) => {
    const size = make.random.int(1, 3);
    make.judge([front(make, [size, size], { dtype, value: diagonal(size) })]);
  };

/** Of matrices whose diagonals are large, so that they have inverses; symmetric in what is below. */
function diagonal(size: number): MakeValue {
  let place = 0;
  return (random) => {
    const [row, column] = [Math.floor(place / size) % size, place % size];
    place += 1;
    return row === column ? 3 + random.next() : random.next() * 0.2;
  };
}

const band: Generator = (make) => {
  const { random } = make;
  const value = front(make, [random.int(1, 3), random.int(1, 3)]);
  make.judge([value, make.numbers(random.int(-1, 1), 'int64'), make.numbers(random.int(-1, 1), 'int64')]);
};

const takeDiagonals: Generator = (make) => {
  const { random } = make;
  const value = front(make, [3, 4]);
  const [least, most] = [random.int(-2, 0), random.int(0, 3)];
  make.judge([value, make.numbers(random.pick([[least, most], [least], [0, 0]])), make.fixed([])]);
};

const makeDiagonals: Generator = (make) => {
  const { random } = make;
  const [least, most] = [random.int(-1, 0), random.int(0, 1)];
  const isOne = random.chance(0.5);
  const length = random.int(1, 3);
  const value = front(make, isOne ? [length] : [most - least + 1, length]);
  const which = isOne ? random.pick([[0], [least], [0, 0]]) : [least, most];
  const size = make.numbers(-1);
  make.judge([value, make.numbers(which), size, size, make.fixed([])]);
};

const solve: Generator = (make) => {
  const { random, op } = make;
  const [size, columns] = [random.int(1, 3), random.int(1, 2)];
  const before = make.dims(1, 2);
  const at = random.int(0, before.length - 1);
  const side = (inner: number[], value?: MakeValue) => {
    const dims = [...make.oneSlice(before, at).with(at, 1), ...inner];
    if (random.chance(0.85)) return make.rows(dims, at, { value });
    return make.fixed(
      random.chance(0.3) && op !== 'MatrixSolve' ? inner : dims.with(at, random.pick([1, make.batch])),
      { value },
    );
  };
  const flags = op === 'MatrixSolve' ? {} : { lower: random.chance(0.5) };
  make.judge([side([size, size], diagonal(size)), side([size, columns])], {
    adjoint: random.chance(0.5),
    ...flags,
  });
};

const cross: Generator = (make) => {
  const { random } = make;
  const before = make.dims(1, 2);
  const at = random.int(0, before.length - 1);
  const own = [...make.oneSlice(before, at), 3];
  make.judge(
    random.list(2, () => (random.chance(0.9) ? make.rows(own, at) : make.fixed(own.with(at, make.batch)))),
  );
};

const eigen: Generator = (make) => {
  const size = make.random.int(1, 3);
  const value = front(make, [size, size], { value: diagonal(size) });
  make.outputs.push(...make.add(make.op, [value], { compute_v: make.random.chance(0.5) }));
};

const singular: Generator = (make) => {
  const { random } = make;
  const computes = random.chance(0.5);
  make.judge([front(make, [random.int(1, 3), random.int(1, 3)])], {
    compute_uv: computes,
    full_matrices: random.chance(0.5),
  });
};

const qr: Generator = (make) => {
  const { random } = make;
  make.judge([front(make, [random.int(1, 3), random.int(1, 3)])], { full_matrices: random.chance(0.5) });
};

const count: Generator = (make) => {
  const { random } = make;
  const m = random.pick([1, 1, 2]);
  const dims = random.chance(0.85) ? [m, random.int(1, 4)] : [m];
  const options = { dtype: 'int32' as const, value: between(0, 4, true) };
  const value = random.chance(0.95)
    ? make.rows(dims, dims.length > 1 && random.chance(0.1) ? 1 : 0, options)
    : make.fixed(dims, options);
  const weights = random.chance(0.5)
    ? make.fixed([0])
    : random.chance(0.8)
      ? make.rows(dims, 0)
      : make.fixed([m * make.batch, dims[1] ?? 1]);
  make.judge([value, make.numbers(5), weights], { binary_output: random.chance(0.3) });
};

const words: MakeValue = (random) =>
  random.list(random.int(0, 4), () => random.pick(['', 'a', 'bc', 'def'])).join(' ');

/** The words of texts, as TensorFlow makes a ragged tensor of them, and how often each length of a word occurs. */
const countRagged: Generator = (make) => {
  const { random, graph, outputs } = make;
  const texts = make.rows([random.pick([1, 1, 1, 2])], 0, { dtype: 'string', value: words });
  const separator = make.fixed([], { dtype: 'string', value: () => ' ' });
  const [indices, values] = make.add('StringSplitV2', [texts, separator]) as [Ref, Ref];
  const place = [graph.integers([0, 0]), graph.integers([0, 1]), graph.integers([1, 1])];
  const ids = graph.first('StridedSlice', [indices, ...place], {
    begin_mask: 1,
    end_mask: 1,
    shrink_axis_mask: 2,
  });
  const rows = random.chance(0.9) ? make.rowCount(texts, 'int64') : graph.integers(make.batch, 'int64');
  const flags = random.pick([{}, {}, {}, { exclusive: true }, { reverse: true }]);
  const none = make.fixed([0], { dtype: 'int64' });
  const counted = [
    graph.first('Reshape', [ids, graph.integers([-1])]),
    atMost(make, ids, rows, 'int64'),
    none,
  ];
  const lengths = graph.first('DenseBincount', counted, { binary_output: random.chance(0.1) });
  const ends = graph.first('Cumsum', [lengths, graph.integers(0)], flags);
  const start = graph.integers([random.chance(0.9) ? 0 : 1], 'int64');
  const splits = graph.first('ConcatV2', [start, ends, graph.integers(0)]);
  outputs.push(lengths, ends, splits);
  const sizes = graph.first('StringLength', [values]);
  const bound = random.chance(0.8) ? atMost(make, sizes, graph.integers(3), 'int32') : graph.integers(2);
  const weights = random.chance(0.9) ? make.fixed([0]) : make.fixed([1]);
  make.judge([splits, sizes, bound, weights], { binary_output: random.chance(0.3) });
};

/** `minimum(bound, maximum(bound, max(values) + 1))`, which is the bound. */
function atMost({ graph, random }: CaseMaker, values: Ref, bound: Ref, dtype: 'int32' | 'int64'): Ref {
  const one = graph.integers(1, dtype);
  const some = graph.first('Greater', [
    graph.first('Size', [values], { out_type: dtype }),
    graph.integers(0, dtype),
  ]);
  const most = graph.first('AddV2', [graph.first('Max', [values, graph.integers([0])]), one]);
  const product = graph.first('Mul', [graph.first('Cast', [some], { DstT: dtype }), most]);
  const least = graph.first('Maximum', [random.chance(0.9) ? bound : one, product]);
  return graph.first('Minimum', [bound, least]);
}

const scatter: Generator = (make) => {
  const { random } = make;
  const options = { dtype: 'int32' as const, value: between(0, 1, true) };
  const isSame = random.chance(0.7);
  const value = isSame ? make.fixed([2, 3]) : make.rows([1, 3]);
  make.judge([value, make.fixed([2, 1], options), make.fixed([2, 3])]);
};

const generators = new Map<string, Generator>([
  ...['All', 'Any', 'EuclideanNorm', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'ReduceJoin'].map(
    (op) => [op, reduce] as const,
  ),
  ...['ArgMax', 'ArgMin', 'Cumprod', 'Cumsum', 'CumulativeLogsumexp'].map((op) => [op, alongAxis] as const),
  ['L2Loss', whole],
  ['AudioSpectrogram', whole],
  ['LogSoftmax', softmax],
  ['Softmax', softmax],
  ...['FFT', 'IFFT', 'RFFT', 'IRFFT'].map((op) => [op, transform(1)] as const),
  ...['FFT2D', 'IFFT2D', 'RFFT2D', 'IRFFT2D'].map((op) => [op, transform(2)] as const),
  ...['FFT3D', 'IFFT3D', 'RFFT3D', 'IRFFT3D'].map((op) => [op, transform(3)] as const),
  ['NthElement', nth],
  ['MatrixBandPart', band],
  ['MatrixDiagPartV2', takeDiagonals],
  ['MatrixDiagPartV3', takeDiagonals],
  ['MatrixDiagV2', makeDiagonals],
  ['MatrixDiagV3', makeDiagonals],
  ['MatrixDiag', (make) => void make.judge([front(make, [make.random.int(1, 3)])])],
  [
    'MatrixDiagPart',
    (make) => void make.judge([front(make, [make.random.int(1, 3), make.random.int(1, 3)])]),
  ],
  ...['Cholesky', 'MatrixInverse', 'MatrixDeterminant'].map((op) => [op, square()] as const),
  ['MatrixLogarithm', square('complex64')],
  ['MatrixSquareRoot', square()],
  ['MatrixSolve', solve],
  ['MatrixTriangularSolve', solve],
  ['Cross', cross],
  ['SelfAdjointEigV2', eigen],
  ['Svd', singular],
  ['Qr', qr],
  ['DenseBincount', count],
  ['RaggedBincount', countRagged],
  ...['Update', 'Add', 'Sub', 'Max', 'Min'].map((how) => [`TensorScatter${how}`, scatter] as const),
]);

judgeRules(reductionRules.keys(), generators, {
  cases: 16,
  exceptions: { MatrixExponential: 'graphs of today may not have it' },
  neverRows: [
    'L2Loss',
    'AudioSpectrogram',
    ...[...generators.keys()].filter((op) => op.startsWith('TensorScatter')),
  ],
});
