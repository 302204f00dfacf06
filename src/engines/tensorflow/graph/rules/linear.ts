/** Rules for products of matrices, and for the cells of recurrent networks. */
import { joinElements, type Operation, type Outputs, type Step } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, dimsOf, type Rows, same, type Value } from '../value.js';
import { listRules } from './rule.js';

const matMul = (operation: Operation) => product(operation, 'transpose_a', 'transpose_b');
const batchMatMul = (operation: Operation) => product(operation, 'adj_x', 'adj_y');

/** A product of matrices. As an einsum it is `…ik,…kj->…ij`, and the leading dims are broadcast. */
function product(operation: Operation, transposeLeft: string, transposeRight: string): Outputs {
  const unfit = operation.unfit();
  if (unfit) return unfit;
  const [left, right] = [operation.input(0), operation.input(1)];
  const [a, b] = [
    swapLast(left, operation.node.flag(transposeLeft)),
    swapLast(right, operation.node.flag(transposeRight)),
  ];
  const [dims, others] = [dimsOf(a), dimsOf(b)];
  if (!dims || !others) {
    return [a, b].every(({ kind }) => kind === 'same')
      ? same(undefined)
      : operation.mixed('multiplies tensors of unknown rank');
  }
  // The dims that remain of each factor in the product. The dim of the other factor is 1 there.
  const [x, y] = [withLast(a, Size.one), withLast(b, Size.one, -2)];
  const summed = [a, b].some((value, i) => value.kind === 'rows' && value.axis === value.dims.length - 1 - i);
  if (summed) return operation.mixed('sums over the rows');
  return joinElements(operation, [x, y]);
}

function swapLast(value: Value, isSwapped: boolean): Value {
  const dims = dimsOf(value);
  if (!isSwapped || !dims || dims.length < 2) return value;
  const [i, j] = [dims.length - 2, dims.length - 1];
  const swapped = [...dims.slice(0, i), dims[j] ?? Size.one, dims[i] ?? Size.one];
  if (value.kind !== 'rows') return same(swapped);
  return { ...value, dims: swapped, axis: value.axis === i ? j : value.axis === j ? i : value.axis };
}

function withLast(value: Value, size: Size, place = -1): Value {
  const dims = dimsOf(value)?.map((dim, i, all) => (i === all.length + place ? size : dim));
  if (!dims) return value;
  return value.kind === 'rows' ? { ...value, dims } : same(dims);
}

/**
 * An einsum, for example `ab,bc->ac`. The label of the rows must not be summed over, nor shared with an input that has
 * no rows.
 */
function einsum(operation: Operation): Outputs {
  const unfit = operation.unfit();
  if (unfit) return unfit;
  const equation = operation.node.text('equation').replaceAll(' ', '');
  const [left = '', result] = equation.split('->');
  const terms = left.split(',');
  const all = operation.inputs.map(dimsOf);
  if (result === undefined || terms.length !== all.length || !all.every((dims) => dims !== undefined)) {
    const isSame = operation.inputs.every(({ kind }) => kind === 'same');
    return isSame ? same(undefined) : operation.mixed('multiplies tensors of unknown rank');
  }
  const ranks = all.map((dims, i) => (dims as Dims).length - (terms[i] as string).replace('...', '').length);
  const widest = Math.max(0, ...ranks);
  // The dims of an ellipsis are aligned at their last dims.
  const names = (term: string, count: number) => {
    const hidden = Array.from({ length: count }, (_, i) => `.${widest - count + i}`);
    const [before = '', after] = term.split('...');
    return after === undefined ? [...before] : [...before, ...hidden, ...after];
  };
  const labels = terms.map((term, i) => names(term, ranks[i] ?? 0));
  const sizes = new Map<string, Size>();
  labels.forEach((each, i) => {
    each.forEach((label, axis) => {
      const size = (all[i] as Dims)[axis] ?? Size.one;
      const known = sizes.get(label);
      if (!known || known.is(1) || size.value !== undefined)
        sizes.set(label, size.is(1) && known ? known : size);
    });
  });
  const made = names(result, widest);
  const dims = made.map((label) => sizes.get(label) ?? Size.one);
  return einsumRows(operation, labels, made, dims);
}

/**
 * @param labels are those of each input's dims
 * @param made are those of the product, whose sizes are `dims`
 */
export function einsumRows(
  operation: Step,
  labels: readonly (readonly string[])[],
  made: readonly string[],
  dims: Dims,
): Outputs {
  let found: { readonly label: string; readonly rows: Rows } | undefined;
  for (const [i, value] of operation.inputs.entries()) {
    if (value.kind !== 'rows') continue;
    const label = labels[i]?.[value.axis] ?? '';
    found ??= { label, rows: value };
    const isAlike = label === found.label && value.dims[value.axis]?.equals(found.rows.dims[found.rows.axis]);
    if (!isAlike || labels[i]?.filter((each) => each === label).length !== 1)
      return operation.mixed('joins rows along one axis with rows along another');
  }
  if (!found) return same(dims);
  const { label, rows } = found;
  const isShared = operation.inputs.some(
    (value, i) =>
      value.kind === 'same' &&
      labels[i]?.some((each, axis) => each === label && !dimsOf(value)?.[axis]?.is(1)),
  );
  if (isShared)
    return operation.mixed('joins each row with another part of a tensor that is the same for all');
  const axis = made.indexOf(label);
  if (made.indexOf(label, axis + 1) > axis && axis >= 0) return operation.mixed('gives rows along two axes');
  if (axis < 0) return operation.mixed('sums over the rows');
  const size = rows.dims[rows.axis] ?? Size.batch;
  return { kind: 'rows', axis, dims: dims.map((dim, i) => (i === axis ? size : dim)) };
}

/**
 * One step of a cell, or all steps, with `time` first if there is one.
 * @param rows says which inputs have rows, and along which axis
 */
function cell(rows: Readonly<Record<number, number>>, outputs: number): (operation: Operation) => Outputs {
  return (operation) => {
    if (operation.inputs.every(({ kind }) => kind === 'same')) return same(undefined);
    const unfit = operation.unfit();
    if (unfit) return unfit;
    const isRowwise = operation.inputs.every((value, i) =>
      rows[i] === undefined ? value.kind === 'same' : value.kind === 'rows' && value.axis === rows[i],
    );
    if (!isRowwise) return operation.mixed('joins rows with what has none');
    const [first] = Object.keys(rows).map(Number);
    const { axis, dims } = operation.input(first ?? 0) as Rows;
    const made = dims.map((dim, i) => (i < dims.length - 1 ? dim : operation.unknownSize(i)));
    return Array<Value>(outputs).fill({ kind: 'rows', axis, dims: made });
  };
}

const lstmOutputs = ['i', 'cs', 'f', 'o', 'ci', 'co', 'h'];

export const linearRules = listRules(
  ['MatMul', { rule: matMul, ranks: { 0: 2, 1: 2 } }],
  ['BatchMatMul BatchMatMulV2 BatchMatMulV3', { rule: batchMatMul }],
  ['Einsum', { rule: einsum }],
  ['BlockLSTM BlockLSTMV2', { rule: cell({ 1: 1, 2: 0, 3: 0 }, 7), outputs: lstmOutputs }],
  ['LSTMBlockCell', { rule: cell({ 0: 0, 1: 0, 2: 0 }, 7), outputs: lstmOutputs }],
  ['GRUBlockCell', { rule: cell({ 0: 0, 1: 0 }, 4), outputs: ['r', 'u', 'c', 'h'] }],
);
