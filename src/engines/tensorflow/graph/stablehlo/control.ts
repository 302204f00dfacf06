/** Rules for StableHLO's operations that call functions, choose among regions, loop or check. */
import { joinAll, maxTurns } from '../join.js';
import type { Outputs } from '../operation.js';
import { isEqual, type Mixed, type Value } from '../value.js';
import { Malformed } from './cursor.js';
import type { Instruction } from './instruction.js';
import type { Region } from './module.js';
import { customCalls } from './rules/custom-calls.js';

type Environment = Map<number, Value>;

/** Evaluates functions and regions. */
interface RegionCaller {
  readonly obstacles: Mixed[];
  call(name: string, inputs: readonly Value[], place: string): Promise<readonly Value[]>;
  run(region: Region, inputs: readonly Value[], outer: Environment, place: string): Promise<readonly Value[]>;
}

type ModuleControl = (
  instruction: Instruction,
  walk: RegionCaller,
  values: Environment,
  place: string,
) => Outputs | Promise<Outputs>;

/** @returns undefined for an operation that only computes */
export function findModuleControl(name: string): ModuleControl | undefined {
  return controls.get(name);
}

const call: ModuleControl = ({ attributes, inputs }, walk, _values, place) =>
  walk.call(attributes.string('callee'), inputs, place);

/** A composite names a function that does the same. */
const composite: ModuleControl = ({ attributes, inputs }, walk, _values, place) =>
  walk.call(attributes.string('decomposition'), inputs, place);

const chooseOfMany: ModuleControl = (instruction, walk, values, place) =>
  choose(instruction, instruction.operation.regions, walk, values, place);

/** The first region is for true. */
const chooseOne: ModuleControl = (instruction, walk, values, place) =>
  choose(instruction, instruction.operation.regions.toReversed(), walk, values, place);

async function choose(
  instruction: Instruction,
  regions: readonly Region[],
  walk: RegionCaller,
  values: Environment,
  place: string,
): Promise<Outputs> {
  const condition = instruction.input(0);
  if (condition.kind !== 'same') {
    const refused =
      condition.kind === 'mixed' ? condition : instruction.mixed('chooses for all rows together');
    if (regions.some(checks)) walk.obstacles.push(refused);
    return refused;
  }
  const chosen = condition.integers?.[0]?.value;
  // A number that names no region means the last one.
  const taken = chosen === undefined ? regions : [regions[chosen] ?? regions.at(-1)];
  let joined: readonly Value[] | undefined;
  for (const region of taken) {
    if (!region) return instruction.mixed('has nothing to choose from');
    const made = await walk.run(region, [], values, `${place}/${regions.indexOf(region)}`);
    if (joined && joined.length !== made.length)
      throw new Malformed('expected as many results of each region');
    joined = joined ? joinAll(joined, made, place) : made;
  }
  return joined ?? [];
}

/** True if a region may check something, or call a function that does. */
function checks({ operations }: Region): boolean {
  return operations.some(
    ({ name, regions }) =>
      name === 'custom_call' || name === 'call' || name === 'composite' || regions.some(checks),
  );
}

const loop: ModuleControl = async (instruction, walk, values, place) => {
  const [condition, body] = instruction.operation.regions;
  if (!condition || !body) return instruction.mixed('has no body');
  let state = instruction.inputs;
  for (let turn = 0; turn < maxTurns; turn++) {
    const [goesOn] = await walk.run(condition, state, values, `${place}/cond`);
    if (goesOn?.kind !== 'same') {
      const refused =
        goesOn?.kind === 'mixed'
          ? goesOn
          : instruction.mixed('goes on for as long as a condition holds that depends on the rows');
      if (checks(body)) walk.obstacles.push(refused);
      return refused;
    }
    if (turn === 0 && goesOn.integers?.[0]?.is(0)) return state;
    const after = await walk.run(body, state, values, `${place}/body`);
    if (after.length !== state.length) throw new Malformed(`expected ${state.length} results of a loop`);
    const joined = joinAll(state, after, place);
    if (joined.every((value, i) => isEqual(value, state[i]))) return joined;
    state = joined;
  }
  return instruction.mixed('is a loop that does not settle');
};

const check = 'shape_assertion';

/** An unknown target may change something or fail, whether or not anything takes its result. */
const callCustom: ModuleControl = (instruction, walk) => {
  const target = instruction.attributes.string('call_target_name');
  if (target === check) {
    const condition = instruction.input(0);
    if (condition.kind === 'mixed') walk.obstacles.push(condition);
    else if (condition.kind !== 'same')
      walk.obstacles.push(instruction.mixed('checks the size of the batch'));
    return [];
  }
  const rule = customCalls.get(target);
  const refused = instruction.mixed(`calls \`${target}\`, of which nothing is known`);
  if (!rule) walk.obstacles.push(refused);
  const unfit = instruction.inputs.find(({ kind }) => kind === 'mixed');
  return unfit ?? rule?.(instruction) ?? refused;
};

const controls: ReadonlyMap<string, ModuleControl> = new Map([
  ['call', call],
  ['composite', composite],
  ['case', chooseOfMany],
  ['if', chooseOne],
  ['while', loop],
  ['custom_call', callCustom],
]);

/** The operations that the walk evaluates without a rule of the table. */
export const controlNames: readonly string[] = [...controls.keys()];
