/** Finds the operations that a run may execute. */

import type { Turns } from '../../../flow/turns.js';
import { draws } from './effects.js';
import type { GraphDef, GraphNode, TensorRef } from './graph-def.js';
import { orderOf } from './order.js';

export interface FoundOperations {
  readonly operations: ReadonlySet<string>;
  /** Those that draw random numbers from a seed somewhere. */
  readonly seeded: ReadonlySet<string>;
}

/** The operations behind some tensors of a graph, and in the functions that they call. */
export async function operationsBehind(
  graph: GraphDef,
  sources: readonly TensorRef[],
  turns: Turns,
): Promise<FoundOperations> {
  const roots = sources.map(({ node }) => node);
  return collect(graph, [await orderOf(graph.nodes, roots, turns)], turns);
}

/** The operations in some functions, and in the functions that they call. */
export async function operationsOf(
  graph: GraphDef,
  functions: readonly string[],
  turns: Turns,
): Promise<ReadonlySet<string>> {
  const bodies: Iterable<GraphNode>[] = [];
  for (const name of functions) {
    const body = await graph.function(name, turns);
    if (body) bodies.push(body.nodes.byName.values());
  }
  return (await collect(graph, bodies, turns)).operations;
}

/**
 * Collects operations. In a function every node counts, even if nothing takes its value: TensorFlow runs nodes that
 * change something.
 */
async function collect(
  graph: GraphDef,
  waiting: Iterable<GraphNode>[],
  turns: Turns,
): Promise<FoundOperations> {
  const operations = new Set<string>();
  const seeded = new Set<string>();
  const called = new Set<string>();
  for (let nodes = waiting.pop(); nodes; nodes = waiting.pop()) {
    for (const node of nodes) {
      const pausing = turns.pause();
      if (pausing) await pausing;
      operations.add(node.op);
      if (draws(node.op) && hasSeed(node)) seeded.add(node.op);
      for (const name of [...node.calledFunctions, node.op]) {
        if (called.has(name)) continue;
        called.add(name);
        const body = await graph.function(name, turns);
        if (body) waiting.push(body.nodes.byName.values());
        else if (name !== node.op) operations.add(name);
      }
    }
  }
  return { operations, seeded };
}

/** True if the node has a seed. Without one, TensorFlow makes one up for each load. */
function hasSeed(node: GraphNode): boolean {
  return node.integer('seed') !== 0 || node.integer('seed2') !== 0;
}
