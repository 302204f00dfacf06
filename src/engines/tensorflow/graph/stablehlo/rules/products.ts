/** Rules for StableHLO's products of matrices, and for convolutions. */
import type { Outputs, Step } from '../../operation.js';
import { einsumRows } from '../../rules/linear.js';
import { Size } from '../../size.js';
import { type Dims, dimsOf } from '../../value.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

/** A product. Each operand has dims of the batch, dims that are summed over, and others, which come last. */
function dotGeneral(instruction: Instruction): Outputs {
  const axes = (name: string) => instruction.attributes.integers(name);
  return dot(
    instruction,
    [axes('lhs_batching_dimensions'), axes('rhs_batching_dimensions')],
    [axes('lhs_contracting_dimensions'), axes('rhs_contracting_dimensions')],
  );
}

export type Pairs = readonly [readonly number[], readonly number[]];

/**
 * @param batched are the dims of the batch in both operands
 * @param summed are the dims that are summed over
 */
export function dot(instruction: Step, batched: Pairs, summed: Pairs): Outputs {
  const unfit = instruction.unfit();
  const all = [dimsOf(instruction.input(0)), dimsOf(instruction.input(1))];
  if (unfit || !all.every((dims) => dims !== undefined))
    return unfit ?? instruction.mixed('multiplies tensors of unknown rank');
  const labels = all.map((dims, side) =>
    (dims as Dims).map((_, axis) => {
      const [batch, sum] = [batched[side]?.indexOf(axis) ?? -1, summed[side]?.indexOf(axis) ?? -1];
      return batch >= 0 ? `batch ${batch}` : sum >= 0 ? `sum ${sum}` : `${side}.${axis}`;
    }),
  );
  const made = [
    ...batched[0].map((_, i) => `batch ${i}`),
    ...labels.flatMap((each) => each.filter((label) => !/^(batch|sum)/.test(label))),
  ];
  return multiply(instruction, labels, made);
}

function multiply(
  instruction: Step,
  labels: readonly (readonly string[])[],
  made: readonly string[],
): Outputs {
  const sizes = new Map<string, Size>();
  labels.forEach((each, i) => {
    each.forEach((label, axis) => {
      const size = dimsOf(instruction.input(i))?.[axis] ?? Size.one;
      if (sizes.get(label)?.value === undefined) sizes.set(label, size);
    });
  });
  const dims = made.map((label) => sizes.get(label) ?? Size.one);
  return einsumRows(instruction, labels, made, dims);
}

/** A product of vectors and matrices. */
function plainDot(instruction: Instruction): Outputs {
  const rank = dimsOf(instruction.input(0))?.length ?? 0;
  return dot(instruction, [[], []], [[rank - 1], [0]]);
}

/** An einsum, for example `ab,bc->ac`, without an ellipsis. */
function einsum(instruction: Instruction): Outputs {
  const [left = '', result = ''] = instruction.attributes.string('einsum_config').split('->');
  const labels = left.split(',').map((term) => [...term.trim()]);
  const isPlain = labels.every((each, i) => each.length === dimsOf(instruction.input(i))?.length);
  if (!isPlain || labels.length !== instruction.inputs.length)
    return instruction.mixed('multiplies what its equation does not tell');
  return instruction.unfit() ?? multiply(instruction, labels, [...result.trim()]);
}

/**
 * Inputs: `images, filter, …`. Each image is convolved by itself, unless the batch is divided into groups for the
 * filters.
 */
function convolve(instruction: Instruction): Outputs {
  const [images, filter, ...others] = instruction.inputs;
  const { attributes } = instruction;
  if (instruction.isSame) return instruction.sameAsStated();
  if (filter?.kind !== 'same' || others.some(({ kind }) => kind !== 'same'))
    return instruction.unfit() ?? instruction.mixed('takes rows for a filter');
  if (images?.kind !== 'rows') return instruction.unfit() ?? instruction.mixed('has no images');
  const isInBatch =
    images.axis === attributes.integer('input_batch_dimension') &&
    attributes.integer('batch_group_count') === 1;
  if (!isInBatch) return instruction.mixed('takes another dim than that of the rows for the batch');
  return instruction.rows(attributes.integer('output_batch_dimension'), images.dims[images.axis]);
}

export const productInstructions = listInstructions(
  ['dot_general', dotGeneral],
  ['dot', plainDot],
  ['einsum', einsum],
  ['convolution dynamic_conv', convolve],
);
