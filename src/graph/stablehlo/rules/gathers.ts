/**
 * StableHLO's operations that take parts of a tensor by indices, or write to such.
 *
 * A gather's indices have a part for each of its dims but the one that holds the numbers of an index. Each part's slice has
 * the operand's dims, less those that are dropped. So an axis of the output is one of the indices or one of the slices.
 */
import type { Outputs } from '../../operation.js';
import { Size } from '../../size.js';
import { dimsOf, integers, integersOf, numbersOf, same, type Value } from '../../value.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

const numbers = (instruction: Instruction, name: string): readonly number[] =>
  instruction.attributes.has(name) ? instruction.attributes.integers(name) : [];

/** Axes of so many, without some. */
function axesBut(rank: number, ...without: readonly (readonly number[])[]): number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter(
    (axis) => !without.some((axes) => axes.includes(axis)),
  );
}

/** Of the numbers of a shape, by plain numbers. */
function gatherItems(instruction: Instruction): Value | undefined {
  const [operand, indices] = instruction.inputs;
  const [items, places] = [integersOf(operand), numbersOf(indices)];
  const rank = instruction.statedDims()?.length ?? 2;
  const isPlain =
    dimsOf(operand)?.length === 1 && rank <= 1 && numbers(instruction, 'collapsed_slice_dims').includes(0);
  if (!items || !places || !isPlain || (rank === 0 && places.length !== 1)) return undefined;
  // What is beyond the end means the last one.
  return integers(
    places.map((place) => items[Math.max(0, Math.min(place, items.length - 1))]),
    rank === 0,
  );
}

function gather(instruction: Instruction): Outputs {
  const [operand, indices, sizes] = instruction.inputs;
  const gathered = gatherItems(instruction);
  if (gathered) return gathered;
  if (instruction.isSame) return instruction.sameAsStated();
  const unfit = [operand, indices].find((value) => value?.kind !== 'same' && value?.kind !== 'rows');
  const rank = instruction.statedDims()?.length;
  const [dims, index] = [dimsOf(operand), dimsOf(indices)];
  if (unfit || !operand || !indices || !dims || !index || rank === undefined)
    return instruction.unfit() ?? instruction.mixed('gathers from what it does not know');
  const vector = instruction.attributes.integer('index_vector_dim');
  const offsets = numbers(instruction, 'offset_dims');
  const dropped = numbers(instruction, 'collapsed_slice_dims');
  const batched = numbers(instruction, 'operand_batching_dims');
  const indexBatched = numbers(instruction, 'start_indices_batching_dims');
  const lengths = sizes ? integersOf(sizes) : instruction.attributes.integers('slice_sizes').map(Size.of);
  const isSteady = lengths?.every(
    (size, i) => size && (!size.hasBatch || (operand.kind === 'rows' && i === operand.axis)),
  );
  if (!isSteady) return instruction.mixed('takes parts of a size that depends on the batch');
  /** Of the output, by the dim of the indices. */
  const outer = axesBut(rank, offsets);
  const outerOf = (axis: number) => outer[axesBut(index.length, [vector]).indexOf(axis)] ?? -1;
  if (indices.kind === 'rows') {
    const size = indices.dims[indices.axis];
    if (indices.axis === vector) return instruction.mixed('takes parts by rows that are no indices');
    const place = indexBatched.indexOf(indices.axis);
    const isOwn =
      operand.kind === 'rows'
        ? place >= 0 && batched[place] === operand.axis && size?.equals(operand.dims[operand.axis])
        : place < 0;
    return isOwn
      ? instruction.rows(outerOf(indices.axis), size)
      : instruction.mixed('takes rows by indices that depend on rows');
  }
  if (operand.kind !== 'rows') return instruction.mixed('takes rows by their numbers');
  const { axis } = operand;
  const isWhole =
    lengths?.[axis]?.equals(dims[axis]) && !numbers(instruction, 'start_index_map').includes(axis);
  const inner = axesBut(dims.length, dropped, batched).indexOf(axis);
  return isWhole && inner >= 0
    ? instruction.rows(offsets[inner] ?? -1, dims[axis])
    : instruction.mixed('takes rows by their numbers');
}

/** `operands…, indices, updates…`: each row's updates to the row itself. */
function scatter(instruction: Instruction): Outputs {
  if (instruction.isSame)
    return instruction.operation.results.map((_, i) => same(dimsOf(instruction.input(i))));
  const unfit = instruction.unfit();
  if (unfit || instruction.inputs.length !== 3)
    return unfit ?? instruction.mixed('writes to several tensors at once');
  const [operand, indices, updates] = instruction.inputs;
  if (operand?.kind !== 'rows' || updates?.kind !== 'rows' || !indices)
    return instruction.mixed('writes rows to what has none');
  const { axis, dims } = operand;
  const vector = instruction.attributes.integer('index_vector_dim');
  const windows = numbers(instruction, 'update_window_dims');
  const inserted = numbers(instruction, 'inserted_window_dims');
  const batched = numbers(instruction, 'input_batching_dims');
  const indexBatched = numbers(instruction, 'scatter_indices_batching_dims');
  const isAlike = updates.dims[updates.axis]?.equals(dims[axis]);
  const place = batched.indexOf(axis);
  if (place >= 0) {
    const indexAxis = indexBatched[place] ?? -1;
    const index = dimsOf(indices) ?? [];
    const outer = axesBut(updates.dims.length, windows);
    const isOwn =
      indices.kind === 'rows' &&
      indices.axis === indexAxis &&
      indices.dims[indexAxis]?.equals(dims[axis]) &&
      outer[axesBut(index.length, [vector]).indexOf(indexAxis)] === updates.axis;
    return isOwn && isAlike ? operand : instruction.mixed('writes to other rows, or may');
  }
  const inner = axesBut(dims.length, inserted, batched).indexOf(axis);
  const isWhole =
    indices.kind === 'same' &&
    inner >= 0 &&
    windows[inner] === updates.axis &&
    !numbers(instruction, 'scatter_dims_to_operand_dims').includes(axis);
  return isWhole && isAlike ? operand : instruction.mixed('writes to other rows, or may');
}

export const gatherInstructions = listInstructions(['gather dynamic_gather', gather], ['scatter', scatter]);
