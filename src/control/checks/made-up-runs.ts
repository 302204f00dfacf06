/** Runs a model that does not serve yet, at low priority and with made-up inputs. */

import type { InferenceModel, RunOptions, RunResult } from '../../engines/inference-model.js';
import type { Signature, TensorSpec } from '../../engines/signature.js';
import { ServingError } from '../../errors.js';
import { within } from '../../flow/within.js';
import { elementCount, type FixedDtype } from '../../tensors/dtypes.js';
import { allocate, toBfloat16, toFloat16 } from '../../tensors/values.js';
import { createTensor, disposeTensors, type NamedTensors, type Tensor } from '../../tfjs/tensors.js';
import { type Moment, secondsUntil } from '../../time.js';

export interface BeforehandOptions extends Pick<RunOptions, 'outputs' | 'padding'> {
  readonly deadline: Moment;
}

/**
 * Runs once.
 *
 * @param members are disposed when the run has ended, even if that is after the deadline
 * @returns outputs that the caller disposes
 * @throws ServingError the error of the run, or DEADLINE_EXCEEDED
 */
export async function runBeforehand(
  model: InferenceModel,
  signature: Signature,
  members: readonly NamedTensors[],
  { deadline, ...options }: BeforehandOptions,
): Promise<RunResult> {
  const seconds = Math.max(0.001, secondsUntil(deadline));
  let isLate = false;
  const run = model.predict(signature, members, { ...options, background: true });
  run
    .then(
      ({ outputs }) => isLate && disposeTensors(outputs),
      () => {},
    )
    .finally(() => members.forEach(disposeTensors));
  return within(seconds, run, () => {
    isLate = true;
    return new ServingError('DEADLINE_EXCEEDED', 'it took longer than --warmup-timeout');
  });
}

/** An image of 1 × 1 is smaller than most windows. For it, oneDNN returns whatever is in memory. */
const imageSize = 16;

/** The shape of one row, with the batch dim. An unknown dim is 1, or a few pixels of an image. */
export function rowShape({ shape }: TensorSpec): number[] {
  if (shape === null) return [1];
  const isPixels = (axis: number) => shape.length > 3 && axis > 0 && axis < shape.length - 1;
  return shape.map((dim, axis) => dim ?? (isPixels(axis) ? imageSize : 1));
}

/**
 * The number of rows that are made up and run alone. Larger batches repeat them. They differ in size and sign, and in
 * nearly every element: equal rows would hide what they do to each other.
 */
export const distinctRows = 4;

/**
 * Makes one row of values: numbers from 0 to 1, negative ones, large ones, and zeros; small whole numbers, which may be
 * indices; both bools; texts of several lengths.
 *
 * @param place says which of the rows, and is less than {@link distinctRows}
 */
export function makeRow(spec: TensorSpec, place = 0): Tensor {
  const shape = rowShape(spec);
  const count = elementCount(shape);
  const { dtype } = spec;
  if (dtype === 'string') {
    return createTensor(
      dtype,
      shape,
      Array.from({ length: count }, (_, i) => texts[small(i, place, texts.length)] as Uint8Array),
    );
  }
  const { values, bytes } = allocate(dtype, count);
  const make = maker(dtype, place);
  for (let i = 0; i < values.length; i++) values[i] = make(i);
  return createTensor(dtype, shape, bytes);
}

const texts = ['', 'a row', '7', 'a longer row of several words'].map((text) =>
  new TextEncoder().encode(text),
);

/** Gives the value of each element, as it is stored. */
function maker(dtype: FixedDtype, place: number): (i: number) => number | bigint {
  switch (dtype) {
    case 'bool':
      return (i) => (i + place) % 2;
    case 'uint8':
      return (i) => Math.floor(bandOf(i, place) * 256);
    case 'float16':
      return (i) => toFloat16(real(i, place));
    case 'bfloat16':
      return (i) => toBfloat16(real(i, place));
    case 'float32':
    case 'float64':
    case 'complex64':
    case 'complex128':
      return (i) => real(i, place);
    case 'int64':
    case 'uint64':
      return (i) => BigInt(small(i, place, 3));
    default:
      return (i) => small(i, place, 3);
  }
}

/** A whole number below a limit. The first row has zeros, which are valid indices into anything. */
function small(i: number, place: number, limit: number): number {
  return place === 0 ? 0 : (i + place) % limit;
}

/** A random number from 0 to 1. It differs by an eighth or more from that of another place. */
function bandOf(i: number, place: number): number {
  return (((i + place) % distinctRows) + Math.random() / 2) / distinctRows;
}

function real(i: number, place: number): number {
  const value = bandOf(i, place);
  switch (place % distinctRows) {
    case 1:
      return -value;
    case 2:
      return 50 * value + 2;
    case 3:
      return i % 3 === 0 ? 0 : 8 * value - 4;
    default:
      return value;
  }
}
