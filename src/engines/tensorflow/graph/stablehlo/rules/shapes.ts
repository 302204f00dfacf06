/** Rules for StableHLO's operations that return shapes, make tensors of a shape, or change one. */
import type { Outputs } from '../../operation.js';
import { reshapeRows } from '../../rules/reshaping.js';
import { Size } from '../../size.js';
import { type Dims, dimsOf, integers, integersOf, rowsOf, same, type Value } from '../../value.js';
import { numbersOf } from '../attributes.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

/** The longest vector whose whole numbers are followed. */
const maxItems = 256;

function constant(instruction: Instruction): Outputs {
  const value = instruction.attributes.tensor('value');
  return same(
    value.type.dims.map((dim) => Size.of(dim ?? 0)),
    numbersOf(value)?.map(Size.of),
  );
}

function dimensionSize(instruction: Instruction): Outputs {
  const dims = dimsOf(instruction.input(0));
  const size = dims?.[instruction.attributes.integer('dimension')];
  return size ? integers([size], true) : instruction.mixed('tells a dim that is not there');
}

/** The dims that the second input holds, or that the module states. */
function wantedDims(instruction: Instruction): Dims | undefined {
  const wanted = instruction.inputs.length > 1 ? integersOf(instruction.input(1)) : instruction.statedSizes();
  if (wanted?.every((size) => size !== undefined)) return wanted as Dims;
  const isSame = instruction.inputs.length > 1 && instruction.input(1).kind === 'same';
  return isSame && !wanted ? instruction.statedDims() : undefined;
}

function reshape(instruction: Instruction): Outputs {
  const value = instruction.input(0);
  const wanted = wantedDims(instruction);
  const items = integersOf(value);
  if (items && wanted && wanted.length <= 1 && (wanted.length === 1 || items.length === 1))
    return integers(items, wanted.length === 0);
  if (value.kind === 'same') {
    if (!wanted?.some((dim) => dim.hasBatch)) return same(wanted ?? instruction.statedDims(), value.integers);
    return instruction.mixed('gives a tensor that is the same for all a row for each request');
  }
  if (value.kind !== 'rows') return instruction.unfit() ?? value;
  if (!wanted || wanted.some((dim) => dim.is(-1)))
    return instruction.mixed('reshapes rows to a shape that is not known');
  return reshapeRows(instruction, value, wanted);
}

/** Makes each dim of the operand the one that an attribute names. A dim of 1 is repeated. */
function broadcast(instruction: Instruction): Outputs {
  const value = instruction.input(0);
  const places = instruction.attributes.integers('broadcast_dimensions');
  const wanted = wantedDims(instruction);
  const dims = dimsOf(value);
  if (dims && dims.length !== places.length) return instruction.mixed('has other dims than it names');
  if (!wanted || !dims) return instruction.mixed('makes a tensor of a shape that is not known');
  const items = integersOf(value);
  const [length] = wanted;
  const count = wanted.length === 1 ? length?.value : undefined;
  if (items?.length === 1 && count !== undefined && count <= maxItems)
    return integers(
      Array.from({ length: count }, () => items[0]),
      false,
    );
  if (items && wanted.length === 1 && dims[0] && length?.equals(dims[0])) return integers(items, false);
  if (items && wanted.length === 0) return value;
  const total = Size.product(wanted).value ?? maxItems + 1;
  if (value.kind === 'same' && items?.length === 1 && total <= maxItems)
    return same(
      wanted,
      Array.from({ length: total }, () => items[0] ?? Size.one),
    );
  if (value.kind !== 'same' && value.kind !== 'rows') return instruction.unfit() ?? value;
  if (!wanted.some((dim) => dim.hasBatch))
    return value.kind === 'same'
      ? same(wanted)
      : instruction.mixed('broadcasts rows to a shape without them');
  const made = rowsOf(wanted);
  if (!made) return instruction.mixed('makes a tensor with several dims of the size of the batch');
  const from = places.indexOf(made.axis);
  const isAlike =
    value.kind === 'rows'
      ? from === value.axis && dims[from]?.equals(made.dims[made.axis])
      : from < 0 || dims[from]?.is(1);
  return isAlike ? made : instruction.mixed('broadcasts rows along another axis');
}

/** The index of each element along an axis. */
function iota(instruction: Instruction): Outputs {
  const axis = instruction.attributes.integer('iota_dimension');
  const sizes: Value | undefined = instruction.inputs[0];
  const wanted = sizes ? integersOf(sizes) : instruction.statedSizes();
  const dims = wanted?.every((size) => size !== undefined) ? (wanted as Dims) : undefined;
  if (!dims)
    return sizes?.kind === 'same' ? instruction.sameAsStated() : instruction.mixed('numbers the rows');
  if (dims.some((dim) => dim.hasBatch)) {
    const made = rowsOf(dims);
    return made && made.axis !== axis ? made : instruction.mixed('numbers the rows');
  }
  const count = dims.length === 1 ? dims[0]?.value : undefined;
  if (count === undefined || count > maxItems) return same(dims);
  return same(
    dims,
    Array.from({ length: count }, (_, i) => Size.of(i)),
  );
}

function transpose(instruction: Instruction): Outputs {
  const value = instruction.input(0);
  const permutation = instruction.attributes.integers('permutation');
  const dims = dimsOf(value);
  const isPermutation = permutation.every((axis, i) => axis >= 0 && permutation.indexOf(axis) === i);
  if (!dims || permutation.length !== dims.length || !isPermutation)
    return instruction.mixed('transposes in an order that is not one');
  const made = permutation.map((axis) => dims[axis] ?? Size.one);
  if (value.kind === 'same') return same(made);
  if (value.kind !== 'rows') return value.kind === 'sizes' ? value : (instruction.unfit() ?? value);
  return { ...value, axis: permutation.indexOf(value.axis), dims: made };
}

export const shapeInstructions = listInstructions(
  ['constant', constant],
  ['get_dimension_size', dimensionSize],
  ['reshape dynamic_reshape', reshape],
  ['broadcast_in_dim dynamic_broadcast_in_dim', broadcast],
  ['iota dynamic_iota', iota],
  ['transpose', transpose],
);
