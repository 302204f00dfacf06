/**
 * Rules for StableHLO's operations that take or write parts of a tensor by indices.
 *
 * One dim of the indices of a gather holds the numbers of an index. Each index takes one slice of the operand, without
 * the dims that are dropped. So an axis of the output belongs to the indices or to the slices.
 */
import type { Outputs, Step } from '../../operation.js';
import { Size } from '../../size.js';
import { dimsOf, integers, integersOf, type Mixed, numbersOf, same, type Value } from '../../value.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

const numbers = (instruction: Instruction, name: string): readonly number[] =>
  instruction.attributes.has(name) ? instruction.attributes.integers(name) : [];

/** The axes of a rank, without some of them. */
function axesBut(rank: number, ...without: readonly (readonly number[])[]): number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter(
    (axis) => !without.some((axes) => axes.includes(axis)),
  );
}

/** The attributes of a gather. */
export interface Gather {
  readonly operand: Value;
  readonly indices: Value;
  /** The lengths of a slice, for each dim of the operand. */
  readonly lengths: readonly (Size | undefined)[] | undefined;
  /** The dim of the indices that holds the numbers of an index. */
  readonly vector: number;
  /** The axes of the output that belong to the slices. */
  readonly offsets: readonly number[];
  /** The dims of the operand that slices lack. */
  readonly dropped: readonly number[];
  /** The dims that the operand and the indices have in common. Each index selects from its own part. */
  readonly batched: readonly number[];
  readonly indexBatched: readonly number[];
  /** The dims of the operand that an index selects. */
  readonly starts: readonly number[];
}

/** An axis of the output that has rows. */
export interface RowAxis {
  readonly kind: 'row axis';
  readonly axis: number;
  readonly size: Size | undefined;
}

/** The number of dims of the output. */
export function rankOfGather({ indices, vector, offsets }: Gather): number | undefined {
  const rank = dimsOf(indices)?.length;
  return rank === undefined ? undefined : offsets.length + rank - Number(vector < rank);
}

/** Gathers the numbers of a shape by plain numbers. */
export function gatherItems(gather: Gather): Value | undefined {
  const [items, places] = [integersOf(gather.operand), numbersOf(gather.indices)];
  const rank = rankOfGather(gather) ?? 2;
  const isPlain = dimsOf(gather.operand)?.length === 1 && rank <= 1 && gather.dropped.includes(0);
  if (!items || !places || !isPlain || (rank === 0 && places.length !== 1)) return undefined;
  // An index beyond the end means the last number.
  return integers(
    places.map((place) => items[Math.max(0, Math.min(place, items.length - 1))]),
    rank === 0,
  );
}

export function gatherRows(step: Step, gather: Gather): RowAxis | Mixed {
  const { operand, indices, lengths, vector, offsets, dropped, batched, indexBatched, starts } = gather;
  const unfit = [operand, indices].some(({ kind }) => kind !== 'same' && kind !== 'rows');
  const [dims, index, rank] = [dimsOf(operand), dimsOf(indices), rankOfGather(gather)];
  if (unfit || !dims || !index || rank === undefined)
    return step.unfit() ?? step.mixed('gathers from what it does not know');
  const isSteady = lengths?.every(
    (size, i) => size && (!size.hasBatch || (operand.kind === 'rows' && i === operand.axis)),
  );
  if (!isSteady) return step.mixed('takes parts of a size that depends on the batch');
  if (indices.kind === 'rows') {
    const size = indices.dims[indices.axis];
    if (indices.axis === vector) return step.mixed('takes parts by rows that are no indices');
    const place = indexBatched.indexOf(indices.axis);
    const isOwn =
      operand.kind === 'rows'
        ? place >= 0 && batched[place] === operand.axis && size?.equals(operand.dims[operand.axis])
        : place < 0;
    if (!isOwn) return step.mixed('takes rows by indices that depend on rows');
    const outer = axesBut(rank, offsets);
    const axis = outer[axesBut(index.length, [vector]).indexOf(indices.axis)] ?? -1;
    return { kind: 'row axis', axis, size };
  }
  if (operand.kind !== 'rows') return step.mixed('takes rows by their numbers');
  const { axis } = operand;
  const isWhole = lengths?.[axis]?.equals(dims[axis]) && !starts.includes(axis);
  const inner = axesBut(dims.length, dropped, batched).indexOf(axis);
  return isWhole && inner >= 0
    ? { kind: 'row axis', axis: offsets[inner] ?? -1, size: dims[axis] }
    : step.mixed('takes rows by their numbers');
}

