/**
 * Rules for operations along axes: sums, means, cumulative sums, softmax, Fourier transforms, decompositions of
 * matrices.
 */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import {
  type Dims,
  dimsOf,
  everyRow,
  type Flat,
  integers,
  integersOf,
  numbersOf,
  type RowPartition,
  same,
  type Value,
} from '../value.js';
import { inRange } from './elements.js';
import { listRules } from './rule.js';

function reduce(operation: Operation): Outputs {
  const [value, along] = [operation.input(0), operation.input(1)];
  const items = integersOf(value);
  const keeps = operation.node.flag('keep_dims');
  if (items && !keeps && dimsOf(value)?.length === 1 && numbersOf(along)?.length !== 0)
    return reduceItems(operation, items);
  if (value.kind === 'sizes') return operation.mixed('works on the size of the batch');
  if (value.kind === 'every row') return operation.mixed('takes rows together');
  if (value.kind === 'flat' || value.kind === 'partition') return reduceRagged(operation, value);
  const dims = dimsOf(value);
  const axes = dims && operation.axes(along, dims.length);
  if (along.kind !== 'same') return operation.mixed('works along an axis that depends on the rows');
  const left = dims?.flatMap((dim, axis) => (!axes?.includes(axis) ? [dim] : keeps ? [Size.one] : []));
  if (value.kind === 'same') return same(axes && left);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (!axes) return operation.mixed('works along an axis that is not known');
  if (axes.includes(value.axis)) {
    const isEvery = operation.node.op === 'All' && !keeps && left?.length === 0;
    if (isEvery) return everyRow;
    const together = operation.mixed('takes rows together');
    return left?.length === 0 ? { ...together, isScalar: true } : together;
  }
  const before = axes.filter((axis) => axis < value.axis).length;
  return { ...value, axis: keeps ? value.axis : value.axis - before, dims: left ?? [] };
}

function reduceRagged(operation: Operation, value: Flat | RowPartition): Value {
  const isVector = value.kind === 'flat' ? value.inner.length === 0 : value.form !== 'indices';
  const isWhole =
    isVector && numbersOf(operation.input(1))?.join() === '0' && !operation.node.flag('keep_dims');
  return { ...operation.mixed('takes rows together'), isScalar: isWhole || undefined };
}

/** Reduces the numbers of a shape. */
function reduceItems(operation: Operation, items: readonly (Size | undefined)[]): Value {
  const { op } = operation.node;
  const numbers = items.map((item) => item?.value);
  const known = numbers.every((each) => each !== undefined) ? (numbers as number[]) : undefined;
  const product = items.every((item) => item !== undefined) ? Size.product(items as Dims) : undefined;
  if (op === 'Prod' && inRange(product)) return integers([product], true);
  if (items.length === 1 && op !== 'EuclideanNorm') return integers(items, true);
  const compute: Readonly<Record<string, ((numbers: number[]) => number) | undefined>> = {
    Sum: (all) => all.reduce((a, b) => a + b, 0),
    Max: (all) => Math.max(...all),
    Min: (all) => Math.min(...all),
    All: (all) => Number(all.every((each) => each !== 0)),
    Any: (all) => Number(all.some((each) => each !== 0)),
  };
  const computed = known && compute[op]?.(known);
  if (computed !== undefined && inRange(Size.of(computed))) return integers([Size.of(computed)], true);
  const isSame = items.every((item) => item && !item.hasBatch);
  return isSame ? same([]) : operation.mixed('works on the size of the batch');
}

/** The index of the greatest or least value. The dim is removed. */
function place(operation: Operation): Outputs {
  const value = operation.input(0);
  const dims = dimsOf(value);
  const axis = dims && operation.axis(operation.input(1), dims.length);
  if (value.kind === 'same') return same(axis === undefined ? undefined : dims?.toSpliced(axis, 1));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (axis === undefined || axis === value.axis) return operation.mixed('takes rows together');
  return {
    ...value,
    axis: axis < value.axis ? value.axis - 1 : value.axis,
    dims: value.dims.toSpliced(axis, 1),
  };
}

/** Works along one axis, which stays. */
function along(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'same' && operation.input(1).kind === 'same') return same(value.dims);
  if (value.kind === 'partition') return endsOf(operation, value);
  if (value.kind !== 'rows')
    return operation.unfit() ?? operation.mixed('works along an axis that depends on the rows');
  const axis = operation.axis(operation.input(1), value.dims.length);
  return axis === undefined || axis === value.axis ? operation.mixed('takes rows together') : value;
}

/** The number of slices that all rows up to each one have. */
function endsOf(operation: Operation, value: RowPartition): Outputs {
  const { node } = operation;
  const isRunning =
    node.op === 'Cumsum' &&
    value.form === 'lengths' &&
    numbersOf(operation.input(1))?.join() === '0' &&
    !node.flag('exclusive') &&
    !node.flag('reverse');
  return isRunning ? { ...value, form: 'ends' } : operation.mixed('has no rule for an input that is ragged');
}

