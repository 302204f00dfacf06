/** Rules for StableHLO's operations that take parts of tensors, join or pad them, write into them, or sort them. */
import { joinElements, type Outputs } from '../../operation.js';
import { Size } from '../../size.js';
import { dimsOf, integers, integersOf, same, type Value } from '../../value.js';
import type { Instruction } from '../instruction.js';
import { listInstructions } from './list.js';

type Item = Size | undefined;

function concatenate(instruction: Instruction): Outputs {
  const axis = instruction.attributes.integer('dimension');
  const all = instruction.inputs.map(integersOf);
  const isVector = instruction.inputs.every((value) => dimsOf(value)?.length === 1);
  if (isVector && all.every((items) => items !== undefined)) return integers(all.flat(), false);
  if (instruction.isSame) return instruction.sameAsStated();
  const joined = instruction.unfit() ?? joinAcross(instruction, axis);
  if (joined.kind !== 'rows') return joined;
  return joined.axis === axis
    ? instruction.mixed('joins rows with rows')
    : instruction.rows(joined.axis, joined.dims[joined.axis]);
}

/** Joins the values, as if all had one size along the axis. */
function joinAcross(instruction: Instruction, axis: number): Value {
  const onAxis = instruction.inputs.some((value) => value.kind === 'rows' && value.axis === axis);
  if (onAxis) return instruction.mixed('joins rows with rows');
  return joinElements(
    instruction,
    instruction.inputs.map((value): Value => {
      const dims = dimsOf(value)?.map((dim, i) => (i === axis ? Size.one : dim));
      if (!dims) return value;
      return value.kind === 'rows' ? { ...value, dims } : same(dims);
    }),
  );
}

interface Bounds {
  readonly starts: readonly Item[] | undefined;
  readonly limits: readonly Item[] | undefined;
  readonly strides: readonly Item[] | undefined;
}

function slice(instruction: Instruction): Outputs {
  const sizes = (name: string) => instruction.attributes.integers(name).map(Size.of);
  const bounds = {
    starts: sizes('start_indices'),
    limits: sizes('limit_indices'),
    strides: sizes('strides'),
  };
  const items = integersOf(instruction.input(0));
  const [start, limit, stride] = [bounds.starts, bounds.limits, bounds.strides].map((each) => each[0]?.value);
  if (items && dimsOf(instruction.input(0))?.length === 1 && start !== undefined && stride) {
    const taken = items.slice(start, limit).filter((_, i) => i % stride === 0);
    return integers(taken, false);
  }
  return take(instruction, bounds);
}

/** Inputs: `operand, starts, limits, strides`. */
function sliceDynamically(instruction: Instruction): Outputs {
  const [starts, limits, strides] = [1, 2, 3].map((i) => integersOf(instruction.input(i)));
  const isSame = instruction.inputs.slice(1).every(({ kind }) => kind === 'same' || kind === 'sizes');
  if (!isSame) return instruction.mixed('takes a part by what depends on rows');
  return take(instruction, { starts, limits, strides });
}

/** Takes a part. All rows must be taken, in order. */
function take(instruction: Instruction, { starts, limits, strides }: Bounds): Outputs {
  const value = instruction.input(0);
  if (value.kind === 'same') {
    const others = instruction.inputs.slice(1);
    return others.every(({ kind }) => kind === 'same')
      ? instruction.sameAsStated()
      : instruction.mixed('takes a part by the size of the batch');
  }
  if (value.kind !== 'rows') return instruction.mixed('takes a part of numbers that depend on the batch');
  const { axis, dims } = value;
  const isWhole = starts?.[axis]?.is(0) && limits?.[axis]?.equals(dims[axis]) && strides?.[axis]?.is(1);
  if (!isWhole) return instruction.mixed('takes some of the rows, or may');
  return isSteady(instruction, axis, [starts, limits, strides])
    ? instruction.rows(axis, dims[axis])
    : instruction.mixed('takes a part by the size of the batch');
}

