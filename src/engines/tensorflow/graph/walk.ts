/**
 * Evaluates a graph over what is known of its tensors. A rule evaluates each operation, and calls and loops evaluate
 * the functions that they call.
 */

import type { Turns } from '../../../flow/turns.js';
import type { Caller } from './caller.js';
import { findControl, whichWay } from './control.js';
import type { GraphDef, GraphFunction, GraphNode, Nodes, TensorRef } from './graph-def.js';
import { joinValues, maxTurns } from './join.js';
import { NameMap } from './name-map.js';
import { Operation, type Outputs } from './operation.js';
import { operationsOf } from './operations.js';
import { isBackEdge, orderOf } from './order.js';
import { outputNumber } from './output-names.js';
import { pureOperations } from './pure-operations.js';
import type { OperationRule } from './rules/rule.js';
import { rules } from './rules.js';
import { Size } from './size.js';
import type { Modules } from './stablehlo/module.js';
import {
  integersOf,
  isEqual,
  isSound,
  type Mixed,
  mixed,
  oneRow,
  rowIsThere,
  type Same,
  same,
  type Value,
} from './value.js';

/**
 * The most operations that one walk evaluates, counting those of functions for each call. A larger graph is not
 * followed.
 */
const maxSteps = 500_000;

/** The most operations of StableHLO modules that one walk evaluates. */
const maxModuleSteps = 200_000;

/** The most calls within calls. It ends a function that calls itself. */
const maxDepth = 64;

/** Operations that fail if something does not hold. */
const checking = ['Assert', 'XlaCallModule'];

/** One evaluation of nodes that depend on each other. */
interface Frame {
  readonly nodes: Nodes;
  /** Tells this evaluation from every other, for sizes that are named after their place. */
  readonly place: string;
  /** The values of parameters or inputs, by name. */
  readonly given: ReadonlyMap<string, Value>;
  outputs: NameMap<Outputs>;
  /** What is assumed at the start of TF1 loops. */
  readonly assumed: Map<string, Value>;
}

export class Walk implements Caller {
  /** The ranks that inputs of unknown rank must have, by input name. */
  readonly ranks = new Map<string, number>();
  readonly obstacles: Mixed[] = [];
  readonly modules: Modules = new Map();
  readonly moduleSteps = { left: maxModuleSteps };
  private steps = 0;
  private readonly checks = new Map<string, boolean>();
  /** The nodes that write to each TensorArray. */
  private readonly writers = new Map<string, Set<string>>();
  private depth = 0;
  private readonly orders = new Map<GraphFunction, GraphNode[]>();

  constructor(
    readonly graph: GraphDef,
    readonly turns: Turns,
  ) {}

  /** The values of some tensors of the graph, where the values of others are given. */
  async fetch(sources: readonly TensorRef[], given: ReadonlyMap<string, Value>): Promise<Value[]> {
    const { nodes } = this.graph;
    const order = await orderOf(
      nodes,
      sources.map(({ node }) => node),
      this.turns,
    );
    return this.evaluate(nodes, order, sources, given, '');
  }

  async call(name: string, inputs: readonly Value[], place: string): Promise<Value[]> {
    const called = await this.graph.function(name, this.turns);
    if (!called) return [mixed(`function \`${name}\` is not in the graph`)];
    let order = this.orders.get(called);
    if (!order) {
      order = await orderOf(called.nodes, await rootsOf(called, this.turns), this.turns);
      this.orders.set(called, order);
    }
    const given = new Map(called.parameters.map((parameter, i) => [parameter, inputs[i] ?? same(undefined)]));
    if (this.depth >= maxDepth) return [mixed(`function \`${name}\` is called within too many others`)];
    this.depth += 1;
    try {
      return await this.evaluate(called.nodes, order, called.results, given, place);
    } finally {
      this.depth -= 1;
    }
  }

