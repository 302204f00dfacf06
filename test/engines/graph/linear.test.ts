/**
 * The rules of products, convolutions, pooling, images and recurrent cells.
 */
import { beforeAll } from 'vitest';
import { imageRules } from '../../../src/engines/tensorflow/graph/rules/images.ts';
import { linearRules } from '../../../src/engines/tensorflow/graph/rules/linear.ts';
import type { Attributes } from '../../fixtures/graph.ts';
import { between, type CaseMaker, type Generator, type Operand } from './case.ts';
import { judgeRules } from './judge.ts';

/** Rows in front, with a few mistakes: another axis, or none. */
function image(make: CaseMaker, dims: readonly number[], value = between(0, 1)): Operand {
  const { random } = make;
  const own = [random.chance(0.85) ? 1 : 2, ...dims];
  if (random.chance(0.85)) return make.rows(own, 0, { value });
  return random.chance(0.5)
    ? make.fixed(own, { value })
    : make.rows(own.with(0, 2), random.int(1, dims.length), { value });
}

/** A parameter that should be the same for all. */
function parameter(make: CaseMaker, dims: readonly number[]): Operand {
  return dims.length > 0 && make.random.chance(0.05)
    ? make.rows(dims, make.random.int(0, dims.length - 1))
    : make.fixed(dims);
}

const matMul: Generator = (make) => {
  const { random } = make;
  const inner = make.dim();
  const [a, b] = [random.chance(0.4), random.chance(0.4)];
  const side = (isSwapped: boolean, isLeft: boolean): Operand => {
    const dims = [make.dim(), inner];
    const placed = isLeft === isSwapped ? dims.toReversed() : dims;
    const outer = placed.indexOf(dims[0] ?? 1);
    if (random.chance(isLeft ? 0.2 : 0.6)) return make.fixed(placed);
    const axis = random.chance(0.7) ? outer : random.int(0, 1);
    return make.rows(make.oneSlice(placed, axis), axis);
  };
  make.judge([side(a, true), side(b, false)], { transpose_a: a, transpose_b: b });
};

const batchMatMul: Generator = (make) => {
  const { random, op } = make;
  const front = make.dims(1, 2);
  const [i, k, j] = [make.dim(), make.dim(), make.dim()];
  const [adjX, adjY] = [random.chance(0.3), random.chance(0.3)];
  const rank = front.length + 2;
  const axis = random.chance(0.75) ? random.int(0, front.length - 1) : random.int(0, rank - 1);
  const side = (matrix: readonly number[], likely: number): Operand => {
    const dims = [...front, ...matrix];
    const own = make.oneSlice(dims, axis).with(axis, 1);
    if (random.chance(likely)) {
      const start =
        op === 'BatchMatMul' || axis >= front.length ? 0 : random.int(0, random.chance(0.3) ? axis : 0);
      return make.rows(own.slice(start), axis - start);
    }
    if (op !== 'BatchMatMul' && random.chance(0.4)) return make.fixed([...front.map(() => 1), ...matrix]);
    if (op !== 'BatchMatMul' && random.chance(0.4)) return make.fixed([...matrix]);
    return make.fixed(own.with(axis, random.pick([1, make.batch])));
  };
  make.judge([side(adjX ? [k, i] : [i, k], 0.85), side(adjY ? [j, k] : [k, j], 0.6)], {
    adj_x: adjX,
    adj_y: adjY,
    ...(op === 'BatchMatMulV3' ? { Tout: 'float32' } : {}),
  });
};

const einsum: Generator = (make) => {
  const { random } = make;
  const equation = random.pick([
    ...[
      'ab,bc->ac',
      'abc,cd->abd',
      'abc,abd->acd',
      'bij,bjk->bik',
      'aecd,abcd->acbe',
      'ab,ab->a',
      'ab->ba',
      'ab->a',
    ],
    ...[
      'abc->',
      'ab,cb->ac',
      'i,j->ij',
      '...ab,bc->...ac',
      'a...,a...->a...',
      'a...->...',
      'aab->ab',
      'abcd,cde->abe',
    ],
    ...['ab,b->a', 'abc,c->ab', '...a,...a->...', 'a,ab->b', 'a,bc->abc'],
  ]);
  const [left = ''] = equation.split('->');
  const sizes = new Map<string, number>();
  const labels = [...left.replaceAll(/[^a-z]/g, '')];
  for (const label of labels) sizes.set(label, make.dim());
  const hidden = make.dims(0, 2);
  const rowLabel = random.chance(0.7) ? labels[0] : random.pick(labels);
  const inputs = left.split(',').map((term) => {
    const [before = '', after] = term.split('...');
    const names = [
      ...before,
      ...(after === undefined ? [] : hidden.map((_, i) => String(i))),
      ...(after ?? ''),
    ];
    const dims = names.map((name) => sizes.get(name) ?? hidden[Number(name)] ?? 1);
    const axis =
      hidden.length > 0 && after !== undefined && random.chance(0.4)
        ? names.indexOf('0')
        : names.indexOf(rowLabel ?? '');
    if (axis >= 0 && random.chance(0.85)) return make.rows(make.oneSlice(dims, axis).with(axis, 1), axis);
    return axis < 0 || random.chance(0.5)
      ? make.fixed(dims)
      : make.fixed(dims.with(axis, random.pick([1, make.batch])));
  });
  make.judge(inputs, { equation });
};

