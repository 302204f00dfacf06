/**
 * What a SavedModel says of itself: signatures and the tensors they take and give.
 */
import type { Dtype } from './dtypes.js';

/** A known size, or null for one that is settled per request (-1 in TensorFlow's own notation). */
export type Dim = number | null;

/** Name, dtype and shape of an input or output. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  /** null: not even the rank is known. */
  readonly shape: readonly Dim[] | null;
  /** The graph's own name for it, `operation:index`. */
  readonly graphName: string;
}

/** A named function of a SavedModel. */
export interface Signature {
  readonly name: string;
  readonly inputs: ReadonlyMap<string, TensorSpec>;
  readonly outputs: ReadonlyMap<string, TensorSpec>;
  /** TensorFlow's operations that a run may execute; undefined where the graph is too large to tell. */
  readonly operations?: ReadonlySet<string> | undefined;
}

/** One of the graphs a SavedModel holds, told apart by its tags. */
export interface MetaGraph {
  readonly tags: readonly string[];
  readonly signatures: ReadonlyMap<string, Signature>;
}

/** `[null, 480, 640, 3]` as people write it: `[-1, 480, 640, 3]`; `unknown rank` for null. */
export function formatShape(shape: readonly Dim[] | null): string {
  return shape === null ? 'unknown rank' : `[${shape.map((dim) => dim ?? -1).join(', ')}]`;
}

/** `float32 [-1, 6]` */
export function formatSpec(spec: Pick<TensorSpec, 'dtype' | 'shape'>): string {
  return `${spec.dtype} ${formatShape(spec.shape)}`;
}
