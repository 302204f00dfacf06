/**
 * Sparse and ragged tensors by their parts, as requests carry them and answers bring them.
 */
import type { Dict, Value } from './decode.js';
import { isTensor, type Tensor } from './tensor.js';

/** A `tf.SparseTensor`: values, and where they lie in a tensor that is zero elsewhere. */
export type SparseTensor = {
  /** int64 [n, rank] */
  readonly indices: Tensor;
  /** [n] */
  readonly values: Tensor;
  /** int64 [rank] */
  readonly dense_shape: Tensor;
};

/** A `tf.RaggedTensor`: rows of different lengths. */
export type RaggedTensor = {
  /** Of all rows, one after another; ragged themselves if the rows are. */
  readonly values: Tensor | RaggedTensor;
  /** int64 or int32 [rows + 1]: row i is the values from `row_splits[i]` up to `row_splits[i + 1]` */
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

/** True for a map that the server takes for a tensor where its input is sparse or ragged, whatever its parts are. */
export function isMapOfParts(value: unknown): boolean {
  return (
    partsOf(value, ['indices', 'values', 'dense_shape']) !== undefined ||
    partsOf(value, ['values', 'row_splits']) !== undefined
  );
}

/** The values of just these keys; undefined if there are others. */
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

/** The outputs of an answer, sparse and ragged ones apart; undefined if one is neither these nor a tensor. */
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