const addBias: Generator = (make) => {
  const { random } = make;
  const format = random.pick(['NHWC', 'NHWC', 'NCHW']);
  const dims = make.random.chance(0.3) ? [1, make.dim(), make.dim(), make.dim()] : make.dims(2, 4);
  const value = make.either(dims, {}, 0.95);
  const at = format === 'NCHW' ? 1 : dims.length - 1;
  const size = at === value.axis ? random.pick([1, make.batch]) : (dims[at] ?? 1);
  make.judge([value, parameter(make, [size])], { data_format: format });
};

/** Strides, paddings and dilations of a window that slides. */
function sliding(make: CaseMaker, rank: number, hasExplicit = false): Attributes {
  const { random } = make;
  const square = random.pick([1, 1, 2]);
  const strides = [1, ...Array<number>(rank - 2).fill(square), 1];
  const padding = random.pick(['SAME', 'VALID', ...(hasExplicit ? ['EXPLICIT'] : [])]);
  const around = [0, 0, 1, 0, 2, 1, 0, 0];
  return { strides, padding, ...(padding === 'EXPLICIT' ? { explicit_paddings: around } : {}) };
}

const convolve =
  (rank: 4 | 5): Generator =>
  (make) => {
    const { random, op } = make;
    const channels = random.int(1, 3);
    const spatial = random.list(rank - 2, () => random.int(2, 5));
    const kernel = [...spatial.map(() => random.int(1, 2)), channels, random.int(1, 3)];
    const attributes = sliding(make, rank, op === 'Conv2D');
    const dilation = random.chance(0.2) && String(attributes['strides']).indexOf('2') < 0 ? 2 : 1;
    const dilations = [1, ...spatial.map(() => dilation), 1];
    make.judge([image(make, [...spatial, channels]), parameter(make, kernel)], { ...attributes, dilations });
  };

/** A transposed convolution whose output has a size that an input tells. */
const convolveBack =
  (rank: 4 | 5): Generator =>
  (make) => {
    const { random, graph } = make;
    const [inner, outer] = [random.int(1, 3), random.int(1, 3)];
    const spatial = random.list(rank - 2, () => random.int(2, 4));
    const square = random.pick([1, 2]);
    const value = image(make, [...spatial.map((size) => Math.ceil(size / square)), outer]);
    const filter = parameter(make, [...spatial.map(() => random.int(1, 2)), inner, outer]);
    const counted = random.chance(0.1) ? random.int(0, rank - 1) : 0;
    const first = random.chance(0.9) ? undefined : random.pick([1, make.batch]);
    const sizes = [first ?? -1, ...spatial, inner].map((size, i) =>
      i === counted && first === undefined ? make.rowCount(value) : graph.integers(size === -1 ? 1 : size),
    );
    make.judge([graph.first('Pack', sizes), filter, value], {
      strides: [1, ...spatial.map(() => square), 1],
      padding: 'SAME',
    });
  };

const pool =
  (rank: 4 | 5): Generator =>
  (make) => {
    const { random, op, graph } = make;
    const dims = [...random.list(rank - 2, () => random.int(2, 5)), random.int(1, 3)];
    const size = random.int(1, 2);
    const ksize = [1, ...Array<number>(rank - 2).fill(size), 1];
    if (op === 'MaxPool' && random.chance(0.2)) {
      const across = [1, 1, 1, 2];
      return void make.judge([image(make, dims.with(-1, 4))], {
        ksize: across,
        strides: across,
        padding: 'SAME',
      });
    }
    const attributes = sliding(make, rank, op === 'MaxPool');
    const value = image(make, dims);
    if (op === 'MaxPoolV2')
      return void make.judge(
        [value, make.numbers(ksize), graph.integers(attributes['strides'] as number[])],
        { padding: attributes['padding'] ?? 'SAME' },
      );
    make.judge([value], { ksize, ...attributes });
  };

const dilate: Generator = (make) => {
  const channels = make.random.int(1, 3);
  const { strides = [], padding = 'SAME' } = sliding(make, 4);
  make.judge([image(make, [4, 3, channels]), parameter(make, [2, 2, channels])], {
    strides,
    padding,
    rates: [1, 1, 1, 1],
  });
};

