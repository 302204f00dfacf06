/** What a model says of itself: its signatures, and the tensors that they take and give. */
import type { Dtype } from '../tensors/dtypes.js';

/** A known size, or null for a size that differs between requests (-1 in TensorFlow's notation). */
export type Dim = number | null;

/**
 * The name, dtype and shape of an input or output. `{ name: 'x', dtype: 'float32', shape: [null, 6] }` takes rows of six
 * numbers.
 */
export interface TensorSpec {
  /** Marks a dense tensor. A sparse or ragged one is a `CompositeSpec`. */
  readonly kind?: undefined;
  readonly name: string;
  readonly dtype: Dtype;
  /** The dims. A first dim of null is the batch dim. The shape is null if even the rank is unknown. */
  readonly shape: readonly Dim[] | null;
  /** The graph's own name for the tensor: `operation:index`. It is left out if there is no graph, or no other name. */
  readonly graphName?: string | undefined;
}

/** A `tf.SparseTensor`: values, and their places in a tensor that is zero elsewhere. */
export interface SparseSpec {
  readonly kind: 'sparse';
  readonly name: string;
  /** The dtype of the values. */
  readonly dtype: Dtype;
  /** The shape of the tensor that it stands for. It is null if even the rank is unknown. */
  readonly shape: readonly Dim[] | null;
  /** The places: int64 [n, rank]. */
  readonly indices: TensorSpec;
  /** The values: [n]. */
  readonly values: TensorSpec;
  /** The size of each dim: int64 [rank]. */
  readonly denseShape: TensorSpec;
}

/** A `tf.RaggedTensor`: rows of different lengths, one after another. */
export interface RaggedSpec {
  readonly kind: 'ragged';
  readonly name: string;
  /** The dtype of the values. */
  readonly dtype: Dtype;
  /** The shape, with the ragged dims, whose sizes are usually null. It is null if the rank is unknown. */
  readonly shape: readonly Dim[] | null;
  /** All values of all rows. TensorFlow calls them `flat_values`. */
  readonly values: TensorSpec;
  /**
   * Where rows begin and end, for each ragged dim, outermost first. There is at least one: int64 or int32 [rows + 1].
   */
  readonly rowSplits: readonly TensorSpec[];
}

/** An input or output that is one value for callers, and several tensors for a run. */
export type CompositeSpec = SparseSpec | RaggedSpec;

/** The sparse and ragged tensors of a signature by name. */
export interface Composites {
  readonly inputs: ReadonlyMap<string, CompositeSpec>;
  readonly outputs: ReadonlyMap<string, CompositeSpec>;
}

/** An input or output, as callers see it. */
export type CallerSpec = TensorSpec | CompositeSpec;

/** What the engine knows of the rows of a signature. */
export type RowProof = ProvenRows | UnprovenRows;

/** A row of each output follows from the same row of the inputs alone: requests share runs. */
export interface ProvenRows {
  readonly verdict: 'proven';
  readonly why?: '' | undefined;
  readonly writes?: undefined;
  readonly continues?: undefined;
}

/** Each request runs alone. */
export interface UnprovenRows {
  /**
   * - unproven: rows may be mixed.
   * - effects: runs leave something behind, or are not all alike.
   */
  readonly verdict: 'unproven' | 'effects';
  /** What prevents a proof, in words: for example which operation. */
  readonly why: string;
  /** True if runs leave something behind, and must not overlap. */
  readonly writes?: boolean | undefined;
  /** True if a run goes on from the one before in another way: it draws from a generator with a seed. */
  readonly continues?: boolean | undefined;
}

/** A named function of a model. */
export interface Signature {
  readonly name: string;
  /** The tensors that a run takes, by their names. A sparse or ragged input is listed as its components. */
  readonly inputs: ReadonlyMap<string, TensorSpec>;
  /** The tensors that a run gives, by their names. A sparse or ragged output is listed as its components. */
  readonly outputs: ReadonlyMap<string, TensorSpec>;
  /** The sparse and ragged tensors; undefined if there are none. */
  readonly composites?: Composites | undefined;
  /** The operations that a run may execute; undefined without a graph. */
  readonly operations?: ReadonlySet<string> | undefined;
  /**
   * True if the engine compiles a program for each shape of the inputs, whatever the mode of the model says. Batches are
   * then padded to a few sizes.
   */
  readonly compilesShapes?: boolean | undefined;
  /**
   * What is proven of the rows. It is left out if nothing tells, for example behind a handler. Then requests share runs
   * if made-up rows agree.
   */
  readonly rows?: RowProof | undefined;
}

/** One of the graphs of a SavedModel. Its tags tell it from the others. Models of other formats have one graph. */
export interface MetaGraph {
  /** The tags, if there are several graphs. */
  readonly tags: readonly string[];
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly unusable: readonly UnusableSignature[];
}

/** A signature that cannot be served, although others of its graph can. */
export interface UnusableSignature {
  readonly name: string;
  /** Which tensor prevents it, in words. */
  readonly why: string;
}

/** True if the dims of a spec allow a shape. */
export function fits(dims: readonly Dim[] | null, shape: readonly number[]): boolean {
  if (dims === null) return true;
  return dims.length === shape.length && dims.every((dim, axis) => dim === null || dim === shape[axis]);
}

/** Writes a shape as people do: `[-1, 480, 640, 3]` for `[null, 480, 640, 3]`, and `unknown rank` for null. */
export function formatShape(shape: readonly Dim[] | null): string {
  return shape === null ? 'unknown rank' : `[${shape.map((dim) => dim ?? -1).join(', ')}]`;
}

/** Writes a spec: `float32 [-1, 6]`, or `ragged int32 [-1, -1]`. A dense tensor has no word in front. */
export function formatSpec(
  spec: Pick<TensorSpec, 'dtype' | 'shape'> & { readonly kind?: string | undefined },
): string {
  const kind = spec.kind === 'sparse' || spec.kind === 'ragged' ? `${spec.kind} ` : '';
  return `${kind}${spec.dtype} ${formatShape(spec.shape)}`;
}

/** Says why a run changes the answers of later runs; undefined if it does not. */
export function whyRunsCount({ rows }: Signature): string | undefined {
  return rows?.writes || rows?.continues ? rows.why : undefined;
}