  async handsOn(name: string, i: number): Promise<boolean> {
    const called = await this.graph.function(name, this.turns);
    let source = called?.results[i];
    const seen = new Set<string>();
    let node = source && called?.nodes.byName.get(source.node);
    while (node?.op === 'Identity' && !seen.has(node.name)) {
      seen.add(node.name);
      source = node.inputs[0];
      node = source && called?.nodes.byName.get(source.node);
    }
    return source !== undefined && source.node === called?.parameters[i];
  }

  async hasChecks(names: readonly string[]): Promise<boolean> {
    const key = names.join('\n');
    const known = this.checks.get(key);
    if (known !== undefined) return known;
    const operations = await operationsOf(this.graph, names, this.turns);
    const found = checking.some((operation) => operations.has(operation));
    this.checks.set(key, found);
    return found;
  }

  private async evaluate(
    nodes: Nodes,
    order: readonly GraphNode[],
    results: readonly TensorRef[],
    given: ReadonlyMap<string, Value>,
    place: string,
  ): Promise<Value[]> {
    const frame: Frame = { nodes, place, given, outputs: new NameMap(), assumed: new Map() };
    for (let turn = 1; ; turn++) {
      frame.outputs = new NameMap();
      for (const node of order) {
        const pausing = this.turns.pause();
        if (pausing) await pausing;
        frame.outputs.set(node.name, await this.evaluateNode(node, frame));
      }
      if (!(await this.learn(order, frame, turn > maxTurns))) break;
    }
    return results.map((source) => valueAt(frame, source));
  }

  /** Compares the values at the start of TF1 loops with those that come back. @returns true if something is new */
  private async learn(order: readonly GraphNode[], frame: Frame, isLast: boolean): Promise<boolean> {
    let isNew = false;
    for (const merge of order) {
      for (const [i, source] of merge.inputs.entries()) {
        const pausing = this.turns.pause();
        if (pausing) await pausing;
        if (!isBackEdge(frame.nodes.byName.get(source.node))) continue;
        const before = valueAt(frame, { node: merge.name, argument: '', index: 0 });
        const place = `${frame.place}\n${merge.name}~${i}`;
        const joined = joinValues(before, valueAt(frame, source), (name) => Size.named(`${place}:${name}`));
        if (isEqual(before, joined)) continue;
        frame.assumed.set(merge.name, isLast ? mixed(`the loop at ${merge.name} does not settle`) : joined);
        isNew = true;
      }
    }
    return isNew;
  }

  private async evaluateNode(node: GraphNode, frame: Frame): Promise<Outputs> {
    const given = frame.given.get(node.name);
    if (given) return given;
    const assumed = frame.assumed.get(node.name);
    if (assumed) return [assumed, whichWay(assumed)];
    if (++this.steps > maxSteps) return mixed('the graph is too large to follow');
    const sources = node.op === 'Merge' ? withoutBack(node, frame) : node.inputs;
    const inputs = sources.map((source) => valueAt(frame, source));
    const place = `${frame.place}\n${node.name}`;
    const operation = new Operation(node, inputs, place);
    const control = findControl(node, this.graph);
    const outputs = control ? await control(operation, this, place) : this.apply(operation);
    const all = refined(node, outputs, place);
    const isRight = 'kind' in all ? isSound(all) : all.every(isSound);
    return isRight ? all : operation.mixed('makes a tensor with several dims of the size of the batch');
  }

  /** Evaluates an operation that calls nothing, by its rule. */
  apply(operation: Operation): Outputs {
    const { node, inputs } = operation;
    this.watchWriters(operation);
    const unfit = inputs.find(({ kind }) => kind === 'mixed' || kind === 'dead');
    if (unfit) return unfit.kind === 'mixed' ? (bounded(operation) ?? passOn(operation, unfit)) : unfit;
    const found = rules.get(node.op);
    const unranked = this.learnRanks(operation, found);
    if (unranked) return unranked;
    const inLoop = inOneRow(operation);
    if (inLoop) return inLoop;
    if (!found) {
      const isSame = inputs.every(({ kind }) => kind === 'same');
      if (isSame && pureOperations.has(node.op)) return same(undefined);
      return operation.mixed('has no rule that shows what it does to rows');
    }
    const isDealt = inputs.some((value) => value.kind === 'rows' && value.dealt);
    if (isDealt && !found.takesDealt) return operation.mixed('works on blocks of several rows');
    const outputs = found.rule(operation);
    return 'kind' in outputs && outputs.kind === 'mixed' ? passOn(operation, outputs) : outputs;
  }