const patches =
  (rank: 4 | 5): Generator =>
  (make) => {
    const { strides = [], padding = 'SAME' } = sliding(make, rank);
    const ksizes = [1, ...Array<number>(rank - 2).fill(2), 1];
    const rates = rank === 4 ? { rates: [1, 1, 1, 1] } : {};
    make.judge([image(make, [...Array<number>(rank - 2).fill(4), 2])], {
      ksizes,
      strides,
      padding,
      ...rates,
    });
  };

const depth: Generator = (make) => {
  const format = make.random.chance(0.8) ? 'NHWC' : 'NCHW';
  make.judge([image(make, format === 'NHWC' ? [2, 4, 4] : [4, 2, 4])], {
    block_size: 2,
    data_format: format,
  });
};

const normalise: Generator = (make) => {
  const { random } = make;
  const isTraining = random.chance(0.4);
  const channels = random.int(1, 3);
  if (isTraining && random.chance(0.6)) return normaliseRows(make);
  const parameters = random.list(4, () => make.fixed([channels], { value: between(0.5, 2) }));
  if (isTraining) parameters.splice(2, 2, make.fixed([0]), make.fixed([0]));
  if (random.chance(0.05)) parameters[0] = make.rows([channels], 0);
  judgeFirst(make, [image(make, [2, 3, channels]), ...parameters], {
    is_training: isTraining,
    epsilon: 0.01,
  });
};

/** Layer normalisation as Keras computes it: the rows are the channels. */
function normaliseRows(make: CaseMaker): void {
  const { random } = make;
  const slices = random.int(1, 2);
  const isFirst = random.chance(0.8);
  const value = make.rows(isFirst ? [1, slices, 3, 1] : [1, 3, 1, slices], isFirst ? 1 : 3);
  const side = () => (random.chance(0.9) ? make.rows([slices]) : make.fixed([slices * make.batch]));
  judgeFirst(make, [value, side(), side(), make.fixed([0]), make.fixed([0])], {
    is_training: true,
    epsilon: 0.01,
    data_format: isFirst ? 'NCHW' : 'NHWC',
  });
}

/** Of the outputs, those for training are not looked at where they hold nothing certain. */
function judgeFirst(make: CaseMaker, inputs: readonly Operand[], attributes: Attributes): void {
  const outputs = make.add(make.op, inputs, attributes);
  make.outputs.push(...outputs.slice(0, 1));
}

const resize: Generator = (make) => {
  const value = image(make, [3, 2, make.random.int(1, 3)]);
  const sizes = make.random.chance(0.1)
    ? make.shapeOf(make.rows([]))
    : make.numbers([make.random.int(1, 5), make.random.int(1, 5)]);
  if (make.op === 'ScaleAndTranslate')
    return void make.judge([value, sizes, make.fixed([2], { value: between(0.5, 2) }), make.fixed([2])]);
  make.judge([value, sizes], make.op === 'ResizeArea' ? {} : { half_pixel_centers: make.random.chance(0.5) });
};

const project: Generator = (make) => {
  const { random } = make;
  const transforms = random.chance(0.6)
    ? make.fixed([1, 8])
    : random.chance(0.5)
      ? make.rows([1, 8])
      : make.fixed([make.batch, 8]);
  const last = make.op === 'ImageProjectiveTransformV3' ? [make.fixed([])] : [];
  make.judge([image(make, [3, 2, 2]), transforms, make.numbers([2, 3]), ...last], {
    interpolation: random.pick(['NEAREST', 'BILINEAR']),
  });
};

/** Images of any dims in front. */
const colours: Generator = (make) => {
  const { random, op } = make;
  const dims = [...make.dims(1, 3), 3];
  const axis = random.chance(0.6) ? 0 : random.int(0, dims.length - 1);
  const own = axis === dims.length - 1 ? dims.with(axis, random.pick([1, 3])) : make.oneSlice(dims, axis);
  const value = random.chance(0.95)
    ? make.rows(own, axis, { value: between(0, 1) })
    : make.fixed(dims, { value: between(0, 1) });
  const factor = random.chance(0.95) ? make.fixed([]) : make.rows([]);
  make.judge(op.startsWith('Adjust') ? [value, factor] : [value]);
};

