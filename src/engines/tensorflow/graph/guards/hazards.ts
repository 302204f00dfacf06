/**
 * Operations that end the process for some input in TensorFlow 2.21 on the CPU, and what each needs so that it does
 * not.
 *
 * Each line names what fails otherwise: a CHECK of TensorFlow, an assertion of a library, or a division by zero. `make
 * fuzz-operations` proves every line.
 */
import type { GraphNode } from '../graph-def.js';
import {
  broadcastAtMost,
  type Condition,
  countAtLeast,
  countIs,
  dimAtLeast,
  dimIsWindows,
  rankAtLeast,
  rankAtMostThat,
  rankIs,
  restAtLeast,
  valuesAreNumbers,
  valuesAtLeast,
  valuesAtMost,
} from './condition.js';

export interface Hazard {
  readonly needs: (node: GraphNode) => readonly Condition[];
}

/** TensorFlow makes lists with a number for each element. A list of this length takes half a gigabyte. */
const mostInLists = 2 ** 26;

/** Less than 2^63, where TensorFlow's count ends. No memory has room for as many. */
const mostElements = 10 ** 18;

type Needs = readonly Condition[] | ((node: GraphNode) => readonly Condition[]);

/** The ranks of the first inputs. */
const ranks = (...all: readonly number[]): Condition[] => all.map((rank, input) => rankIs(input, rank));

/** The window fits somewhere into the picture. */
function windowsFit(node: GraphNode): Condition[] {
  if (node.text('padding') !== 'VALID') return [];
  return node
    .integers('ksize')
    .flatMap((size, axis) =>
      size > 1 ? { ...dimAtLeast(0, axis, size), words: windowWords(size, axis) } : [],
    );
}

function windowWords(size: number, axis: number): string {
  return `pictures that are as large as its window: ${size} or more along dim ${axis} of input 0`;
}

/** The gradient has the size of a pooled picture. The list of sizes tells how large the picture is. */
function fitsSizes(node: GraphNode): Condition[] {
  const strides = node.integers('strides');
  const isPadded = node.text('padding') === 'SAME';
  return node
    .integers('ksize')
    .map((size, axis) => dimIsWindows([1, axis], { list: 0, size, stride: strides[axis] ?? 1, isPadded }));
}

/** TensorFlow makes a list with a number for each matrix. The memory may have no room for the list. */
const fewMatrices = broadcastAtMost('matrices', { input: 0, inputs: 2, without: 2 }, mostInLists);

/** If both factors have an ellipsis, its dims are broadcast. */
function fewInEllipsis(node: GraphNode): Condition[] {
  const [inputs = ''] = node.text('equation').split('->');
  const behind = inputs.split(',').map((labels) => labels.replaceAll(' ', '').split('...')[1]?.length);
  const [first, second] = behind;
  if (first === undefined || second === undefined) return [];
  const without = first === second ? first : 0;
  return [broadcastAtMost('elements', { input: 0, inputs: 2, without }, mostInLists)];
}

/** The input has as many dims as there are strides. */
function anyConvolution(node: GraphNode): Condition[] {
  const rank = node.integers('strides').length;
  return [rankIs(0, rank + node.integer('batch_dims', 1) - 1), rankIs(1, rank)];
}

/** The size of the batch may be -1, which stands for that of the gradient. */
function sizesOfBatch(input: number): Condition[] {
  return [valuesAtLeast(input, -1), restAtLeast(input, 0)];
}

/** There is one number for the whole tensor, unless an axis has one for each of its parts. */
function onesWithoutAxis(...inputs: readonly number[]): (node: GraphNode) => readonly Condition[] {
  return (node) => (node.integer('axis', -1) < 0 ? inputs.map((input) => countIs(input, 1)) : []);
}

/** The indices have one dim for each level of the result that the parameters lack. */
function raggedIndices(node: GraphNode): Condition[] {
  const levels = node.integer('PARAMS_RAGGED_RANK', 1);
  return [rankIs(levels + 1, node.integer('OUTPUT_RAGGED_RANK', 0) - levels + 1)];
}

/** The sizes of the boxes do not give NaN. */
function boxesAreFinite(input: number): Condition[] {
  const most = 2 ** 53 - 1;
  return [valuesAtLeast(input, -most), valuesAtMost(input, most)];
}

/** Each key is one text. The keys come in two lists, after the examples and their names. */
function oneTextForEachKey(node: GraphNode): Condition[] {
  const keys = node.integer('Nsparse') + node.integer('Ndense');
  return node.inputs.slice(2, 2 + keys).map((_, key) => countIs(2 + key, 1));
}

