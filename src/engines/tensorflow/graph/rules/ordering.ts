/** Rules for operations that put the members of tensors into another order. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { numberOf, same } from '../value.js';
import { listRules } from './rule.js';

function reverse(operation: Operation): Outputs {
  const value = operation.input(0);
  if (value.kind === 'same') return same(value.dims);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const axes = operation.axes(operation.input(1), value.dims.length);
  return axes && !axes.includes(value.axis) ? value : operation.mixed('reverses the rows, or may');
}

/** Shifts along axes. */
function roll(operation: Operation): Outputs {
  const value = operation.input(0);
  if (operation.inputs.slice(1).some(({ kind }) => kind !== 'same'))
    return operation.mixed('shifts by what depends on rows');
  if (value.kind === 'same') return same(value.dims);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  const axes = operation.axes(operation.input(2), value.dims.length);
  return axes && !axes.includes(value.axis) ? value : operation.mixed('shifts the rows, or may');
}

function reverseSequence(operation: Operation): Outputs {
  const [value, lengths] = [operation.input(0), operation.input(1)];
  if (value.kind === 'same' && lengths.kind === 'same') return same(value.dims);
  const unfit = operation.unfit();
  if (unfit || value.kind !== 'rows')
    return unfit ?? operation.mixed('reverses by lengths that depend on rows');
  const { node } = operation;
  const isRowwise =
    node.integer('batch_dim') === value.axis &&
    node.integer('seq_dim') !== value.axis &&
    lengths.kind === 'rows' &&
    lengths.axis === 0;
  return isRowwise ? value : operation.mixed('reverses rows by the lengths of others');
}

/** The k greatest values of the last dim. */
function topK(operation: Operation): Outputs {
  const value = operation.input(0);
  const k = operation.inputs.length > 1 ? operation.input(1) : undefined;
  if (k && k.kind !== 'same') return operation.mixed('takes a number of them that depends on the batch');
  const given = k ? numberOf(k) : operation.node.integer('k');
  const last = given === undefined ? operation.unknownSize(0) : Size.of(given);
  if (value.kind === 'same') return same(value.dims && [...value.dims.slice(0, -1), last]);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (value.axis === value.dims.length - 1) return operation.mixed('orders the rows');
  return { ...value, dims: [...value.dims.slice(0, -1), last] };
}

/** Inputs: `predictions [rows, classes], targets [rows], k`. */
function inTopK(operation: Operation): Outputs {
  const [predictions, targets] = [operation.input(0), operation.input(1)];
  if (predictions.kind === 'same' && targets.kind === 'same') return same(targets.dims);
  const isRowwise =
    predictions.kind === 'rows' && targets.kind === 'rows' && predictions.axis === 0 && targets.axis === 0;
  return operation.unfit() ?? (isRowwise ? targets : operation.mixed('holds rows against other ones'));
}

export const orderingRules = listRules(
  ['ReverseV2', { rule: reverse }],
  ['Roll', { rule: roll }],
  ['ReverseSequence', { rule: reverseSequence }],
  ['TopKV2 TopK', { rule: topK, outputs: ['values', 'indices'] }],
  ['InTopK InTopKV2', { rule: inTopK, ranks: { 0: 2, 1: 1 } }],
);
