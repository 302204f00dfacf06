/** Evaluates `XlaCallModule`, an operation of TensorFlow that runs a StableHLO module. JAX's exports consist of one. */
import type { Caller, Control } from '../caller.js';
import type { GraphNode } from '../graph-def.js';
import type { Operation } from '../operation.js';
import { type Mixed, same, type Value } from '../value.js';
import { Malformed } from './cursor.js';
import { type Module, readModule } from './module.js';
import { ModuleWalk } from './module-walk.js';
import type { Type } from './types.js';

/** Earlier versions have inputs of their own that say sizes. */
const leastVersion = 5;

export const callModule: Control = async (operation, walk, place) => {
  const dead = operation.inputs.find(({ kind }) => kind === 'dead');
  if (dead) return dead;
  const module = await moduleOf(operation, walk);
  if ('kind' in module) return refuse(module, walk);
  const { node, inputs } = operation;
  const main = module.functions.get('main');
  const unusual = unusualOf(node);
  if (unusual || !main) return refuse(operation.mixed(unusual ?? 'has no function `main`'), walk);
  // With several platforms, the first input says which one it runs on.
  const given = node.texts('platforms').length > 1 ? [same([]), ...inputs] : [...inputs];
  if (given.length !== main.parameters.length)
    return refuse(
      operation.mixed(`has ${given.length} inputs for ${main.parameters.length} parameters`),
      walk,
    );
  const unranked = given.find((value, i) => learnRank(value, main.parameters[i]?.type, walk));
  if (unranked) return operation.mixed('takes an input of unknown rank');
  try {
    const results = await new ModuleWalk(module, walk.obstacles, walk.turns, walk.moduleSteps).call(
      'main',
      given,
      place,
    );
    const expected = node.count('Tout', 'types');
    return results.length === expected
      ? results
      : refuse(operation.mixed(`gives ${results.length} outputs, not ${expected}`), walk);
  } catch (error) {
    return refuse(unreadable(operation, error), walk);
  }
};

/** Refuses a module. It may check something that we do not know. */
function refuse(reason: Mixed, { obstacles }: Caller): Mixed {
  obstacles.push(reason);
  return reason;
}

async function moduleOf(operation: Operation, { modules, turns }: Caller): Promise<Module | Mixed> {
  const { node } = operation;
  const known = modules.get(node);
  if (known) return known;
  const module = await readModule(node.bytes('module'), turns).catch((error: unknown) =>
    unreadable(operation, error),
  );
  modules.set(node, module);
  return module;
}

/** @throws errors that are not about the bytes */
function unreadable(operation: Operation, error: unknown): Mixed {
  if (error instanceof Malformed)
    return operation.mixed(`has a StableHLO module that is not read: ${error.message}`);
  throw error;
}

/** Names a way to run a module that is not followed; undefined if there is none. */
function unusualOf(node: GraphNode): string | undefined {
  const version = node.integer('version');
  if (version < leastVersion) return `is of version ${version}, from before sizes were told by shapes`;
  if (node.texts('dim_args_spec').length > 0) return 'takes sizes as inputs';
  if (node.functions('function_list').length > 0) return 'calls functions of TensorFlow';
  return node.flag('has_token_input_output') ? 'takes a token for its effects' : undefined;
}

/** Learns the rank of an input. @returns true if it was not known before */
function learnRank(value: Value, type: Type | undefined, { ranks }: Caller): boolean {
  if (value.kind !== 'unranked') return false;
  if (type?.kind === 'tensor') ranks.set(value.input, type.dims.length);
  return true;
}