/** True if no number depends on the batch, except those for the axis of the rows. */
function isSteady(
  instruction: Instruction,
  axis: number,
  all: readonly (readonly Item[] | undefined)[],
): boolean {
  const rank = dimsOf(instruction.input(0))?.length;
  return all.every(
    (items) => items?.length === rank && items?.every((item, i) => i === axis || (item && !item.hasBatch)),
  );
}

/** Inputs: `operand, a start for each axis`. The module fixes the size of the part, so it has only some of the rows. */
function takeWindow(instruction: Instruction): Outputs {
  if (instruction.isSame) return instruction.sameAsStated();
  return instruction.unfit() ?? instruction.mixed('takes some of the rows, or a part that depends on them');
}

/** Inputs: `operand, update, a start for each axis`. An update with all rows begins at the first one. */
function putWindow(instruction: Instruction): Outputs {
  const [value, update, ...starts] = instruction.inputs;
  if (starts.some(({ kind }) => kind !== 'same'))
    return instruction.mixed('writes to places that depend on rows');
  if (value?.kind === 'same' && update?.kind === 'same') return same(value.dims);
  const isAlike =
    value?.kind === 'rows' &&
    update?.kind === 'rows' &&
    value.axis === update.axis &&
    value.dims.length === update.dims.length &&
    value.dims[value.axis]?.equals(update.dims[update.axis]);
  return isAlike && value
    ? value
    : (instruction.unfit() ?? instruction.mixed('writes some of the rows, or may'));
}

function pad(instruction: Instruction): Outputs {
  const names = ['edge_padding_low', 'edge_padding_high', 'interior_padding'];
  return padBy(
    instruction,
    names.map((name) => instruction.attributes.integers(name).map(Size.of)),
  );
}

/** Inputs: `operand, padding, low, high, interior`. */
function padDynamically(instruction: Instruction): Outputs {
  if (instruction.inputs.slice(2).some(({ kind }) => kind !== 'same'))
    return instruction.mixed('pads by what depends on the batch');
  return padBy(
    instruction,
    [2, 3, 4].map((i) => integersOf(instruction.input(i))),
  );
}

function padBy(instruction: Instruction, amounts: readonly (readonly Item[] | undefined)[]): Outputs {
  const [value, padding] = instruction.inputs;
  if (padding?.kind !== 'same') return instruction.mixed('pads with what depends on the batch');
  if (value?.kind === 'same') return instruction.sameAsStated();
  if (value?.kind !== 'rows') return instruction.unfit() ?? instruction.mixed('has no operand');
  const isKept = amounts.every((each) => each?.[value.axis]?.is(0));
  return isKept
    ? instruction.rows(value.axis, value.dims[value.axis])
    : instruction.mixed('adds rows, or may add some');
}

function reverse(instruction: Instruction): Outputs {
  const value = instruction.input(0);
  if (value.kind === 'same') return same(value.dims);
  if (value.kind !== 'rows') return instruction.unfit() ?? value;
  return instruction.attributes.integers('dimensions').includes(value.axis)
    ? instruction.mixed('reverses the rows')
    : value;
}

/** Sorts several tensors in the order that all of them give together. */
function sort(instruction: Instruction): Outputs {
  const given = instruction.attributes.integer('dimension');
  const joined = instruction.unfit() ?? joinElements(instruction);
  const axis = given < 0 ? given + (dimsOf(joined)?.length ?? 0) : given;
  if (joined.kind === 'rows' && joined.axis === axis) return instruction.mixed('orders the rows');
  return joined.kind === 'mixed' ? joined : instruction.operation.results.map(() => joined);
}

export const partInstructions = listInstructions(
  ['concatenate', concatenate],
  ['slice', slice],
  ['real_dynamic_slice', sliceDynamically],
  ['dynamic_slice', takeWindow],
  ['dynamic_update_slice', putWindow],
  ['pad', pad],
  ['dynamic_pad', padDynamically],
  ['reverse', reverse],
  ['sort', sort],
);
