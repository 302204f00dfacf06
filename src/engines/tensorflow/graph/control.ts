/** What becomes of rows in operations that call functions, choose among them, loop or check. */
import type { Caller, Control } from './caller.js';
import type { GraphDef, GraphNode } from './graph-def.js';
import { joinAll, joinValues, maxTurns } from './join.js';
import type { Operation, Outputs } from './operation.js';
import { Size } from './size.js';
import { callModule } from './stablehlo/call-module.js';
import { isEqual, oneRow, rowIsThere, same, type Value } from './value.js';

/** @returns undefined for an operation that only computes */
export function findControl(node: GraphNode, graph: GraphDef): Control | undefined {
  return controls.get(node.op) ?? (graph.has(node.op) ? callByName : undefined);
}

const call: Control = ({ node, inputs }, walk, place) => walk.call(node.function('f'), inputs, place);
const callByName: Control = ({ node, inputs }, walk, place) => walk.call(node.op, inputs, place);

const chooseOne: Control = (operation, walk, place) => {
  const { node } = operation;
  return choose(operation, walk, place, [node.function('else_branch'), node.function('then_branch')]);
};
const chooseOfMany: Control = (operation, walk, place) =>
  choose(operation, walk, place, operation.node.functions('branches'));

async function choose(
  operation: Operation,
  walk: Caller,
  place: string,
  branches: readonly string[],
): Promise<Outputs> {
  const [condition, ...inputs] = operation.inputs;
  if (condition?.kind === 'dead') return condition;
  if (condition?.kind === 'one row') return withinOneRow(operation, inputs);
  if (condition?.kind !== 'same') {
    const refused =
      condition?.kind === 'mixed' ? condition : operation.mixed('chooses for all rows together');
    // Take a condition that holds if each row satisfies something. If one row does not, the first branch runs, and it
    // runs for that row alone too. The other branch may be skipped for a row only because of the rows beside it, so its
    // checks count.
    const isEach = condition?.kind === 'every row';
    if (isEach)
      for (const [i, branch] of branches.entries()) await walk.call(branch, inputs, `${place}/${i}`);
    if (await walk.hasChecks(isEach ? branches.slice(1) : branches)) walk.obstacles.push(refused);
    return refused;
  }
  const chosen = condition.dims?.length === 0 ? condition.integers?.[0]?.value : undefined;
  const taken =
    chosen === undefined
      ? undefined
      : branches[branches.length === 2 ? Math.min(1, Math.abs(chosen)) : chosen];
  let joined: readonly Value[] | undefined;
  for (const [i, branch] of (taken === undefined ? branches : [taken]).entries()) {
    const values = await walk.call(branch, inputs, `${place}/${i}`);
    joined = joined ? joinAll(joined, values, place) : values;
  }
  return joined ?? [];
}

function withinOneRow(operation: Operation, inputs: readonly Value[]): Outputs {
  const isWithin = inputs.every(({ kind }) => kind === 'one row' || kind === 'same');
  return isWithin ? oneRow : operation.mixed('joins one row with others');
}

const loop: Control = async (operation, walk, place) => {
  const { node, inputs } = operation;
  if (inputs.some(({ kind }) => kind === 'one row') && !inputs.some(({ kind }) => kind === 'row number'))
    return withinOneRow(operation, inputs);
  let state = inputs;
  for (let turn = 0; turn < maxTurns; turn++) {
    const [condition] = await walk.call(node.function('cond'), state, `${place}/cond`);
    if (condition?.kind !== 'same') {
      if (await walk.hasChecks([node.function('body')]))
        walk.obstacles.push(operation.mixed('checks in a loop that depends on the rows'));
      if (condition?.kind === 'mixed' && turn === 0) return condition;
      return turn <= 1 && (condition?.kind === 'sizes' || condition?.kind === 'mixed')
        ? loopOverRows(operation, walk, place)
        : operation.mixed('goes on for as long as a condition holds that depends on the rows');
    }
    if (turn === 0 && condition.dims?.length === 0 && condition.integers?.[0]?.is(0)) return state;
    const after = await walk.call(node.function('body'), state, `${place}/body`);
    const joined = joinAll(state, after, place);
    if (joined.every((value, i) => isEqual(value, state[i]))) return joined;
    state = joined;
  }
  return operation.mixed('is a loop that does not settle');
};