const suppress: Generator = (make) => {
  const { random } = make;
  const [m, count, classes] = [random.pick([1, 1, 2]), random.int(1, 4), random.int(1, 2)];
  const value = between(0, 1);
  const boxes = random.chance(0.85)
    ? make.rows([m, count, random.pick([1, classes]), 4], 0, { value })
    : make.fixed([make.batch, count, 1, 4], { value });
  const scores = random.chance(0.9)
    ? make.rows([m, count, classes], 0, { value })
    : make.fixed([make.batch, count, classes], { value });
  const numbers = [make.numbers(2), make.numbers(3)];
  const thresholds = [0.5, 0.2].map((each) => make.fixed([], { value: () => each }));
  make.judge([boxes, scores, ...numbers, ...thresholds], { pad_per_class: random.chance(0.5) });
};

/** All steps of an LSTM: time, rows, features. */
const lstm: Generator = (make) => {
  const { random } = make;
  const [time, inner, cell] = [random.int(1, 3), random.int(1, 2), random.int(1, 2)];
  const m = random.pick([1, 1, 2]);
  const state = () => (random.chance(0.9) ? make.rows([m, cell]) : make.fixed([m * make.batch, cell]));
  const x = random.chance(0.95) ? make.rows([time, m, inner], 1) : make.fixed([time, m * make.batch, inner]);
  const weights = [[inner + cell, 4 * cell], [cell], [cell], [cell], [4 * cell]].map((dims) =>
    parameter(make, dims),
  );
  const length = make.numbers(time, 'int64');
  make.judge([length, x, state(), state(), ...weights], { use_peephole: random.chance(0.5), cell_clip: 3 });
};

const lstmCell: Generator = (make) => {
  const { random } = make;
  const [inner, cell, m] = [random.int(1, 2), random.int(1, 2), random.pick([1, 1, 2])];
  const side = (width: number) =>
    random.chance(0.9) ? make.rows([m, width]) : make.fixed([m * make.batch, width]);
  const weights = [[inner + cell, 4 * cell], [cell], [cell], [cell], [4 * cell]].map((dims) =>
    parameter(make, dims),
  );
  make.judge([side(inner), side(cell), side(cell), ...weights], { use_peephole: random.chance(0.5) });
};

const gruCell: Generator = (make) => {
  const { random } = make;
  const [inner, cell, m] = [random.int(1, 2), random.int(1, 2), random.pick([1, 1, 2])];
  const side = (width: number) =>
    random.chance(0.9) ? make.rows([m, width]) : make.fixed([m * make.batch, width]);
  const weights = [[inner + cell, 2 * cell], [inner + cell, cell], [2 * cell], [cell]].map((dims) =>
    parameter(make, dims),
  );
  make.judge([side(inner), side(cell), ...weights]);
};

const generators = new Map<string, Generator>([
  ['MatMul', matMul],
  ...['BatchMatMul', 'BatchMatMulV2', 'BatchMatMulV3'].map((op) => [op, batchMatMul] as const),
  ['Einsum', einsum],
  ['BiasAdd', addBias],
  ['Conv2D', convolve(4)],
  ['DepthwiseConv2dNative', convolve(4)],
  ['Conv3D', convolve(5)],
  ['Conv2DBackpropInput', convolveBack(4)],
  ['Conv3DBackpropInputV2', convolveBack(5)],
  ...['AvgPool', 'MaxPool', 'MaxPoolV2'].map((op) => [op, pool(4)] as const),
  ...['AvgPool3D', 'MaxPool3D'].map((op) => [op, pool(5)] as const),
  ['Dilation2D', dilate],
  ['ExtractImagePatches', patches(4)],
  ['ExtractVolumePatches', patches(5)],
  ['DepthToSpace', depth],
  ['SpaceToDepth', depth],
  ['LRN', (make) => void make.judge([image(make, [2, 2, 4])], { depth_radius: make.random.pick([1, 5]) })],
  ...['ImageProjectiveTransformV2', 'ImageProjectiveTransformV3'].map((op) => [op, project] as const),
  ...['ResizeArea', 'ResizeBicubic', 'ResizeBilinear', 'ResizeNearestNeighbor', 'ScaleAndTranslate'].map(
    (op) => [op, resize] as const,
  ),
  ...['AdjustContrastv2', 'AdjustHue', 'AdjustSaturation', 'HSVToRGB', 'RGBToHSV'].map(
    (op) => [op, colours] as const,
  ),
  ...['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3'].map((op) => [op, normalise] as const),
  ['BlockLSTM', lstm],
  ['BlockLSTMV2', lstm],
  ['LSTMBlockCell', lstmCell],
  ['GRUBlockCell', gruCell],
  ['CombinedNonMaxSuppression', suppress],
]);

// With oneDNN, TensorFlow 2.21 writes beyond the result of a BatchMatMulV2 of [5, 1, 4, 5] and [5, 5].
beforeAll(() => {
  process.env['TF_ENABLE_ONEDNN_OPTS'] = '0';
});

judgeRules([...linearRules.keys(), ...imageRules.keys()], generators, { cases: 20 });
