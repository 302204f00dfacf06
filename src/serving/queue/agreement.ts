/** Compares what rows give in a batch with what they give alone. */

import type { ComputeMode } from '../../engines/inference-model.js';
import { type Dtype, dtypes } from '../../tensors/dtypes.js';
import { copyStrings, type Strings } from '../../tensors/strings.js';
import { fromBfloat16, fromFloat16, viewOf } from '../../tensors/values.js';
import { createTensor, type NamedTensors, type TensorView, viewTensor } from '../../tfjs/tensors.js';

/** Values of one or more rows without a `tf.Tensor`. They are compared or fed again and again. */
export type Values = ReadonlyMap<string, TensorView>;

export function toTensors(values: Values): NamedTensors {
  return new Map(
    Array.from(values, ([name, { dtype, shape, data }]) => [name, createTensor(dtype, shape, data)]),
  );
}

/** Makes a copy that outlives the tensors. */
export function toValues(tensors: NamedTensors): Values {
  const copy = (data: TensorView['data']) =>
    data instanceof Uint8Array ? Uint8Array.from(data) : copyStrings(data);
  return new Map(
    Array.from(tensors, ([name, tensor]) => {
      const { dtype, shape, data } = viewTensor(tensor);
      return [name, { dtype, shape, data: copy(data) }];
    }),
  );
}

/**
 * Compares what one request gets in a batch with what it gets alone.
 *
 * @returns the difference in words; undefined if there is none
 */
export function compareAnswers(
  together: NamedTensors,
  alone: NamedTensors,
  mode: ComputeMode,
): string | undefined {
  for (const [name, tensor] of alone) {
    const [found, expected] = [together.get(name), viewTensor(tensor)];
    const isAlike =
      found?.shape.join() === expected.shape.join() && isAlikeRow(viewTensor(found), 0, 1, expected, mode);
    if (!isAlike) return `\`${name}\` of a request was not what it is alone`;
  }
  return undefined;
}

/**
 * Compares each row of a batch with what it gave alone.
 *
 * @param count is the number of rows of members; the rows after them are padding
 * @param size is the number of rows of the batch
 * @returns in words what keeps rows from sharing a run; undefined if nothing does
 */
export function findDifference(
  batch: Values,
  alone: readonly Values[],
  count: number,
  size: number,
  mode: ComputeMode,
): string | undefined {
  for (const [name, output] of batch) {
    if (output.shape[0] !== size) return `output \`${name}\` gave ${output.shape[0]} rows for ${size}`;
    for (let row = 0; row < count; row++) {
      const expected = alone[row % alone.length]?.get(name);
      const isAlike = expected !== undefined && isAlikeRow(output, row, size, expected, mode);
      if (!isAlike) return `in a batch of ${size}, \`${name}\` of a row is not what it is alone`;
    }
  }
  return undefined;
}

function isAlikeRow(
  batch: TensorView,
  row: number,
  size: number,
  expected: TensorView,
  mode: ComputeMode,
): boolean {
  const width = batch.data.length / size;
  if (width !== expected.data.length) return false;
  const values = batch.data.slice(row * width, (row + 1) * width);
  if (batch.dtype === 'string') {
    return areSameStrings(values as Strings, expected.data as Strings);
  }
  const found = numbersOf(batch.dtype, values as Uint8Array);
  const wanted = numbersOf(batch.dtype, expected.data as Uint8Array);
  const tolerance = toleranceOf(batch.dtype, mode);
  return found.every((value, i) => isClose(value, wanted[i] as number, tolerance));
}

function areSameStrings(some: Strings, others: Strings): boolean {
  for (let i = 0; i < some.length; i++)
    if (Buffer.compare(some.at(i) as Uint8Array, others.at(i) as Uint8Array) !== 0) return false;
  return true;
}

function numbersOf(dtype: Exclude<Dtype, 'string'>, bytes: Uint8Array): (number | bigint)[] {
  const values = Array.from<number | bigint>(viewOf(dtype, bytes));
  if (dtype === 'float16') return values.map((bits) => fromFloat16(Number(bits)));
  if (dtype === 'bfloat16') return values.map((bits) => fromBfloat16(Number(bits)));
  return values;
}

/** The tolerance, relative to the value, or absolute below 1. Kernels may add in another order for another size. */
function toleranceOf(dtype: Dtype, { mixedPrecision }: ComputeMode): number {
  if (dtypes[dtype].seenAs === 'int32' || dtype === 'bool') return 0;
  // A sum that falls on the other side of a rounding differs by 2^-8 in bfloat16, and later operations carry that on.
  if (mixedPrecision) return 3e-2;
  return dtype === 'float16' || dtype === 'bfloat16' ? 1e-2 : 1e-3;
}

function isClose(a: number | bigint, b: number | bigint, tolerance: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (typeof a === 'bigint' || typeof b === 'bigint') return false;
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
}
