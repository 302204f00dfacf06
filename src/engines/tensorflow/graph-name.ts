/**
 * What the graph calls an input or an output.
 */
import type { TensorSpec } from '../signature.js';

/** `operation:index` */
export function graphNameOf({ name, graphName = name }: Pick<TensorSpec, 'name' | 'graphName'>): string {
  return graphName;
}
