/** The graph's own name for an input or output. */
import type { TensorSpec } from '../signature.js';

/** Returns `operation:index`. */
export function graphNameOf({ name, graphName = name }: Pick<TensorSpec, 'name' | 'graphName'>): string {
  return graphName;
}