/** The last inputs have these numbers of elements. Their positions depend on the lists before them. */
function lastCounts(...counts: readonly number[]): (node: GraphNode) => readonly Condition[] {
  return ({ inputs }) => counts.map((count, i) => countIs(inputs.length - counts.length + i, count));
}

/**
 * The inputs after the lists are a number of buckets, a kind of hash, and two numbers of salt. The strong hash reads
 * whole numbers as texts.
 */
function crossed(node: GraphNode): readonly Condition[] {
  const kind = node.inputs.length - 2;
  const isOfNumbers = node.types('dense_types').includes(int64);
  const weak = {
    ...valuesAtMost(kind, 0),
    words: `no strong hash in input ${kind}: it crosses whole numbers`,
  };
  return [...lastCounts(1, 1, 2)(node), ...(isOfNumbers ? [weak] : [])];
}

/** The number of int64 in `tensorflow.DataType`. */
const int64 = 9;

/** Each partition is as long as the one before says, and so are the values. TensorFlow would read past their ends. */
function raggedRows(node: GraphNode): Condition[] {
  const kinds = node.texts('row_partition_types').slice(0, node.inputs.length - firstPartition);
  let told: { readonly of: 'most' | 'count'; readonly input: number } | undefined;
  const needs = [rankAtLeast(1, 1)];
  for (const [i, kind] of kinds.entries()) {
    const input = firstPartition + i;
    needs.push(valuesAtLeast(input, 0));
    if (kind === 'FIRST_DIM_SIZE') needs.push(countIs(input, 1), valuesAtMost(input, mostRows));
    if (kind === 'ROW_SPLITS') {
      needs.push(rankAtLeast(input, 1), countAtLeast(input, 1));
      if (told) needs.push(isAsLong(input, { ...told, plus: 1 }));
    }
    told = { of: kind === 'VALUE_ROWIDS' ? 'count' : 'most', input };
  }
  return told && kinds.at(-1) !== 'FIRST_DIM_SIZE' ? [...needs, isAsLong(1, told)] : needs;
}

/** The first partition of RaggedTensorToTensor follows its shape, values and default. */
const firstPartition = 3;

function isAsLong(
  input: number,
  right: { readonly of: 'most' | 'count'; readonly input: number; readonly plus?: number },
): Condition {
  const words = `as many rows in input ${input} as input ${right.input} says`;
  return { left: { of: 'dim', input, axis: 0 }, relation: '=', right, words };
}

/** More rows than any request has. */
const mostRows = 2 ** 24;

/** More boxes than any model returns. */
const mostBoxes = 2 ** 20;