  /** Notes who writes to a TensorArray. One with several writers may hold what the other wrote. */
  private watchWriters({ node, inputs: [handle] }: Operation): void {
    if (!/^TensorArray(Write|Scatter)V3$/.test(node.op) || handle?.kind !== 'same' || !handle.array) return;
    const writers = this.writers.get(handle.array) ?? new Set();
    this.writers.set(handle.array, writers.add(node.name));
    if (writers.size > 1)
      this.obstacles.push(mixed(`several operations write to one TensorArray (${node.name})`));
  }

  private learnRanks({ inputs }: Operation, rule: OperationRule | undefined): Value | undefined {
    let found: Value | undefined;
    for (const [i, value] of inputs.entries()) {
      if (value.kind !== 'unranked') continue;
      const rank = rule?.ranks?.[i];
      if (rank !== undefined) this.ranks.set(value.input, rank);
      found = i === 0 && rule?.keepsShape ? value : mixed(`input \`${value.input}\` has an unknown rank`);
    }
    return found;
  }
}

/**
 * `Minimum(n, Maximum(n, anything))` is n. So a length that is given twice, as the least and as the most, is the same
 * for all.
 */
function bounded({ node, inputs }: Operation): Value | undefined {
  const [mixed, other] = inputs[0]?.kind === 'mixed' ? inputs : [inputs[1], inputs[0]];
  if (mixed?.kind !== 'mixed' || !mixed.isScalar || !other || !isOneNumber(other)) return undefined;
  const bound = integersOf(other)?.[0];
  if (!bound) return undefined;
  const { kind, why } = mixed;
  // A bound from before may lie beyond the new one.
  if (node.op === 'Minimum')
    return mixed.atLeast?.equals(bound) ? other : { kind, why, isScalar: true, atMost: bound };
  if (node.op === 'Maximum')
    return mixed.atMost?.equals(bound) ? other : { kind, why, isScalar: true, atLeast: bound };
  return undefined;
}

/** Operations that make a scalar from scalars. */
const arithmetic: ReadonlySet<string> = new Set([
  ...['Add', 'AddV2', 'Cast', 'Identity', 'Mul', 'Sub'],
  ...['Equal', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'NotEqual'],
]);

/** A value that follows from a mixed one is mixed. Arithmetic on scalars gives a scalar. */
function passOn({ node, inputs }: Operation, mixed: Mixed): Mixed {
  if (mixed.isScalar && !inputs.includes(mixed)) return mixed;
  const { kind, why } = mixed;
  const isOne = arithmetic.has(node.op) && inputs.every(isOneNumber);
  return isOne ? { kind, why, isScalar: true } : { kind, why };
}

function isOneNumber(value: Value): boolean {
  return value.kind === 'mixed' || value.kind === 'sizes' ? value.isScalar === true : isScalar(value);
}

function isScalar(value: Value | undefined): value is Same {
  return value?.kind === 'same' && value.dims?.length === 0;
}

/** What must be evaluated of a function, including nodes that run although nothing takes their values. */
async function rootsOf({ results, controls, nodes }: GraphFunction, turns: Turns): Promise<string[]> {
  const roots = [...results.map(({ node }) => node), ...controls];
  for (const node of nodes.byName.values()) {
    const pausing = turns.pause();
    if (pausing) await pausing;
    if (checking.includes(node.op) || (node.op !== 'PartitionedCall' && node.calledFunctions.length > 0))
      roots.push(node.name);
  }
  return roots;
}