function all(operation: Operation): Outputs {
  const isSame = operation.inputs.every(({ kind }) => kind === 'same');
  return isSame
    ? same(operation.node.op === 'L2Loss' ? [] : undefined)
    : (operation.unfit() ?? operation.mixed('takes rows together'));
}

interface InnerOptions {
  /** The number of trailing dims that are worked on together, in each input that has rows. */
  readonly inner: number;
  /** For each output, the number of trailing dims in their place. */
  readonly made: readonly number[];
  /** The inputs that must be the same for all. */
  readonly fixed?: readonly number[];
}

/** Works on trailing dims. The dims in front are those of a batch, and equal in all inputs with rows. */
function inner({ inner: count, made, fixed = [] }: InnerOptions): (operation: Operation) => Outputs {
  return (operation) => {
    const unfit = operation.unfit();
    if (unfit) return unfit;
    if (fixed.some((i) => operation.inputs[i] && operation.inputs[i].kind !== 'same'))
      return operation.mixed('takes rows for a parameter');
    const values = operation.inputs.filter((_, i) => !fixed.includes(i));
    const rows = values.find((value) => value.kind === 'rows');
    const front = dimsOf(rows ?? operation.input(0));
    const outputs = (build: (dims: Size[], output: number) => Value): Outputs => {
      const all = made.map((length, output) =>
        build(
          [
            ...(front ?? []).slice(0, (front?.length ?? 0) - count),
            ...operation.unknownSizes(length, output),
          ],
          output,
        ),
      );
      return all.length === 1 ? (all[0] as Value) : all;
    };
    const hasFrontOf = (value: Value) => frontOf(value, count) === frontOf(rows ?? operation.input(0), count);
    if (!rows) return front && values.every(hasFrontOf) ? outputs((dims) => same(dims)) : same(undefined);
    if (rows.axis >= rows.dims.length - count) return operation.mixed('works across the rows');
    const isAlike = values.every(
      (value) => value.kind === 'rows' && value.axis === rows.axis && hasFrontOf(value),
    );
    if (!isAlike) return operation.mixed('joins rows with what has none, or other ones');
    return outputs((dims) => ({ kind: 'rows', axis: rows.axis, dims }));
  };
}

/** Names the dims in front of those that are worked on together. Different ones would be broadcast. */
function frontOf(value: Value, inner: number): string | undefined {
  const dims = dimsOf(value);
  return dims
    ?.slice(0, dims.length - inner)
    .map(({ key }) => key)
    .join();
}

/** Keeps the last dim as it is. */
function lastDim(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'same') return same(value.dims);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  return value.axis < value.dims.length - 1 ? value : operation.mixed('takes rows together');
}

/** Counts in each row of a matrix. A vector is one row. */
function count(operation: Operation): Outputs {
  const [value, size, weights] = [operation.input(0), operation.input(1), operation.input(2)];
  if (operation.inputs.every(({ kind }) => kind === 'same')) return same(undefined);
  const isWeightless = weights.kind === 'same' && weights.dims?.some((dim) => dim.is(0)) === true;
  if (value.kind === 'partition') return lengthsOf(operation, value, isWeightless);
  const isAlike =
    value.kind === 'rows' &&
    value.axis === 0 &&
    value.dims.length === 2 &&
    size.kind === 'same' &&
    (isWeightless || (weights.kind === 'rows' && weights.axis === 0 && weights.dims.length === 2));
  if (!isAlike) return operation.unfit() ?? operation.mixed('counts rows together');
  return { kind: 'rows', axis: 0, dims: [value.dims[0] ?? Size.batch, operation.unknownSize(1)] };
}

/** Counts the numbers of the rows. The result is the number of slices of each row. */
function lengthsOf(operation: Operation, value: RowPartition, isWeightless: boolean): Outputs {
  const size = operation.input(1);
  const isEach =
    value.form === 'rowids' &&
    isWeightless &&
    !operation.node.flag('binary_output') &&
    size.kind === 'sizes' &&
    size.isScalar &&
    size.items[0]?.equals(Size.batch) === true;
  return isEach ? { ...value, form: 'lengths' } : operation.mixed('counts rows together');
}

/** Inputs: `row splits, values, size, weights`. Counts within each row. */
function countRagged(operation: Operation): Outputs {
  const [splits, values, size, weights] = operation.inputs;
  if (operation.inputs.every(({ kind }) => kind === 'same')) return same(undefined);
  const isAlike =
    splits?.kind === 'partition' &&
    splits.form === 'splits' &&
    values?.kind === 'flat' &&
    values.partition === splits.partition &&
    values.inner.length === 0 &&
    size?.kind === 'same' &&
    weights?.kind === 'same' &&
    weights.dims?.some((dim) => dim.is(0)) === true;
  if (!isAlike) return operation.mixed('joins a ragged tensor with another one');
  return { kind: 'rows', axis: 0, dims: [Size.batch, integersOf(size)?.[0] ?? operation.unknownSize(1)] };
}

