/** Rules for operations that treat the first dim as the batch: convolutions, pools, and operations on images. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, dimsOf, integersOf, same, type Value } from '../value.js';
import { listRules } from './rule.js';

/** Adds a bias along the last dim, or along the second of `NCHW`. */
function addBias(operation: Operation): Outputs {
  const [value, bias] = [operation.input(0), operation.input(1)];
  if (value.kind === 'same' && bias.kind === 'same') return same(value.dims);
  const unfit = operation.unfit();
  if (unfit || value.kind !== 'rows' || bias.kind !== 'same')
    return unfit ?? operation.mixed('adds a bias that depends on rows');
  const channels = operation.node.text('data_format') === 'NCHW' ? 1 : value.dims.length - 1;
  return value.axis === channels ? operation.mixed('adds another bias to each row') : value;
}

/** Which dims are those of the image, and which is that of the channels. */
interface Format {
  readonly spatial: readonly number[];
  readonly channels: number;
}

function formatOf(operation: Operation, rank: number): Format {
  const isChannelsFirst = operation.node.text('data_format').startsWith('NC');
  const spatial = Array.from({ length: rank - 2 }, (_, i) => i + (isChannelsFirst ? 2 : 1));
  return { spatial, channels: isChannelsFirst ? 1 : rank - 1 };
}

/** The number of windows along a dim. */
function windows(operation: Operation, axis: number, size: Size, kernel: number | undefined): Size {
  const { node } = operation;
  const stride = node.integers('strides')[axis] ?? 1;
  const dilation = node.integers('dilations')[axis] ?? 1;
  const padding = node.text('padding');
  if (padding === 'SAME' && stride === 1) return size;
  const total = size.value;
  if (total === undefined || kernel === undefined) return operation.unknownSize(axis);
  const extent = (kernel - 1) * dilation + 1;
  if (padding === 'SAME') return Size.of(Math.ceil(total / stride));
  const pads = node.integers('explicit_paddings');
  const around = padding === 'EXPLICIT' ? (pads[2 * axis] ?? 0) + (pads[2 * axis + 1] ?? 0) : 0;
  return Size.of(Math.max(0, Math.floor((total + around - extent) / stride) + 1));
}

/** The first input has its rows in front. The others are the same for all. */
function inFront(operation: Operation, dims: (rows: Dims) => Size[] | undefined): Outputs {
  const [value, ...others] = operation.inputs;
  if (others.some(({ kind }) => kind !== 'same'))
    return operation.unfit() ?? operation.mixed('takes rows for a parameter');
  if (value?.kind === 'same') return same(value.dims && dims(value.dims));
  if (value?.kind !== 'rows') return operation.unfit() ?? operation.mixed('has no input');
  if (value.axis !== 0) return operation.mixed('takes another dim than that of the rows for the batch');
  const made = dims(value.dims);
  if (!made) return operation.mixed('takes a tensor of unknown rank');
  return { ...value, dims: [value.dims[0] ?? Size.batch, ...made.slice(1)] };
}

function convolve(operation: Operation): Outputs {
  const filter = dimsOf(operation.input(1));
  const isDepthwise = operation.node.op.startsWith('Depthwise');
  return inFront(operation, (dims) => {
    const { spatial, channels } = formatOf(operation, dims.length);
    const [inner, outer] = [filter?.at(-2), filter?.at(-1)];
    return dims.map((dim, axis) => {
      const i = spatial.indexOf(axis);
      if (i >= 0) return windows(operation, axis, dim, filter?.[i]?.value);
      if (axis !== channels || !outer || !inner) return axis === channels ? operation.unknownSize(axis) : dim;
      return isDepthwise ? inner.times(outer) : outer;
    });
  });
}

/** Pools, possibly also along the channels. */
function pool(operation: Operation): Outputs {
  const kernel = operation.node.integers('ksize');
  return inFront(operation, (dims) =>
    dims.map((dim, axis) => (axis === 0 ? dim : windows(operation, axis, dim, kernel[axis]))),
  );
}

/** Inputs: `input sizes, filter, gradient`. This is a transposed convolution. */
function convolveBack(operation: Operation): Outputs {
  const [sizes, filter, value] = [operation.input(0), operation.input(1), operation.input(2)];
  const wanted = integersOf(sizes);
  if (filter.kind !== 'same') return operation.mixed('takes rows for a filter');
  if (value.kind === 'same')
    return sizes.kind === 'same' ? same(undefined) : operation.mixed('takes the size of the batch');
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const isAlike = value.axis === 0 && wanted?.[0]?.equals(value.dims[0]);
  if (!wanted?.slice(1).every((item) => item && !item.hasBatch))
    return operation.mixed('makes images of a size that depends on the batch');
  if (!isAlike) return operation.mixed('takes another dim than that of the rows for the batch');
  return {
    ...value,
    dims: value.dims.map((dim, axis) => (axis === 0 ? dim : (wanted?.[axis] ?? operation.unknownSize(axis)))),
  };
}

/**
 * Normalises. In training, the mean of a channel is that of all rows. If the rows are the channels, each has a mean of
 * its own: layer normalisation is computed that way.
 */
