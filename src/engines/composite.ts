/**
 * Sparse and ragged tensors: one value for callers, and several tensors in the graph.
 *
 * A signature lists the tensors of the graph, including such components. What callers see stands beside that list, so
 * that a run need not know of it.
 */
import type { CallerSpec, CompositeSpec, Signature, TensorSpec } from './signature.js';

/** The tensors of the graph that make one value, in TensorFlow's order. */
export function componentsOf(spec: CompositeSpec): readonly TensorSpec[] {
  return spec.kind === 'sparse'
    ? [spec.indices, spec.values, spec.denseShape]
    : [spec.values, ...spec.rowSplits];
}

/** The inputs as callers see them, in the signature's order. */
export function callerInputs({ inputs, composites }: Signature): ReadonlyMap<string, CallerSpec> {
  return composites ? withComposites(inputs, composites.inputs) : inputs;
}

/** The outputs as callers see them, in the signature's order. */
export function callerOutputs({ outputs, composites }: Signature): ReadonlyMap<string, CallerSpec> {
  return composites ? withComposites(outputs, composites.outputs) : outputs;
}

function withComposites(
  specs: ReadonlyMap<string, TensorSpec>,
  composites: ReadonlyMap<string, CompositeSpec>,
): ReadonlyMap<string, CallerSpec> {
  const owners = new Map<string, CompositeSpec>();
  for (const composite of composites.values())
    for (const { name } of componentsOf(composite)) owners.set(name, composite);
  const seen = new Map<string, CallerSpec>();
  for (const spec of specs.values()) {
    const each = owners.get(spec.name) ?? spec;
    seen.set(each.name, each);
  }
  return seen;
}

/**
 * The tensors to fetch for the outputs that a caller wants.
 *
 * @param names are those that callers see; undefined for all
 */
export function fetchedOutputs(
  { composites }: Signature,
  names: readonly string[] | undefined,
): readonly string[] | undefined {
  if (!composites || !names) return names;
  return names.flatMap((name) => {
    const composite = composites.outputs.get(name);
    return composite ? componentsOf(composite).map((component) => component.name) : [name];
  });
}
