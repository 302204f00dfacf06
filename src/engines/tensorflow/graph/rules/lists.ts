/**
 * Rules for TensorLists and TensorArrays, which loops read and write step by step.
 *
 * All members of a list are taken to be alike. A list has the same length for every run, or one member for each row.
 */

import { joinValues } from '../join.js';
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { dimsOf, integers, integersOf, type List, oneRow, same, type Value } from '../value.js';
import { listRules } from './rule.js';

const emptyList: List = { kind: 'list', member: undefined };

/** Inputs: `element shape, length`. */
function reserve(operation: Operation): Outputs {
  const length = operation.input(1);
  if (length.kind === 'sizes' && length.isScalar && length.items[0]?.equals(Size.batch))
    return { kind: 'list', member: oneRow };
  return length.kind === 'same' ? emptyList : operation.mixed('makes a list as long as depends on the rows');
}

/** A list of the slices of a tensor. */
function slices(operation: Operation, value: Value): Value {
  if (value.kind === 'same') return { kind: 'list', member: same(value.dims?.slice(1)) };
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  if (value.axis === 0)
    return value.dims[0]?.perRow?.is(1)
      ? { kind: 'list', member: oneRow }
      : operation.mixed('takes rows apart');
  return { kind: 'list', member: { ...value, axis: value.axis - 1, dims: value.dims.slice(1) } };
}

const fromTensor = (operation: Operation) => slices(operation, operation.input(0));

/** A list before the first write. A TensorArray may be written by other nodes as well. */
function unwritten(operation: Operation): Value {
  return operation.node.op.startsWith('TensorArray')
    ? operation.mixed('reads what was not written before it')
    : same(undefined);
}

/** One of the members. Its sizes may differ from those of the next. */
function renamed(operation: Operation, member: Value): Value {
  if (member.kind !== 'rows' && member.kind !== 'same') return member;
  const dims = member.dims?.map((dim, axis) =>
    dim.value !== undefined || dim.hasBatch ? dim : operation.unknownSize(axis),
  );
  return member.kind === 'rows' ? { ...member, dims: dims ?? [] } : same(dims);
}

/** A tensor with all members, one after the other. */
function stacked(operation: Operation, list: Value): Value {
  if (list.kind !== 'list') return operation.unfit() ?? list;
  const { member } = list;
  if (member === undefined) return unwritten(operation);
  if (member.kind === 'one row') return operation.rowsOfOneRow();
  const dims = dimsOf(member);
  if (member.kind === 'same') return same(dims && [operation.unknownSize(0), ...dims]);
  if (member.kind !== 'rows') return operation.mixed(`stacks a list of ${member.kind}`);
  return { ...member, axis: member.axis + 1, dims: [operation.unknownSize(0), ...member.dims] };
}

function read(operation: Operation, list: Value, index: Value): Value {
  if (list.kind !== 'list') return operation.unfit() ?? list;
  if (list.member?.kind === 'one row')
    return index.kind === 'row number' && !index.isNext
      ? oneRow
      : operation.mixed('reads another row than the one it is at');
  if (index.kind !== 'same') return operation.mixed('reads from a list at a place that depends on the rows');
  return list.member ? renamed(operation, list.member) : unwritten(operation);
}

function written(operation: Operation, list: Value, index: Value, item: Value): Value {
  if (list.kind !== 'list') return operation.unfit() ?? list;
  if (list.member?.kind === 'one row') {
    const isRow = item.kind === 'one row' || item.kind === 'same';
    return isRow && index.kind === 'row number' && !index.isNext
      ? list
      : operation.mixed('writes another row than the one it is at');
  }
  if (index.kind !== 'same') return operation.mixed('writes to a list at a place that depends on the rows');
  if (item.kind !== 'rows' && item.kind !== 'same')
    return operation.mixed('keeps something that is neither rows nor the same for all in a list');
  const plain: Value = item.kind === 'same' ? same(item.dims) : item;
  const member = list.member ? joinValues(list.member, plain, (name) => operation.namedSize(name)) : plain;
  return member.kind === 'mixed' ? operation.mixed(member.why) : { kind: 'list', member };
}

/** The length of a list, if it does not depend on the batch. */
function length(operation: Operation): Outputs {
  const list = operation.inputs.at(-1);
  if (list?.kind !== 'list') return operation.unfit() ?? same([]);
  return list.member?.kind === 'one row'
    ? operation.mixed('counts the rows')
    : integers([operation.unknownSize(0)], true);
}

/** A tensor with the members at some places. */
function gather(operation: Operation): Outputs {
  const [first, second, third] = operation.inputs;
  const [list, indices] = operation.node.op === 'TensorArrayGatherV3' ? [third, second] : [first, second];
  if (!list || indices?.kind !== 'same') {
    const isWhole = list?.kind === 'list' && list.member?.kind === 'one row' && indices?.kind === 'mixed';
    return isWhole
      ? operation.rowsOfOneRow()
      : operation.mixed('reads from a list at places that depend on the rows');
  }
  if (list.kind === 'list' && list.member?.kind === 'one row')
    return operation.mixed('takes rows by their numbers');
  return stacked(operation, list);
}

/** Inputs: `handle, index, value, flow`. The flow stands for the content of the array. */
function writeArray(operation: Operation): Outputs {
  return written(operation, operation.input(3), operation.input(1), operation.input(2));
}

/** Inputs: `handle, indices, value, flow`. */
function scatterArray(operation: Operation): Outputs {
  if (operation.input(1).kind !== 'same') return operation.mixed('writes to places that depend on the rows');
  const list = slices(operation, operation.input(2));
  const isRows = list.kind === 'list' && list.member?.kind === 'one row';
  return isRows ? operation.mixed('takes as many rows as it has places') : list;
}

function newArray(operation: Operation): Outputs {
  return operation.input(0).kind === 'same'
    ? [{ ...same([]), array: operation.namedSize('array').key }, emptyList]
    : operation.mixed('makes a list as long as depends on the rows');
}

function pushed(operation: Operation): Outputs {
  const [list, item] = [operation.input(0), operation.input(1)];
  return written(operation, list, same([]), item);
}

function popped(operation: Operation): Outputs {
  const list = operation.input(0);
  return [list, read(operation, list, same([]))];
}

function empty(operation: Operation): Outputs {
  const isSame = operation.inputs.every((value) => value.kind === 'same' || integersOf(value));
  return isSame ? emptyList : operation.mixed('makes a list that depends on the rows');
}

export const listRulesTable = listRules(
  ['TensorListReserve', { rule: reserve }],
  ['EmptyTensorList', { rule: empty }],
  ['TensorListFromTensor', { rule: fromTensor }],
  ['TensorListStack', { rule: (operation) => stacked(operation, operation.input(0)) }],
  ['TensorListGetItem', { rule: (operation) => read(operation, operation.input(0), operation.input(1)) }],
  [
    'TensorListSetItem',
    { rule: (operation) => written(operation, operation.input(0), operation.input(1), operation.input(2)) },
  ],
  ['TensorListPushBack', { rule: pushed }],
  ['TensorListPopBack', { rule: popped, outputs: ['output_handle', 'tensor'] }],
  ['TensorListLength TensorArraySizeV3', { rule: length }],
  ['TensorListGather TensorArrayGatherV3', { rule: gather }],
  ['TensorArrayV3', { rule: newArray, outputs: ['handle', 'flow'] }],
  ['TensorArrayWriteV3', { rule: writeArray }],
  ['TensorArrayScatterV3', { rule: scatterArray }],
  ['TensorArrayReadV3', { rule: (operation) => read(operation, operation.input(2), operation.input(1)) }],
);
