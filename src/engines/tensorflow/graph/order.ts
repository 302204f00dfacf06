/** The order in which nodes can be evaluated. Each node comes after those that it needs. */

import type { Turns } from '../../../flow/turns.js';
import type { GraphNode, Nodes } from './graph-def.js';
import { NameMap } from './name-map.js';

/** True for the edge back to the start of a TF1 loop. */
export function isBackEdge(node: GraphNode | undefined): boolean {
  return node?.op === 'NextIteration' || node?.op === 'RefNextIteration';
}

/**
 * @param roots are the names of nodes that must be among them
 * @returns the roots and all nodes that they need, by value or by control
 */
export async function orderOf(
  { byName }: Nodes,
  roots: Iterable<string>,
  turns: Turns,
): Promise<GraphNode[]> {
  const order: GraphNode[] = [];
  const seen = new NameMap<true>();
  const waiting = [...roots];
  const path: { readonly node: GraphNode; readonly needs: readonly string[]; next: number }[] = [];
  const enter = (name: string) => {
    const node = byName.get(name);
    if (!node || seen.has(name)) return;
    seen.set(name, true);
    const needs = [...node.inputs.map((input) => input.node), ...node.controls];
    path.push({
      node,
      needs: node.op === 'Merge' || node.op === 'RefMerge' ? withoutBack(needs) : needs,
      next: 0,
    });
  };
  const withoutBack = (needs: readonly string[]) =>
    needs.filter((name) => {
      const isBack = isBackEdge(byName.get(name));
      if (isBack) waiting.push(name);
      return !isBack;
    });
  for (let root = waiting.pop(); root !== undefined; root = waiting.pop()) {
    enter(root);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const pausing = turns.pause();
      if (pausing) await pausing;
      const name = top.needs[top.next++];
      if (name !== undefined) enter(name);
      else order.push((path.pop() as { node: GraphNode }).node);
    }
  }
  return order;
}
