/** Sparse and ragged tensors as their parts, which requests and answers carry. */
import type { Dict, Value } from './decode.js';
import { isTensor, type Tensor } from './tensor.js';

/** A `tf.SparseTensor`: values, and their places in a tensor that is zero elsewhere. */
export type SparseTensor = {
  /** The places: int64 [n, rank]. */
  readonly indices: Tensor;
  /** The values: [n]. */
  readonly values: Tensor;
  /** The size of each dim: int64 [rank]. */
  readonly dense_shape: Tensor;
};

/** A `tf.RaggedTensor`: rows of different lengths. */
export type RaggedTensor = {
  /** The values of all rows, one after another. They are ragged themselves if the rows are. */
  readonly values: Tensor | RaggedTensor;
  /** int64 or int32 [rows + 1]: row i is the values from `row_splits[i]` up to `row_splits[i + 1]`. */
  readonly row_splits: Tensor;
};

/** True for a map of the three parts of a sparse tensor. */
export function isSparseTensor(value: unknown): value is SparseTensor {
  const parts = partsOf(value, ['indices', 'values', 'dense_shape']);
  return parts?.every(isTensor) ?? false;
}

/** True for a map of the two parts of a ragged tensor. */
export function isRaggedTensor(value: unknown): value is RaggedTensor {
  const [values, rowSplits] = partsOf(value, ['values', 'row_splits']) ?? [];
  return isTensor(rowSplits) && (isTensor(values) || isRaggedTensor(values));
}

/** True for a map that the server reads as a sparse or ragged tensor, whatever its parts are. */
export function isMapOfParts(value: unknown): boolean {
  return (
    partsOf(value, ['indices', 'values', 'dense_shape']) !== undefined ||
    partsOf(value, ['values', 'row_splits']) !== undefined
  );
}

/** The values of exactly these keys; undefined if there are others. */
function partsOf(value: unknown, keys: readonly string[]): unknown[] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries: Map<unknown, unknown> = value instanceof Map ? value : new Map(Object.entries(value));
  return entries.size === keys.length && keys.every((key) => entries.has(key))
    ? keys.map((key) => entries.get(key))
    : undefined;
}

export interface Outputs {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly composites: Readonly<Record<string, SparseTensor | RaggedTensor>>;
}

/** Sorts the outputs of an answer into dense ones and the others. It returns undefined if one is no tensor at all. */
export function sortOutputs(all: Dict): Outputs | undefined {
  const outputs: Record<string, Tensor> = Object.create(null);
  const composites: Record<string, SparseTensor | RaggedTensor> = Object.create(null);
  for (const [name, value] of Object.entries<Value>(all)) {
    if (isTensor(value)) outputs[name] = value;
    else if (isSparseTensor(value) || isRaggedTensor(value)) composites[name] = value;
    else return undefined;
  }
  return { outputs, composites };
}