/** Scatters into a tensor with rows. The places are the same for all, and not along the rows. */
function scatter(operation: Operation): Outputs {
  const isSame = operation.inputs.every(({ kind }) => kind === 'same');
  return isSame
    ? same(dimsOf(operation.input(0)))
    : (operation.unfit() ?? operation.mixed('writes to places that may be other rows'));
}

/**
 * True if the result is one diagonal (a vector), false for several (a matrix).
 * @param place is the input that says which
 */
function isOneDiagonal(operation: Operation, place: number): boolean | undefined {
  const diagonals = numbersOf(operation.input(place));
  return diagonals && diagonals[0] === diagonals.at(-1);
}

/** Inputs: `matrix, diagonals, padding`. */
function takeDiagonals(operation: Operation): Outputs {
  const isOne = isOneDiagonal(operation, 1);
  if (isOne === undefined) return operation.mixed('takes diagonals that are not known');
  return inner({ inner: 2, made: [isOne ? 1 : 2], fixed: [1, 2] })(operation);
}

/** Inputs: `diagonals, which, rows, columns, padding`. */
function makeDiagonals(operation: Operation): Outputs {
  const isOne = isOneDiagonal(operation, 1);
  if (isOne === undefined) return operation.mixed('sets diagonals that are not known');
  return inner({ inner: isOne ? 1 : 2, made: [2], fixed: [1, 2, 3, 4] })(operation);
}

/**
 * Decomposes matrices. An attribute says whether the outputs after the first are computed. Otherwise they hold whatever
 * was in memory.
 */
function decompose(flag: string, made: readonly number[]): (operation: Operation) => Outputs {
  const rule = inner({ inner: 2, made });
  return (operation) => {
    const outputs = rule(operation);
    if ('kind' in outputs || operation.node.flagOr(flag, true)) return outputs;
    return outputs.map((output, i) => (i === 0 ? output : operation.mixed('does not compute an output')));
  };
}

const scalarOf = inner({ inner: 2, made: [0] });
const matrixOf = inner({ inner: 2, made: [2] });

export const reductionRules = listRules(
  ['All Any EuclideanNorm Max Mean Min Prod Sum ReduceJoin', { rule: reduce }],
  ['ArgMax ArgMin', { rule: place }],
  ['Cumprod Cumsum CumulativeLogsumexp', { rule: along }],
  ['L2Loss', { rule: all }],
  ['LogSoftmax Softmax', { rule: lastDim }],
  ['FFT IFFT', { rule: inner({ inner: 1, made: [1] }) }],
  ['RFFT IRFFT', { rule: inner({ inner: 1, made: [1], fixed: [1] }) }],
  ['FFT2D IFFT2D', { rule: matrixOf }],
  ['RFFT2D IRFFT2D', { rule: inner({ inner: 2, made: [2], fixed: [1] }) }],
  ['FFT3D IFFT3D', { rule: inner({ inner: 3, made: [3] }) }],
  ['RFFT3D IRFFT3D', { rule: inner({ inner: 3, made: [3], fixed: [1] }) }],
  ['NthElement', { rule: inner({ inner: 1, made: [0], fixed: [1] }) }],
  ['AudioSpectrogram', { rule: all }],
  ['MatrixBandPart', { rule: inner({ inner: 2, made: [2], fixed: [1, 2] }) }],
  ['MatrixDiagPartV2 MatrixDiagPartV3', { rule: takeDiagonals }],
  ['MatrixDiagV2 MatrixDiagV3', { rule: makeDiagonals }],
  ['MatrixDiag', { rule: inner({ inner: 1, made: [2] }) }],
  ['MatrixDiagPart', { rule: inner({ inner: 2, made: [1] }) }],
  ['Cholesky MatrixInverse MatrixExponential MatrixLogarithm MatrixSquareRoot', { rule: matrixOf }],
  ['MatrixSolve MatrixTriangularSolve', { rule: matrixOf }],
  ['MatrixDeterminant', { rule: scalarOf }],
  ['Cross', { rule: inner({ inner: 1, made: [1] }) }],
  ['SelfAdjointEigV2', { rule: decompose('compute_v', [1, 2]), outputs: ['e', 'v'] }],
  ['Svd', { rule: decompose('compute_uv', [1, 2, 2]), outputs: ['s', 'u', 'v'] }],
  ['Qr', { rule: inner({ inner: 2, made: [2, 2] }), outputs: ['q', 'r'] }],
  ['DenseBincount', { rule: count }],
  ['RaggedBincount', { rule: countRagged }],
  [
    'TensorScatterUpdate TensorScatterAdd TensorScatterSub TensorScatterMax TensorScatterMin',
    { rule: scatter },
  ],
);