function withoutBack(node: GraphNode, { nodes }: Frame): TensorRef[] {
  return node.inputs.filter((source) => !isBackEdge(nodes.byName.get(source.node)));
}

function valueAt({ nodes, given, outputs }: Frame, source: TensorRef): Value {
  const fed = given.get(source.node);
  if (fed) return fed;
  const node = nodes.byName.get(source.node);
  const found = outputs.get(source.node);
  if (!node || found === undefined) return mixed(`\`${source.node}\` is not in the graph`);
  if ('kind' in found) return found;
  const number = outputNumber(node, source);
  return (
    (number === undefined ? undefined : found[number]) ??
    mixed(`\`${node.op}\` has an output that is not known`)
  );
}

/**
 * Within a loop over the rows: a value belongs to the row if it follows from that row and from values that are the same
 * for all.
 */
function inOneRow(operation: Operation): Value | undefined {
  const { node, inputs } = operation;
  if (inputs.some(({ kind }) => kind === 'row number')) {
    const [first, second] = inputs;
    if (node.op === 'Identity' || node.op === 'Cast') return first;
    const isCounted = /^Add(V2)?$/.test(node.op) && first?.kind === 'row number' && !first.isNext;
    if (isCounted && second?.kind === 'same' && second.integers?.[0]?.is(1))
      return { ...first, isNext: true };
    const isCompared =
      node.op === 'Less' && first?.kind === 'row number' && !first.isNext && second?.kind === 'sizes';
    if (isCompared && second.isScalar && second.items[0]?.equals(Size.batch)) return rowIsThere;
    const isTaken =
      /^Gather(V2)?$/.test(node.op) &&
      first?.kind === 'rows' &&
      first.axis === 0 &&
      first.dims[0]?.equals(Size.batch) === true &&
      !first.dealt &&
      second?.kind === 'row number';
    if (isTaken && !second.isNext && (inputs[2] === undefined || isZero(inputs[2]))) return oneRow;
    return /^TensorList/.test(node.op) ? undefined : operation.mixed('works with the number of a row');
  }
  if (!inputs.some(({ kind }) => kind === 'one row') || /^TensorList(SetItem|GetItem)$/.test(node.op))
    return undefined;
  const isSame = (value: Value | undefined) => value === undefined || value.kind === 'same';
  const isWithin = inputs.every(
    (value) => value.kind === 'one row' || isSame(value) || (value.kind === 'list' && isSame(value.member)),
  );
  const isKnown = pureOperations.has(node.op) || rules.has(node.op);
  if (!isWithin || !isKnown) return operation.mixed(isWithin ? 'has no rule' : 'joins one row with others');
  return oneRow;
}

function isZero(value: Value): boolean {
  return value.kind === 'same' && value.integers?.[0]?.is(0) === true;
}

/** Uses the sizes that TensorFlow wrote beside a node, where the rules know none. */
function refined(node: GraphNode, outputs: Outputs, place: string): Outputs {
  const isUnclear = (value: Value) =>
    (value.kind === 'same' && !value.dims) ||
    ((value.kind === 'rows' || value.kind === 'same') &&
      value.dims?.some((dim) => dim.value === undefined && !dim.hasBatch));
  const all = 'kind' in outputs ? [outputs] : outputs;
  if (!all.some(isUnclear)) return outputs;
  const shapes = node.shapes('_output_shapes');
  const made = all.map((value, i): Value => {
    const shape = shapes[i];
    if (!shape || (value.kind !== 'rows' && value.kind !== 'same')) return value;
    const known = value.dims ?? shape.map((_, axis) => Size.named(`${place}:${i}.${axis}`));
    if (known.length !== shape.length) return value;
    const dims = known.map((dim, axis) => {
      const size = shape[axis];
      return dim.value === undefined && !dim.hasBatch && typeof size === 'number' ? Size.of(size) : dim;
    });
    return { ...value, dims };
  });
  return 'kind' in outputs ? (shapes.length <= 1 ? (made[0] as Value) : outputs) : made;
}
