/** Rules for calls of custom targets. A target that is not listed may do anything. */
import { joinElements, type Outputs } from '../../operation.js';
import type { Instruction, InstructionRule } from '../instruction.js';

/** A call that only says where a value is computed, and returns it. */
function pass(instruction: Instruction): Outputs {
  return instruction.inputs.length === 1 ? instruction.input(0) : instruction.mixed('takes several values');
}

/** The greatest values of the last dim, and their indices. */
function topK(instruction: Instruction): Outputs {
  const [value, ...others] = instruction.inputs;
  if (others.some(({ kind }) => kind !== 'same'))
    return instruction.mixed('takes a number of them that depends on the batch');
  const { results } = instruction.operation;
  if (instruction.isSame) return results.map((_, output) => instruction.sameAsStated(output));
  if (value?.kind !== 'rows') return instruction.unfit() ?? instruction.mixed('has no operand');
  if (value.axis === value.dims.length - 1) return instruction.mixed('orders the rows');
  return results.map((_, output) => instruction.rows(value.axis, value.dims[value.axis], output));
}

function elements(instruction: Instruction): Outputs {
  return instruction.unfit() ?? joinElements(instruction);
}

export const customCalls: ReadonlyMap<string, InstructionRule> = new Map([
  ['Sharding', pass],
  ['annotate_device_placement', pass],
  ['mhlo.topk', topK],
  ['stablehlo.dynamic_top_k', topK],
  ['mhlo.erf', elements],
  ['mhlo.tan', elements],
]);
