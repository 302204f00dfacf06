/** Rules for texts that are split into ragged tensors and joined again, and for the parsing of examples. */
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Flat, integers, integersOf, type RowPartition, same, type Value } from '../value.js';
import { listRules } from './rule.js';

/** True for one text for each row: `[rows]`. */
function isOneEach(value: Value): boolean {
  return value.kind === 'rows' && value.dims.length === 1 && value.dims[0]?.equals(Size.batch) === true;
}

/** The values that one operation shares out among the rows. They are named after its place. */
function made(operation: Operation): {
  readonly flat: Flat;
  readonly of: (form: RowPartition['form']) => RowPartition;
} {
  const partition = operation.unknownSize(0).key;
  return {
    flat: { kind: 'flat', partition, inner: [] },
    of: (form) => ({ kind: 'partition', partition, form }),
  };
}

/** Inputs: `texts [rows], separator`. Outputs: `indices [n, 2], values [n], shape [2]`. */
function split(operation: Operation): Outputs {
  const [texts, separator] = [operation.input(0), operation.input(1)];
  if (texts.kind === 'same' && separator.kind === 'same') return same(undefined);
  if (!isOneEach(texts) || separator.kind !== 'same')
    return operation.mixed('splits texts that are not one each row');
  const { flat, of } = made(operation);
  const rows = texts.kind === 'rows' ? texts.dims[0] : undefined;
  return [of('indices'), flat, integers([rows, undefined], false)];
}

/** Inputs: `texts [rows]`. Outputs: `row splits [rows + 1], values [n], …`. */
function decode(operation: Operation): Outputs {
  const texts = operation.input(0);
  if (texts.kind === 'same') return same(undefined);
  if (!isOneEach(texts)) return operation.mixed('takes texts apart that are not one each row');
  const { flat, of } = made(operation);
  return [of('splits'), flat, flat];
}

/** Inputs: `values, row splits`. Outputs: `n-grams, row splits`. */
function nGrams(operation: Operation): Outputs {
  const [values, splits] = [operation.input(0), operation.input(1)];
  if (values.kind === 'same' && splits.kind === 'same') return same(undefined);
  if (!belong(values, splits, 'splits')) return operation.mixed('joins a ragged tensor with another one');
  // An empty row gets n-grams of padding, unless all rows are empty.
  if (operation.node.integer('pad_width') !== 0) return operation.mixed('pads empty rows beside others only');
  const { flat, of } = made(operation);
  return [flat, of('splits')];
}

function belong(
  values: Value | undefined,
  partition: Value | undefined,
  form: RowPartition['form'],
): boolean {
  return (
    values?.kind === 'flat' &&
    partition?.kind === 'partition' &&
    partition.form === form &&
    partition.partition === values.partition
  );
}

/**
 * Inputs: `shape, values, default, partitions…`. A width that the shape leaves open is that of the widest row of all.
 */
function toTensor(operation: Operation): Outputs {
  const [shape, values, none, ...partitions] = operation.inputs;
  if (operation.inputs.every(({ kind }) => kind === 'same')) return same(undefined);
  const types = operation.node.texts('row_partition_types').join();
  const isOurs =
    (types === 'ROW_SPLITS' && belong(values, partitions[0], 'splits')) ||
    (types === 'FIRST_DIM_SIZE,VALUE_ROWIDS' &&
      belong(values, partitions[1], 'rowids') &&
      integersOf(partitions[0])?.[0]?.equals(Size.batch) === true);
  if (!isOurs || values?.kind !== 'flat' || none?.kind !== 'same')
    return operation.mixed('joins a ragged tensor with another one');
  const [rows, width] = integersOf(shape) ?? [];
  if (!rows || !width || width.is(-1) || width.hasBatch || !(rows.is(-1) || rows.equals(Size.batch)))
    return operation.mixed('makes all rows as wide as the widest of them');
  return { kind: 'rows', axis: 0, dims: [Size.batch, width, ...values.inner] };
}

/** One string of bytes for each row. The operation refuses rows of different lengths. */
function decodeRaw(operation: Operation): Outputs {
  const [texts, ...others] = operation.inputs;
  if (others.some(({ kind }) => kind !== 'same')) return operation.mixed('takes its width from the rows');
  if (texts?.kind === 'same') return same(undefined);
  if (texts?.kind !== 'rows') return operation.unfit() ?? operation.mixed('has no input');
  return { ...texts, dims: [...texts.dims, operation.unknownSize(texts.dims.length)] };
}

/**
 * Inputs: `serialized [rows], names, sparse keys, dense keys, ragged keys, defaults…`. Dense features of a fixed shape
 * are rows. Sparse features are not followed.
 */
function parseExample(operation: Operation): Outputs {
  const [serialized, ...others] = operation.inputs;
  if (operation.inputs.every(({ kind }) => kind === 'same')) return same(undefined);
  if (!serialized || !isOneEach(serialized) || others.some(({ kind }) => kind !== 'same'))
    return operation.mixed('parses texts that are not one each row');
  const { node } = operation;
  const sparse = node.integer(node.op === 'ParseExample' ? 'Nsparse' : 'num_sparse');
  const ragged = node.op === 'ParseExample' ? 0 : node.count('ragged_value_types', 'types');
  const shapes = node.shapes('dense_shapes');
  if (3 * sparse + 2 * ragged > 10_000) return operation.mixed('has more features than are followed');
  const notFollowed = operation.mixed('gives a sparse or ragged feature');
  const dense = shapes.map((shape): Value => {
    if (!shape || shape.includes(null))
      return operation.mixed('makes a feature as long as the longest of all rows');
    return { kind: 'rows', axis: 0, dims: [Size.batch, ...shape.map((dim) => Size.of(dim ?? 0))] };
  });
  return [
    ...Array<Value>(3 * sparse).fill(notFollowed),
    ...dense,
    ...Array<Value>(2 * ragged).fill(notFollowed),
  ];
}

export const textRules = listRules(
  ['StringSplit StringSplitV2', { rule: split, outputs: ['indices', 'values', 'shape'], ranks: { 0: 1 } }],
  [
    'UnicodeDecodeWithOffsets',
    { rule: decode, outputs: ['row_splits', 'char_values', 'char_to_byte_starts'] },
  ],
  ['UnicodeDecode', { rule: decode, outputs: ['row_splits', 'char_values'] }],
  ['StringNGrams', { rule: nGrams, outputs: ['ngrams', 'ngrams_splits'], ranks: { 0: 1 } }],
  ['RaggedTensorToTensor', { rule: toTensor }],
  ['DecodeRaw DecodePaddedRaw', { rule: decodeRaw }],
  ['ParseExample ParseExampleV2', { rule: parseExample }],
);