/** A loop that takes one row in each turn, and keeps nothing but what it writes to that row's place in a list. */
async function loopOverRows(operation: Operation, walk: Caller, place: string): Promise<Outputs> {
  const { node, inputs } = operation;
  const body = node.function('body');
  const isHandedOn = await Promise.all(inputs.map((_, i) => walk.handsOn(body, i)));
  const state = inputs.map((value, i): Value => {
    const isCounter = value.kind === 'same' && value.dims?.length === 0 && value.integers?.[0]?.is(0);
    return isCounter && !isHandedOn[i] ? { kind: 'row number', isNext: false } : value;
  });
  const [condition] = await walk.call(node.function('cond'), state, `${place}/cond`);
  if (!isEqual(condition, rowIsThere))
    return operation.mixed('goes on for as long as a condition holds that depends on the rows');
  const after = await walk.call(body, state, `${place}/body`);
  const found = after.find(({ kind }) => kind === 'mixed');
  if (found) return found;
  const isKept = state.every((value, i) => {
    const next = after[i];
    if (value.kind === 'row number') return next?.kind === 'row number' && next.isNext;
    const isWritten = value.kind === 'list' && value.member?.kind === 'one row';
    return isHandedOn[i] || (isWritten && isEqual(value, next));
  });
  if (!isKept) return operation.mixed('hands something on from row to row');
  // The number of turns is the number of rows.
  return state.map((value) =>
    value.kind === 'row number' ? { kind: 'sizes', isScalar: true, items: [Size.batch] } : value,
  );
}

/** Inputs: `condition, what to say…`. */
const check: Control = (operation, walk) => {
  const condition = operation.input(0);
  const isHarmless = ['same', 'every row', 'dead', 'one row'].includes(condition.kind);
  if (!isHarmless)
    walk.obstacles.push(condition.kind === 'mixed' ? condition : operation.mixed('checks all rows together'));
  return [];
};

/**
 * Inputs: `value, condition`. The first output is the value if the condition is false, and the second if it is true.
 */
const switchWay: Control = (operation) => {
  const [value, condition] = [operation.input(0), operation.input(1)];
  if (value.kind === 'mixed' || value.kind === 'dead') return value;
  if (condition.kind === 'mixed' || condition.kind === 'dead') return condition;
  if (condition.kind !== 'same') return operation.mixed('chooses for all rows together');
  const chosen = condition.dims?.length === 0 ? condition.integers?.[0]?.value : undefined;
  const dead: Value = { kind: 'dead' };
  if (chosen === undefined) return [value, value];
  return chosen === 0 ? [value, dead] : [dead, value];
};

/** The second output of a merge: the number of the branch that was taken. */
export function whichWay(joined: Value): Value {
  return joined.kind === 'mixed' ? joined : same([]);
}

const mergeWays: Control = (operation, _walk, place) => {
  const joined = operation.inputs.reduce<Value>(
    (before, value) => joinValues(before, value, (name) => Size.named(`${place}:${name}`)),
    { kind: 'dead' },
  );
  return [joined, whichWay(joined)];
};

const pass: Control = (operation) => operation.input(0);

const controls: ReadonlyMap<string, Control> = new Map([
  ['PartitionedCall', call],
  ['StatefulPartitionedCall', call],
  ['If', chooseOne],
  ['StatelessIf', chooseOne],
  ['Case', chooseOfMany],
  ['StatelessCase', chooseOfMany],
  ['While', loop],
  ['StatelessWhile', loop],
  ['Assert', check],
  ['XlaCallModule', callModule],
  ['Switch', switchWay],
  ['RefSwitch', switchWay],
  ['Merge', mergeWays],
  ['RefMerge', mergeWays],
  ['Enter', pass],
  ['RefEnter', pass],
  ['Exit', pass],
  ['RefExit', pass],
  ['NextIteration', pass],
  ['RefNextIteration', pass],
  ['LoopCond', pass],
]);
