/** Makes small sparse and ragged tensors as their parts, for requests that are shown to people. */
import { componentsOf } from '../../engines/composite.js';
import type { CompositeSpec, RaggedSpec, SparseSpec, TensorSpec } from '../../engines/signature.js';

/** One part: the tensor of the graph, and its content. */
export interface ExamplePart {
  readonly spec: TensorSpec;
  /** Integers are nested lists. Of values, which are arbitrary, only the number matters. */
  readonly content: { readonly integers: unknown } | { readonly count: number };
}

/**
 * A tensor of one row.
 *
 * @param count is the number of values, if the dims allow so many
 */
export function exampleParts(spec: CompositeSpec, count: number): ExamplePart[] {
  return spec.kind === 'sparse' ? sparseParts(spec, count) : raggedParts(spec, count);
}

function sparseParts({ shape, indices, values, denseShape }: SparseSpec, count: number): ExamplePart[] {
  const dims = shape ?? [null, null];
  const sizes = dims.map((dim, i) => dim ?? (i === dims.length - 1 ? count : 1));
  const placed = sizes.includes(0) ? 0 : Math.min(count, sizes.at(-1) ?? 0);
  const places = Array.from({ length: placed }, (_, i) => [...sizes.slice(0, -1).fill(0), i]);
  return [
    { spec: indices, content: { integers: places } },
    { spec: values, content: { count: placed } },
    { spec: denseShape, content: { integers: sizes } },
  ];
}

function raggedParts(spec: RaggedSpec, count: number): ExamplePart[] {
  const [values, ...rowSplits] = componentsOf(spec) as [TensorSpec, ...TensorSpec[]];
  let rows = spec.shape?.[0] ?? 1;
  const splits = rowSplits.map((each, i): ExamplePart => {
    const isLast = i === rowSplits.length - 1;
    const length = spec.shape?.[i + 1] ?? (isLast ? count : 1);
    const ends = Array.from({ length: rows + 1 }, (_, row) => row * length);
    rows *= length;
    return { spec: each, content: { integers: ends } };
  });
  return [{ spec: values, content: { count: rows } }, ...splits];
}

/** Combines the parts into one value, as JSON and CBOR have them. */
export function nestParts(spec: CompositeSpec, parts: readonly unknown[]): unknown {
  const [first, ...rest] = parts;
  if (spec.kind === 'sparse') return { indices: first, values: rest[0], dense_shape: rest[1] };
  return rest.reduceRight((values, splits) => ({ values, row_splits: splits }), first);
}
