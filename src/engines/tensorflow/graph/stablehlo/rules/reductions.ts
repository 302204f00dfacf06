/**
 * Rules for StableHLO's operations along axes: reductions, windows, transforms, decompositions of matrices. The walk
 * evaluates what a reduction does with two elements, which must not depend on the rows in another way.
 */
import { joinElements, type Outputs } from '../../operation.js';
import type { Size } from '../../size.js';
import { dimsOf, same, type Value } from '../../value.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

/** Inputs: `operands…, initial values…`. */
function operandsOf(instruction: Instruction): Value {
  const half = instruction.inputs.length / 2;
  if (instruction.inputs.slice(half).some(({ kind }) => kind !== 'same'))
    return instruction.mixed('begins with what depends on the batch');
  return instruction.unfit() ?? joinElements(instruction, instruction.inputs.slice(0, half));
}

/** One value for each output. */
function each(instruction: Instruction, make: (output: number) => Value): Outputs {
  return instruction.operation.results.map((_, output) => make(output));
}

function reduce(instruction: Instruction): Outputs {
  const joined = operandsOf(instruction);
  const axes = instruction.attributes.integers('dimensions');
  if (joined.kind === 'same')
    return each(instruction, () => same(joined.dims?.filter((_, axis) => !axes.includes(axis))));
  if (joined.kind !== 'rows') return joined;
  if (axes.includes(joined.axis)) return instruction.mixed('takes rows together');
  const before = axes.filter((axis) => axis < joined.axis).length;
  const dims = joined.dims.filter((_, axis) => !axes.includes(axis));
  return each(instruction, () => ({ kind: 'rows', axis: joined.axis - before, dims }));
}

/** Reduces windows. Along the rows, each window must have one row and no padding. */
function reduceWindows(instruction: Instruction): Outputs {
  const joined = operandsOf(instruction);
  if (joined.kind === 'same') return each(instruction, (output) => instruction.sameAsStated(output));
  if (joined.kind !== 'rows') return joined;
  const { axis, dims } = joined;
  const at = (name: string) => instruction.attributes.integers(name)[axis];
  const padding = instruction.attributes.integers('padding');
  const isOne = ['window_dimensions', 'window_strides', 'base_dilations'].every((name) => at(name) === 1);
  if (!isOne || padding[2 * axis] !== 0 || padding[2 * axis + 1] !== 0)
    return instruction.mixed('takes rows together');
  return each(instruction, (output) => instruction.rows(axis, dims[axis], output));
}

/** Inputs: `operand, scale, offset, mean, variance`. */
function normalise(instruction: Instruction): Outputs {
  const [value, ...others] = instruction.inputs;
  if (instruction.isSame) return instruction.sameAsStated();
  if (value?.kind !== 'rows' || others.some(({ kind }) => kind !== 'same'))
    return instruction.unfit() ?? instruction.mixed('takes rows for a mean');
  return value.axis === instruction.attributes.integer('feature_index')
    ? instruction.mixed('takes another mean for each row')
    : value;
}

/** Transforms the last dims, as many as there are lengths. */
function transform(instruction: Instruction): Outputs {
  return acrossLast(instruction, instruction.attributes.integers('fft_length').length);
}

/** Works on matrices. The leading dims of all operands are equal. */
function acrossLast(instruction: Instruction, count: number): Outputs {
  if (instruction.isSame) return instruction.sameAsStated();
  const [value] = instruction.inputs;
  const unfit = instruction.unfit();
  if (unfit || value?.kind !== 'rows') return unfit ?? instruction.mixed('joins rows with what has none');
  const { axis, dims } = value;
  const isAlike = instruction.inputs.every(
    (other) => other.kind === 'rows' && other.axis === axis && other.dims[axis]?.equals(dims[axis]),
  );
  const isInFront = instruction.inputs.every((other) => axis < (dimsOf(other)?.length ?? 0) - count);
  if (!isAlike) return instruction.mixed('joins rows with what has none, or other ones');
  return isInFront ? instruction.rows(axis, dims[axis]) : instruction.mixed('works across the rows');
}

const ofMatrices = (instruction: Instruction) => acrossLast(instruction, 2);

/** Random bits from a state that is the same for all. The bits of an element depend on the number of elements. */
function randomBits(instruction: Instruction): Outputs {
  const [state] = instruction.inputs;
  const isKnown = instruction.statedSizes(1)?.every((size): size is Size => size !== undefined);
  return state?.kind === 'same' && isKnown
    ? [same(state.dims), instruction.sameAsStated(1)]
    : instruction.mixed('draws numbers for all rows together');
}

export const reductionInstructions = listInstructions(
  ['reduce', reduce],
  ['reduce_window', reduceWindows],
  ['batch_norm_inference', normalise],
  ['fft', transform],
  ['cholesky triangular_solve', ofMatrices],
  ['rng_bit_generator', randomBits],
);