function normaliseBatch(operation: Operation): Outputs {
  const [value, ...others] = operation.inputs;
  const isTraining = operation.node.flagOr('is_training', true);
  if (
    isTraining &&
    value?.kind === 'rows' &&
    value.axis === formatOf(operation, value.dims.length).channels
  ) {
    const size = value.dims[value.axis];
    const [scale, offset, ...given] = others;
    const isOwn = [scale, offset].every(
      (each) => each?.kind === 'rows' && each.axis === 0 && each.dims[0]?.equals(size),
    );
    if (isOwn && scale && given.every(({ kind }) => kind === 'same'))
      return [value, ...Array<Value>(5).fill(scale)];
  }
  if (isTraining && operation.inputs.some(({ kind }) => kind !== 'same'))
    return operation.mixed('takes the mean of all rows: it is in training');
  if (others.some(({ kind }) => kind !== 'same'))
    return operation.unfit() ?? operation.mixed('takes rows for a mean');
  if (value?.kind === 'rows' && value.axis !== 0)
    return operation.mixed('takes another dim than that of the rows for the batch');
  if (value?.kind !== 'rows' && value?.kind !== 'same')
    return operation.unfit() ?? operation.mixed('has no input');
  const rest = same(undefined);
  return [value.kind === 'rows' ? value : same(value.dims), rest, rest, rest, rest, rest];
}

/** Resizes each image by itself. An input holds the sizes. */
function resize(operation: Operation): Outputs {
  const sizes = integersOf(operation.input(1));
  return inFront(operation, (dims) =>
    dims.map((dim, axis) =>
      axis === 1 || axis === 2 ? (sizes?.[axis - 1] ?? operation.unknownSize(axis)) : dim,
    ),
  );
}

/** Works on each image by itself. The dims after the first stay. */
function eachImage(operation: Operation): Outputs {
  return inFront(operation, (dims) =>
    dims.map((dim, axis) => (axis === 0 ? dim : operation.unknownSize(axis))),
  );
}

/** Inputs: `images, transforms, …`. There is one transform for all images, or one for each. */
function projectImages(operation: Operation): Outputs {
  const [images, transforms] = [operation.input(0), operation.input(1)];
  const isOne = transforms.kind === 'same' && transforms.dims?.[0]?.is(1);
  return images.kind === 'rows' && !isOne
    ? operation.mixed('takes another transform for each row')
    : eachImage(operation);
}

function eachImageAlike(operation: Operation): Outputs {
  return inFront(operation, (dims) => [...dims]);
}

/** Works on pixels or whole images, whatever the dims in front. */
function lastDims(count: number): (operation: Operation) => Outputs {
  return (operation) => {
    const [value, ...others] = operation.inputs;
    if (others.some(({ kind }) => kind !== 'same'))
      return operation.unfit() ?? operation.mixed('takes rows for a parameter');
    if (value?.kind === 'same') return same(value.dims);
    if (value?.kind !== 'rows') return operation.unfit() ?? operation.mixed('has no input');
    return value.axis < value.dims.length - count ? value : operation.mixed('works across the rows');
  };
}

/** Inputs: `boxes [rows, …], scores [rows, …]`. Gives the detections of each image. */
function suppress(operation: Operation): Outputs {
  const [boxes, scores, ...others] = operation.inputs;
  if (operation.inputs.every(({ kind }) => kind === 'same')) return same(undefined);
  const unfit = operation.unfit();
  if (
    unfit ||
    boxes?.kind !== 'rows' ||
    scores?.kind !== 'rows' ||
    others.some(({ kind }) => kind !== 'same')
  )
    return unfit ?? operation.mixed('joins rows with what has none');
  if (boxes.axis !== 0 || scores.axis !== 0 || !boxes.dims[0]?.equals(scores.dims[0]))
    return operation.mixed('takes another dim than that of the rows for the batch');
  const first = boxes.dims[0] ?? Size.batch;
  return [2, 1, 1, 0].map((count, output) => ({
    kind: 'rows',
    axis: 0,
    dims: [first, ...operation.unknownSizes(count, output)],
  }));
}

const [image, volume] = [{ 0: 4 }, { 0: 5 }];

export const imageRules = listRules(
  ['BiasAdd', { rule: addBias, takesDealt: true }],
  ['Conv2D DepthwiseConv2dNative', { rule: convolve, takesDealt: true, ranks: { 0: 4, 1: 4 } }],
  ['Conv3D', { rule: convolve, takesDealt: true, ranks: { 0: 5, 1: 5 } }],
  ['Conv2DBackpropInput', { rule: convolveBack, ranks: { 2: 4 } }],
  ['Conv3DBackpropInputV2', { rule: convolveBack, ranks: { 2: 5 } }],
  ['AvgPool MaxPool', { rule: pool, takesDealt: true, ranks: image }],
  ['AvgPool3D MaxPool3D', { rule: pool, takesDealt: true, ranks: volume }],
  ['MaxPoolV2 Dilation2D ExtractImagePatches DepthToSpace SpaceToDepth', { rule: eachImage, ranks: image }],
  ['ExtractVolumePatches', { rule: eachImage, ranks: volume }],
  ['LRN', { rule: eachImageAlike, ranks: image }],
  ['ImageProjectiveTransformV2 ImageProjectiveTransformV3', { rule: projectImages, ranks: image }],
  [
    'ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate',
    { rule: resize, ranks: image },
  ],
  ['AdjustContrastv2', { rule: lastDims(3) }],
  ['AdjustHue AdjustSaturation HSVToRGB RGBToHSV', { rule: lastDims(1) }],
  [
    'FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3',
    {
      rule: normaliseBatch,
      takesDealt: true,
      outputs: ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2', 'reserve_space_3'],
      ranks: image,
    },
  ],
  [
    'CombinedNonMaxSuppression',
    {
      rule: suppress,
      outputs: ['nmsed_boxes', 'nmsed_scores', 'nmsed_classes', 'valid_detections'],
      ranks: { 0: 4, 1: 3 },
    },
  ],
);
