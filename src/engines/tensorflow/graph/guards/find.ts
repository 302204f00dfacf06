/**
 * Finds the nodes of a graph that need a guard: their operation ends the process for some input, and the graph does not
 * show that such an input cannot come.
 */

import type { Turns } from '../../../../flow/turns.js';
import { constantOf } from '../const.js';
import type { GraphDef, GraphNode, Nodes, TensorRef } from '../graph-def.js';
import { NameMap } from '../name-map.js';
import { labelOf } from '../operation.js';
import { orderOf } from '../order.js';
import { outputNumber } from '../output-names.js';
import { rules } from '../rules.js';
import { numbersOf } from '../value.js';
import { encodeCondition, isSettled, type Shown } from './condition.js';
import { type Hazard, hazards } from './hazards.js';

/** A guard for one node. */
export interface Guard {
  readonly node: GraphNode;
  /** The input that goes through the guard. */
  readonly position: number;
  /** The conditions, as native/guard.cc reads them. */
  readonly needs: readonly number[];
  /** A sentence for each condition. */
  readonly says: readonly string[];
}

/** The guards by function (`undefined` for the graph itself) and by the name of the node. */
export type Guards = ReadonlyMap<string | undefined, Pick<NameMap<Guard>, 'get' | 'values'>>;

export const noGuards: Guards = new Map();

/** Nodes that depend on each other, and what is known of their parameters. */
interface Body {
  readonly name: string | undefined;
  readonly nodes: Nodes;
  readonly order: Iterable<GraphNode>;
  readonly given: ReadonlyMap<string, Shown>;
}

/**
 * @param sources are the tensors that are fetched
 * @param operations are those behind the sources, if they are known
 */
export async function findGuards(
  graph: GraphDef,
  sources: readonly TensorRef[],
  operations: Iterable<string>,
  turns: Turns,
): Promise<Guards> {
  const guards = new Map<string | undefined, NameMap<Guard>>();
  if (![...operations].some((operation) => hazards.has(operation))) return guards;
  const roots = sources.map(({ node }) => node);
  const order = await orderOf(graph.nodes, roots, turns);
  const waiting: Body[] = [{ name: undefined, nodes: graph.nodes, order, given: new Map() }];
  const seen = new Set<string>();
  for (let body = waiting.pop(); body; body = waiting.pop()) {
    const found = new NameMap<Guard>();
    for (const node of body.order) {
      const pausing = turns.pause();
      if (pausing) await pausing;
      const hazard = hazards.get(node.op);
      const guard = hazard && guardOf(node, hazard, body);
      if (guard) found.set(node.name, guard);
      // XLA compiles such a function with code of its own, and does not know our operation.
      if (node.flag('_XlaMustCompile')) continue;
      for (const name of [...node.calledFunctions, node.op]) {
        if (seen.has(name)) continue;
        seen.add(name);
        const called = await graph.function(name, turns);
        if (!called || called.isCompiled) continue;
        const { nodes, parameters, parameterShapes } = called;
        const given = new Map(parameters.map((parameter, i) => [parameter, { shape: parameterShapes[i] }]));
        waiting.push({ name, nodes, order: nodes.byName.values(), given });
      }
    }
    if (!found.isEmpty) guards.set(body.name, found);
  }
  return guards;
}

function guardOf(node: GraphNode, hazard: Hazard, body: Body): Guard | undefined {
  const inputs = node.inputs.map((source) => shownOf(source, body));
  const open = hazard.needs(node).filter((condition) => !isSettled(condition, inputs));
  // A constant stays in its place, because TensorFlow looks for some constants there. A request cannot influence an
  // operation that has only constants.
  const position = node.inputs.findIndex(({ node: name }) => !isConstant(body.nodes.byName.get(name)));
  if (open.length === 0 || position < 0) return undefined;
  return {
    node,
    position,
    needs: open.flatMap(encodeCondition),
    says: open.map(({ words }) => `operation ${labelOf(node.op, node.name)} needs ${words}`),
  };
}

function isConstant(node: GraphNode | undefined): boolean {
  return node?.op === 'Const';
}

const nothing: Shown = { shape: undefined };

function shownOf(source: TensorRef, { nodes, given }: Body): Shown {
  const parameter = given.get(source.node);
  if (parameter) return parameter;
  const node = nodes.byName.get(source.node);
  if (!node) return nothing;
  if (isConstant(node)) {
    const constant = constantOf(node);
    const shape = constant.dims?.map(({ value }) => value ?? null);
    return { shape, integers: numbersOf(constant) };
  }
  const shapes = node.shapes('_output_shapes');
  if (shapes.length === 0) return node.op === 'Placeholder' ? { shape: node.shape('shape') } : nothing;
  return {
    shape: shapes[source.argument === '' || oneList.has(node.op) ? source.index : numberOf(node, source)],
  };
}

/** Operations whose outputs are one list. */
const oneList: ReadonlySet<string> = new Set([
  ...['PartitionedCall', 'StatefulPartitionedCall', 'If', 'StatelessIf', 'While', 'StatelessWhile', 'Case'],
  ...['IdentityN', 'Split', 'SplitV', 'Unpack'],
]);

/** The number of the output that a name means; -1 if it is not known. */
function numberOf(node: GraphNode, source: TensorRef): number {
  if (node.shapes('_output_shapes').length === 1) return 0;
  return rules.get(node.op)?.outputs ? (outputNumber(node, source) ?? -1) : -1;
}