function gather(instruction: Instruction): Outputs {
  const [operand, indices, sizes] = instruction.inputs;
  if (!operand || !indices) return instruction.mixed('gathers from nothing');
  const told: Gather = {
    operand,
    indices,
    lengths: sizes ? integersOf(sizes) : instruction.attributes.integers('slice_sizes').map(Size.of),
    vector: instruction.attributes.integer('index_vector_dim'),
    offsets: numbers(instruction, 'offset_dims'),
    dropped: numbers(instruction, 'collapsed_slice_dims'),
    batched: numbers(instruction, 'operand_batching_dims'),
    indexBatched: numbers(instruction, 'start_indices_batching_dims'),
    starts: numbers(instruction, 'start_index_map'),
  };
  const gathered = gatherItems(told);
  if (gathered) return gathered;
  if (instruction.isSame) return instruction.sameAsStated();
  const found = gatherRows(instruction, told);
  return found.kind === 'mixed' ? found : instruction.rows(found.axis, found.size);
}

/** The attributes of a scatter. Its updates are slices of the operand, as those of a gather are. */
export interface Scatter {
  readonly operand: Value;
  readonly indices: Value;
  readonly updates: Value;
  readonly vector: number;
  /** The axes of the updates that belong to the slices. */
  readonly windows: readonly number[];
  /** The dims of the operand that slices lack. */
  readonly inserted: readonly number[];
  readonly batched: readonly number[];
  readonly indexBatched: readonly number[];
  readonly starts: readonly number[];
}

/** Each row's updates must go to the row itself. */
export function scatterRows(step: Step, scatter: Scatter): Value {
  const { operand, indices, updates, vector, windows, inserted, batched, indexBatched, starts } = scatter;
  if (operand.kind !== 'rows' || updates.kind !== 'rows')
    return step.unfit() ?? step.mixed('writes rows to what has none');
  const { axis, dims } = operand;
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
    return isOwn && isAlike ? operand : step.mixed('writes to other rows, or may');
  }
  const inner = axesBut(dims.length, inserted, batched).indexOf(axis);
  const isWhole =
    indices.kind === 'same' && inner >= 0 && windows[inner] === updates.axis && !starts.includes(axis);
  return isWhole && isAlike ? operand : step.mixed('writes to other rows, or may');
}

/** Inputs: `operands…, indices, updates…`. */
function scatter(instruction: Instruction): Outputs {
  if (instruction.isSame)
    return instruction.operation.results.map((_, i) => same(dimsOf(instruction.input(i))));
  const [operand, indices, updates, ...others] = instruction.inputs;
  if (!operand || !indices || !updates || others.length > 0)
    return instruction.mixed('writes to several tensors at once');
  return scatterRows(instruction, {
    operand,
    indices,
    updates,
    vector: instruction.attributes.integer('index_vector_dim'),
    windows: numbers(instruction, 'update_window_dims'),
    inserted: numbers(instruction, 'inserted_window_dims'),
    batched: numbers(instruction, 'input_batching_dims'),
    indexBatched: numbers(instruction, 'scatter_indices_batching_dims'),
    starts: numbers(instruction, 'scatter_dims_to_operand_dims'),
  });
}

export const gatherInstructions = listInstructions(['gather dynamic_gather', gather], ['scatter', scatter]);
