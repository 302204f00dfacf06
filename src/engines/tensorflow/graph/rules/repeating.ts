/** Rules for operations that repeat or pad a tensor, or move blocks of it into the batch and back. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, dimsOf, integersOf, numbersOf, rowsOf, same } from '../value.js';
import { listRules } from './rule.js';
import { tensorOf } from './shapes.js';

function tile(operation: Operation): Outputs {
  const [value, multiples] = [operation.input(0), integersOf(operation.input(1))];
  const dims = dimsOf(value);
  if (value.kind === 'same' && (!dims || !multiples)) {
    return operation.input(1).kind === 'same'
      ? same(dims && operation.unknownSizes(dims.length))
      : operation.mixed('repeats by a number that depends on the rows');
  }
  if (!dims || (value.kind !== 'same' && value.kind !== 'rows')) return operation.unfit() ?? value;
  if (!multiples?.every((item) => item !== undefined))
    return operation.mixed('repeats rows by a number that is not known');
  if (value.kind === 'rows' && !multiples[value.axis]?.is(1)) return operation.mixed('repeats the batch');
  const tiled = dims.map((dim, axis) => dim.times((multiples as Dims)[axis] ?? Size.one));
  if (!tiled.some((dim) => dim.hasBatch)) return same(tiled);
  return rowsOf(tiled) ?? operation.mixed('repeats rows as often as there are rows');
}

function broadcastTo(operation: Operation): Outputs {
  const [value, target] = [operation.input(0), operation.input(1)];
  const made = tensorOf(operation, target);
  if (value.kind === 'same' && made.kind !== 'rows') return made.kind === 'same' ? same(made.dims) : made;
  if (made.kind !== 'rows' || (value.kind !== 'same' && value.kind !== 'rows'))
    return operation.unfit() ?? operation.mixed('broadcasts rows to a shape without them');
  const dims = dimsOf(value);
  const aligned = dims?.[made.axis - made.dims.length + dims.length];
  const isAlike =
    value.kind === 'rows'
      ? value.axis - value.dims.length === made.axis - made.dims.length &&
        aligned?.equals(made.dims[made.axis])
      : dims !== undefined && (aligned === undefined || aligned.is(1));
  return isAlike ? made : operation.mixed('broadcasts rows along another axis');
}

function pad(operation: Operation): Outputs {
  const [value, paddings] = [operation.input(0), operation.input(1)];
  const amounts = integersOf(paddings);
  if (operation.inputs.slice(1).some(({ kind }) => kind !== 'same'))
    return operation.mixed('pads by what depends on the batch');
  if (value.kind === 'same') return same(value.dims && operation.unknownSizes(value.dims.length));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const around = (axis: number) =>
    amounts ? [amounts[2 * axis], amounts[2 * axis + 1]] : [undefined, undefined];
  if (!around(value.axis).every((amount) => amount?.is(0)))
    return operation.mixed('adds rows, or may add some');
  return {
    ...value,
    dims: value.dims.map((dim, axis) => {
      const [before, after] = around(axis);
      if (before?.is(0) && after?.is(0)) return dim;
      const [total, more, evenMore] = [dim.value, before?.value, after?.value];
      const isKnown = total !== undefined && more !== undefined && evenMore !== undefined;
      return isKnown ? Size.of(total + more + evenMore) : operation.unknownSize(axis);
    }),
  };
}

function spaceToBatch(operation: Operation): Outputs {
  const value = operation.input(0);
  const blocks = numbersOf(operation.input(1));
  if (operation.input(2).kind !== 'same') return operation.mixed('pads by what depends on the batch');
  if (value.kind === 'same') return same(value.dims && operation.unknownSizes(value.dims.length));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (value.axis !== 0 || !blocks || !value.dims[0]?.equals(Size.batch))
    return operation.mixed('moves blocks into rows that are not in front');
  const factor = blocks.reduce((product, block) => product * block, 1);
  const dims = value.dims.map((dim, axis) => (axis <= blocks.length ? operation.unknownSize(axis) : dim));
  return {
    kind: 'rows',
    axis: 0,
    dims: [Size.batch.times(Size.of(factor)), ...dims.slice(1)],
    dealt: blocks.join(),
  };
}

function batchToSpace(operation: Operation): Outputs {
  const value = operation.input(0);
  const blocks = numbersOf(operation.input(1));
  if (operation.input(2).kind !== 'same') return operation.mixed('pads by what depends on the batch');
  if (value.kind === 'same') return same(value.dims && operation.unknownSizes(value.dims.length));
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const factor = Size.of(blocks?.reduce((product, block) => product * block, 1) ?? 0);
  if (
    value.axis !== 0 ||
    value.dealt !== blocks?.join() ||
    !blocks ||
    !value.dims[0]?.equals(Size.batch.times(factor))
  )
    return operation.mixed('moves rows into blocks');
  const dims = value.dims.map((dim, axis) => (axis <= blocks.length ? operation.unknownSize(axis) : dim));
  return { kind: 'rows', axis: 0, dims: [Size.batch, ...dims.slice(1)] };
}

export const repeatingRules = listRules(
  ['Tile', { rule: tile }],
  ['BroadcastTo', { rule: broadcastTo }],
  ['Pad PadV2 MirrorPad', { rule: pad, takesDealt: true }],
  ['SpaceToBatchND', { rule: spaceToBatch }],
  ['BatchToSpaceND', { rule: batchToSpace, takesDealt: true }],
);
