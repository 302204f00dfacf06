/**
 * Runs of a model that does not serve yet: at low priority, with inputs that are made up.
 */
import { ServingError } from '../errors.js';
import { elementCount } from '../runtime/dtypes.js';
import type { InferenceModel, Prediction, PredictOptions } from '../runtime/runtime.js';
import type { Signature, TensorSpec } from '../runtime/signature.js';
import { createTensor, disposeTensors, type NamedTensors, type Tensor } from '../runtime/tensors.js';
import { allocate, toBfloat16, toFloat16 } from '../runtime/values.js';
import { within } from './within.js';

export interface BeforehandOptions extends Pick<PredictOptions, 'outputs' | 'padding'> {
  /** In milliseconds of the monotonic clock. */
  readonly deadline: number;
}

/**
 * One run.
 *
 * @param members disposed when the run has ended, also if that is after the deadline
 * @returns outputs that the caller disposes
 * @throws ServingError what the run ends in, or DEADLINE_EXCEEDED
 */
export async function runBeforehand(
  model: InferenceModel,
  signature: Signature,
  members: readonly NamedTensors[],
  { deadline, ...options }: BeforehandOptions,
): Promise<Prediction> {
  const seconds = Math.max(0.001, (deadline - performance.now()) / 1000);
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

/** The shape of one row, with the batch dim; what is not known is 1. */
export function rowShape({ shape }: TensorSpec): number[] {
  return shape === null ? [1] : shape.map((dim) => dim ?? 1);
}

/** Dtypes for which any value is as good as another. A number of another dtype may be an index. */
const arbitrary: ReadonlySet<string> = new Set(['float16', 'bfloat16', 'float32', 'float64', 'uint8']);

/** True if rows made up for it differ from each other. */
export function canMakeRows({ dtype }: TensorSpec): boolean {
  return arbitrary.has(dtype);
}

/**
 * So many rows are made up to be run alone, and larger batches hold them again and again. They differ clearly in each
 * element: rows that happen to be alike would hide what they do to each other.
 */
export const distinctRows = 4;

/**
 * One row: random values where any will do, else zeros or empty strings.
 *
 * @param place below {@link distinctRows}: rows of different places differ, in each element, by an eighth of its range
 */
export function makeRow(spec: TensorSpec, place = 0): Tensor {
  const shape = rowShape(spec);
  const count = elementCount(shape);
  const { dtype } = spec;
  if (dtype === 'string') {
    return createTensor(dtype, shape, new Array<Uint8Array>(count).fill(new Uint8Array()));
  }
  const { values, bytes } = allocate(dtype, count);
  if (canMakeRows(spec)) {
    const from = fromUnit(dtype);
    for (let i = 0; i < count; i++) {
      const band = (i + place) % distinctRows;
      values[i] = from((band + Math.random() / 2) / distinctRows);
    }
  }
  return createTensor(dtype, shape, bytes);
}

/** What stands for a number from 0 to 1. */
function fromUnit(dtype: string): (value: number) => number {
  switch (dtype) {
    case 'uint8':
      return (value) => Math.floor(value * 256);
    case 'float16':
      return toFloat16;
    case 'bfloat16':
      return toBfloat16;
    default:
      return (value) => value;
  }
}
