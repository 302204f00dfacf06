/**
 * What a SavedModel says of itself: signatures and the tensors they take and give.
 */
import type { Dtype } from '../tensors/dtypes.js';

/** A known size, or null for one that is settled per request (-1 in TensorFlow's own notation). */
export type Dim = number | null;

/** Name, dtype and shape of an input or output. */
export interface TensorSpec {
  /** Neither sparse nor ragged: those are a `CompositeSpec`. */
  readonly kind?: undefined;
  readonly name: string;
  readonly dtype: Dtype;
  /** null: not even the rank is known. */
  readonly shape: readonly Dim[] | null;
  /** The graph's own name for it, `operation:index`. */
  readonly graphName: string;
}

/** A `tf.SparseTensor`: values, and where they lie in a tensor that is zero elsewhere. */
export interface SparseSpec {
  readonly kind: 'sparse';
  readonly name: string;
  /** Of the values. */
  readonly dtype: Dtype;
  /** Of the tensor that it stands for; null: not even the rank is known. */
  readonly shape: readonly Dim[] | null;
  /** int64 [n, rank] */
  readonly indices: TensorSpec;
  /** [n] */
  readonly values: TensorSpec;
  /** int64 [rank] */
  readonly denseShape: TensorSpec;
}

/** A `tf.RaggedTensor`: rows of different lengths, one after another. */
export interface RaggedSpec {
  readonly kind: 'ragged';
  readonly name: string;
  /** Of the values. */
  readonly dtype: Dtype;
  /** With the ragged dims, whose sizes are null as a rule; null: not known. */
  readonly shape: readonly Dim[] | null;
  /** All values of all rows, `flat_values` in TensorFlow. */
  readonly values: TensorSpec;
  /** Where the rows begin and end, outermost dim first: at least one. int64 or int32 [rows + 1] */
  readonly rowSplits: readonly TensorSpec[];
}

export type CompositeSpec = SparseSpec | RaggedSpec;

/** The sparse and ragged tensors of a signature by name. */
export interface Composites {
  readonly inputs: ReadonlyMap<string, CompositeSpec>;
  readonly outputs: ReadonlyMap<string, CompositeSpec>;
}

/** An input or output as callers see it. */
export type CallerSpec = TensorSpec | CompositeSpec;

/** What the graph shows of the rows of a signature. */
export interface RowProof {
  /**
   * - proven: a row of each output follows from the same row of the inputs alone.
   * - unproven: rows may be mixed.
   * - effects: its runs leave something behind, or are not all alike.
   */
  readonly verdict: 'proven' | 'unproven' | 'effects';
  /** Which operation stands against a proof, in words; empty where there is one. */
  readonly why: string;
  /** Runs leave something behind, and must not go on beside each other. */
  readonly writes?: boolean | undefined;
}

/** A named function of a SavedModel. */
export interface Signature {
  readonly name: string;
  /** The tensors of the graph that a run feeds; of sparse and ragged inputs their components. */
  readonly inputs: ReadonlyMap<string, TensorSpec>;
  /** The tensors of the graph that a run fetches. */
  readonly outputs: ReadonlyMap<string, TensorSpec>;
  /** Its sparse and ragged tensors; undefined if it has none. */
  readonly composites?: Composites | undefined;
  /** TensorFlow's operations that a run may execute; undefined where no graph tells. */
  readonly operations?: ReadonlySet<string> | undefined;
  /** Undefined where no graph tells, for example behind a handler: requests share runs if made-up rows agree. */
  readonly rows?: RowProof | undefined;
}

/** One of the graphs a SavedModel holds, told apart by its tags. */
export interface MetaGraph {
  readonly tags: readonly string[];
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly unusable: readonly UnusableSignature[];
}

/** A signature that cannot be served, though the others of its graph can. */
export interface UnusableSignature {
  readonly name: string;
  /** Which tensor stands against it, in words. */
  readonly why: string;
}

/** `[null, 480, 640, 3]` as people write it: `[-1, 480, 640, 3]`; `unknown rank` for null. */
export function formatShape(shape: readonly Dim[] | null): string {
  return shape === null ? 'unknown rank' : `[${shape.map((dim) => dim ?? -1).join(', ')}]`;
}

/** `float32 [-1, 6]`, `ragged int32 [-1, -1]`; a kind of anything else is not said. */
export function formatSpec(
  spec: Pick<TensorSpec, 'dtype' | 'shape'> & { readonly kind?: string | undefined },
): string {
  const kind = spec.kind === 'sparse' || spec.kind === 'ragged' ? `${spec.kind} ` : '';
  return `${kind}${spec.dtype} ${formatShape(spec.shape)}`;
}