const lines: readonly (readonly [operations: string, needs: Needs])[] = [
  // GetTensorDim asks for an axis before anybody looks at the rank (tensor_format.h: index < num_total_dims).
  ['Conv2D DepthwiseConv2dNative', ranks(4, 4)],
  ['Conv3D', ranks(5, 5)],
  ['Conv', anyConvolution],
  // mkl_conv_grad_input_ops.cc: IsVector(input_tensor.shape()), MakeShape is OK.
  ['Conv2DBackpropInput DepthwiseConv2dNativeBackpropInput', [...ranks(1, 4, 4), ...sizesOfBatch(0)]],
  ['Conv3DBackpropInputV2', [...ranks(1, 5, 5), countIs(0, 5), ...sizesOfBatch(0)]],
  [
    'Conv2DBackpropFilter DepthwiseConv2dNativeBackpropFilter',
    [...ranks(4, 1, 4), countIs(1, 4), valuesAtLeast(1, 0)],
  ],
  ['Conv3DBackpropFilterV2', [...ranks(5, 1, 5), countIs(1, 5), valuesAtLeast(1, 0)]],
  // mkl_pooling_ops_common.cc and oneDNN divide by the size of the output, which is 0 where the window fits nowhere.
  ['MaxPool', (node) => [rankIs(0, 4), ...windowsFit(node)]],
  ['MaxPool3D', (node) => [rankIs(0, 5), ...windowsFit(node)]],
  // Both read and write behind the ends of what the sizes say.
  ['AvgPoolGrad', (node) => [...ranks(1, 4), countIs(0, 4), ...fitsSizes(node)]],
  ['AvgPool3DGrad', (node) => [...ranks(1, 5), countIs(0, 5), ...fitsSizes(node)]],
  // scatter_nd_op.cc compares the dims of the updates with those of the indices, which may be more.
  [
    'TensorScatterAdd TensorScatterSub TensorScatterMin TensorScatterMax TensorScatterUpdate',
    [rankAtMostThat(1, 2, 1)],
  ],
  ['ScatterNd', [rankAtMostThat(0, 1, 1)]],
  // non_max_suppression_op.cc: boxes.dim_size(2); and memory for as many boxes as it is to give at most.
  ['CombinedNonMaxSuppression', [...ranks(4, 3), valuesAtMost(2, mostBoxes), valuesAtMost(3, mostBoxes)]],
  // DUCC asserts that the length of a transform is not 0.
  ['RFFT RFFT2D RFFT3D IRFFT IRFFT2D IRFFT3D', [valuesAtLeast(1, 1)]],
  ['LSTMBlockCell', ranks(2, 2, 2, 2, 1, 1, 1, 1)],
  ['LSTMBlockCellGrad', ranks(2, 2, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2)],
  // fake_quant_ops.cc: the last dim of the inputs.
  ['FakeQuantWithMinMaxVarsPerChannel', [rankAtLeast(0, 1)]],
  ['FakeQuantWithMinMaxVarsPerChannelGradient', [rankAtLeast(0, 1), rankAtLeast(1, 1)]],
  // nearest_neighbors ops: a shape of k columns.
  ['NearestNeighbors', [valuesAtLeast(2, 0)]],
  // tensor.h: scalar() of a tensor with more or fewer elements.
  [
    'QuantizeAndDequantizeV3',
    (node) => [countIs(3, 1), ...(node.integer('axis', -1) < 0 ? [countIs(1, 1), countIs(2, 1)] : [])],
  ],
  ['QuantizeV2 Dequantize', onesWithoutAxis(1, 2)],
  // mkl_qmatmul_op.cc: dims of a matrix, and scalar() of the ranges of both factors.
  [
    ['', 'AndDequantize', 'AndRelu', 'AndReluAndRequantize', 'AndRequantize']
      .map((rest) => `QuantizedMatMulWithBias${rest}`)
      .join(' '),
    [...ranks(2, 2), ...[3, 4, 5, 6].map((input) => countIs(input, 1))],
  ],
  // quantized_instance_norm.cc divides by the number of channels.
  ['QuantizedInstanceNorm', [rankIs(0, 4), dimAtLeast(0, 3, 1)]],
  // crop_and_resize_op.cc does not look at the ranks where there are no boxes, and reads anywhere at boxes
  // whose sizes are NaN.
  ['CropAndResize', boxesAreFinite(1)],
  ['CropAndResizeGradBoxes', [...ranks(4, 4, 2, 1), ...boxesAreFinite(2)]],
  ['CropAndResizeGradImage', [...ranks(4, 2, 1), ...boxesAreFinite(1)]],
  // ragged_gather_op.cc writes as many splits as it has found, after the last output too.
  ['RaggedGather', raggedIndices],
  // tensor.h: scalar() of a key, of the last input, a name, and of a number of rows.
  ['ParseExample', oneTextForEachKey],
  ['ParseSingleSequenceExample', lastCounts(1)],
  ['SparseCrossHashed', crossed],
  ['RaggedTensorToTensor', raggedRows],
  // These do not end: adjust_hue_op.cc adds 1 until a number is not negative, and the draws meet no end at NaN.
  ['AdjustHue', [valuesAtLeast(1, -1), valuesAtMost(1, 1)]],
  ['StatelessRandomPoisson', [valuesAreNumbers(2)]],
  [
    'StatelessRandomBinomial',
    [valuesAreNumbers(2), broadcastAtMost('elements', { input: 2, inputs: 2, without: 0 }, mostInLists)],
  ],
  ['RandomPoissonV2', [valuesAreNumbers(1)]],
  // tensor_shape.cc: the last dim of the output image.
  ['LRNGrad', ranks(4, 4, 4)],
  // tensor.h: scalar() of the index.
  ['TensorListGetItem', [countIs(1, 1)]],
  // tensor_shape.cc: the shape that all inputs are broadcast to.
  ['SelectV2', [broadcastAtMost('elements', { input: 0, inputs: 3, without: 0 }, mostElements)]],
  // bcast.h: lists of which element is at which place; std::bad_alloc ends the process.
  ['BatchMatMulV2 BatchMatMulV3 MatrixTriangularSolve BandedTriangularSolve', [fewMatrices]],
  ['Einsum', fewInEllipsis],
  [
    'StatelessParameterizedTruncatedNormal',
    [broadcastAtMost('elements', { input: 2, inputs: 4, without: 0 }, mostInLists)],
  ],
  // batch_kernels.cc: the dims of batch_index.
  ['Unbatch', [rankIs(1, 2)]],
];

export const hazards: ReadonlyMap<string, Hazard> = new Map(
  lines.flatMap(([operations, needs]) =>
    operations
      .split(' ')
      .map((name): [string, Hazard] => [name, { needs: typeof needs === 'function' ? needs : () => needs }]),
  ),
);
