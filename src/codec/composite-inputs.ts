/**
 * Turns the sparse and ragged inputs of a request into the tensors of the graph.
 *
 * Only their form is settled here. Whether the parts fit together is checked where inputs are matched with the
 * signature, for every encoding.
 */

import { componentsOf } from '../engines/composite.js';
import {
  type CompositeSpec,
  formatSpec,
  type RaggedSpec,
  type SparseSpec,
  type TensorSpec,
} from '../engines/signature.js';
import { invalidArgument } from '../errors.js';
import { type Claim, Meter, type Steps } from '../flow/steps.js';
import { dtypes, elementCount } from '../tensors/dtypes.js';
import { bounds, valueBytes } from '../tensors/limits.js';
import { isList, type List, ListBuilder } from '../tensors/long-list.js';
import { convertIntegers } from '../tensors/plain-values.js';
import { allocate } from '../tensors/values.js';
import {
  describeParts,
  findUnlike,
  joinData,
  type TypedTensor,
  type UnevenRows,
  type WireLimits,
  type WireTensor,
} from './wire.js';

/** A tensor of the graph, before it is made. */
export interface Component {
  readonly wire: WireTensor;
  /** The name that errors use, if the caller does not know the graph's own name. */
  readonly label?: string;
}

/**
 * Names the inputs as the graph's tensors are named. A sparse or ragged input may come as one value, or as its
 * components by their own names.
 *
 * @throws ServingError INVALID_ARGUMENT if a value does not have the form of such a tensor
 */
export function* splitComposites(
  inputs: ReadonlyMap<string, WireTensor>,
  composites: ReadonlyMap<string, CompositeSpec>,
  limits: WireLimits,
  claim: Claim,
): Steps<Map<string, Component>> {
  const split = new Map<string, Component>();
  const add = (name: string, component: Component) => {
    if (split.has(name)) throw invalidArgument(`input \`${name}\` comes twice`);
    split.set(name, component);
  };
  for (const [name, wire] of inputs) {
    const spec = compositeMeant(name, inputs, composites);
    if (!spec) add(name, { wire });
    else if (spec.kind === 'sparse') yield* splitSparse(spec, wire, claim, add);
    else yield* splitRagged(spec, wire, { limits, claim }, add);
  }
  return split;
}

/** The names that {@link splitComposites} would give. */
export function splitNames(
  inputs: ReadonlyMap<string, WireTensor>,
  composites: ReadonlyMap<string, CompositeSpec>,
): string[] {
  return Array.from(inputs.keys()).flatMap((name) => {
    const spec = compositeMeant(name, inputs, composites);
    return spec ? componentsOf(spec).map((component) => component.name) : [name];
  });
}

/**
 * The composite that a name stands for. The first component may have the same name as the whole; if another component
 * came too, the name means the component.
 */
function compositeMeant(
  name: string,
  inputs: ReadonlyMap<string, WireTensor>,
  composites: ReadonlyMap<string, CompositeSpec>,
): CompositeSpec | undefined {
  const spec = composites.get(name);
  if (!spec || inputs.get(name)?.kind === 'parts') return spec;
  const isComponent = componentsOf(spec).some((each) => each.name !== name && inputs.has(each.name));
  return isComponent ? undefined : spec;
}

type Add = (name: string, component: Component) => void;

/** The limits and the memory of a request. */
interface Room {
  readonly limits: WireLimits;
  readonly claim: Claim;
}

function* splitSparse(spec: SparseSpec, wire: WireTensor, claim: Claim, add: Add): Steps<void> {
  const { indices, values, denseShape } = spec;
  const parts = wire.kind === 'parts' ? wire.parts : undefined;
  const [places, elements, sizes] = ['indices', 'values', 'dense_shape'].map((key) => parts?.get(key));
  if (!places || !elements || !sizes) throw misfit(spec, wire, '{"indices", "values", "dense_shape"}');
  const label = (key: string) => labelOf(spec, key);
  const rank = spec.shape?.length ?? lengthOf(sizes) ?? 0;
  const rows = yield* asIndices(withShape(places, [0, rank]), indices, claim);
  add(indices.name, { wire: rows, label: label('indices') });
  add(values.name, { wire: elements, label: label('values') });
  const dims = yield* asIndices(sizes, denseShape, claim);
  add(denseShape.name, { wire: dims, label: label('dense_shape') });
}

function* splitRagged(spec: RaggedSpec, wire: WireTensor, room: Room, add: Add): Steps<void> {
  let rest = wire;
  for (const splits of spec.rowSplits) {
    const level = yield* takeRows(spec, rest, splits, room);
    add(splits.name, { wire: level.splits, label: labelOf(spec, 'row_splits') });
    rest = level.values;
  }
  const row = spec.values.shape?.slice(1) ?? [];
  const values = withShape(rest, [0, ...row.map((dim) => dim ?? 0)]);
  add(spec.values.name, { wire: values, label: labelOf(spec, 'values') });
}

interface Level {
  readonly splits: WireTensor;
  /** The values of all rows, one after another. */
  readonly values: WireTensor;
}

/** Removes the outermost dim. @returns where its rows end, and their values */
function* takeRows(spec: RaggedSpec, wire: WireTensor, splits: TensorSpec, room: Room): Steps<Level> {
  switch (wire.kind) {
    case 'parts': {
      const [values, ends] = [wire.parts.get('values'), wire.parts.get('row_splits')];
      if (values && ends) return { values, splits: yield* asIndices(ends, splits, room.claim) };
      break;
    }
    case 'plain':
      if (isList(wire.value) && wire.shape === undefined)
        return yield* rowsOfLists(spec, wire.value, splits, room);
      break;
    case 'typed': {
      const [rows, length, ...rest] = wire.shape;
      if (rows === undefined || length === undefined) break;
      checkRows(spec, rows, wire);
      const values = { ...wire, shape: [rows * length, ...rest] };
      return { values, splits: yield* evenSplits(rows, length, splits, room.claim) };
    }
    case 'uneven':
      return yield* rowsOfArrays(spec, wire, splits, room.claim);
    default:
  }
  throw misfit(spec, wire, '{"values", "row_splits"} or a list of rows');
}

function* rowsOfLists(
  spec: RaggedSpec,
  rows: List<unknown>,
  splits: TensorSpec,
  { limits, claim }: Room,
): Steps<Level> {
  const values = new ListBuilder<unknown>();
  const lengths: number[] = [];
  const meter = new Meter();
  for (const row of rows) {
    if (!isList(row))
      throw invalidArgument(
        `input \`${spec.name}\` takes ${formatSpec(spec)}: row ${lengths.length} of it is no list`,
      );
    if (values.length + row.length > limits.maxElements)
      throw invalidArgument(
        `input \`${spec.name}\` has more elements than ${limits.maxElements} (--max-elements)`,
      );
    lengths.push(row.length);
    claim(row.length * valueBytes.number);
    for (const each of row) {
      values.push(each);
      if (meter.isDue()) yield;
    }
    if (meter.isDue()) yield;
  }
  return {
    values: { kind: 'plain', value: values.finish() },
    splits: yield* toSplits(lengths, splits, claim),
  };
}

function* rowsOfArrays(
  spec: RaggedSpec,
  { rows }: UnevenRows,
  splits: TensorSpec,
  claim: Claim,
): Steps<Level> {
  const lengths = rows.map((row, i) => {
    const length = row.kind === 'typed' ? row.shape[0] : row.rows.length;
    if (length !== undefined) return length;
    throw invalidArgument(`input \`${spec.name}\` takes ${formatSpec(spec)}: row ${i} of it is a scalar`);
  });
  const typed = rows.filter((row) => row.kind === 'typed');
  const values =
    typed.length === rows.length
      ? yield* joined(spec, typed, claim)
      : ({ kind: 'uneven', rows: yield* rowsWithin(spec, rows, claim) } as const);
  return { values, splits: yield* toSplits(lengths, splits, claim) };
}

/** Joins arrays that agree in all dims but the first. */
function* joined(spec: RaggedSpec, rows: readonly TypedTensor[], claim: Claim): Steps<TypedTensor> {
  const [first] = rows as [TypedTensor];
  const rest = first.shape.slice(1);
  const odd = yield* findUnlike(rows, 1);
  if (odd >= 0)
    throw invalidArgument(
      `input \`${spec.name}\`: row ${odd} is ${formatSpec(rows[odd] as TypedTensor)} where the first is ${formatSpec(first)}`,
    );
  const count = rows.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const data = yield* joinData(`input \`${spec.name}\``, rows, claim);
  return { kind: 'typed', dtype: first.dtype, shape: [count, ...rest], data };
}

/** The rows within the rows, each as a tensor. Their number is bounded as in the lists of a body. */
function* rowsWithin(
  { name }: RaggedSpec,
  rows: UnevenRows['rows'],
  claim: Claim,
): Steps<UnevenRows['rows']> {
  const within: (TypedTensor | UnevenRows)[] = [];
  const meter = new Meter();
  for (const row of rows) {
    const count = row.kind === 'typed' ? (row.shape[0] ?? 0) : row.rows.length;
    if (within.length + count > bounds.arrays.most)
      throw invalidArgument(
        `input \`${name}\` has more than ${bounds.arrays.most} rows within rows: send {"values", "row_splits"}`,
      );
    if (row.kind === 'typed') claim(count * valueBytes.array);
    for (let i = 0; i < count; i++) {
      within.push(row.kind === 'typed' ? rowOf(row, i, count) : (row.rows[i] as TypedTensor | UnevenRows));
      if (meter.isDue()) yield;
    }
  }
  return within;
}

function rowOf(array: TypedTensor, index: number, count: number): TypedTensor {
  const { data, shape } = array;
  const size = data.length / count;
  const [from, to] = [index * size, (index + 1) * size];
  return {
    ...array,
    shape: shape.slice(1),
    data: data instanceof Uint8Array ? data.subarray(from, to) : data.slice(from, to),
  };
}

/** The most rows without elements. A few bytes of shape could ask for billions. */
const maxEmptyRows = 2 ** 16;

function checkRows({ name }: RaggedSpec, rows: number, { data }: TypedTensor): void {
  if (data.length > 0 || rows <= maxEmptyRows) return;
  throw invalidArgument(`input \`${name}\` has ${rows} rows without elements: send {"values", "row_splits"}`);
}

/** The row splits of rows that have one length. */
function* evenSplits(rows: number, length: number, { dtype }: TensorSpec, claim: Claim): Steps<TypedTensor> {
  const type = dtype === 'int32' ? 'int32' : 'int64';
  claim((rows + 1) * dtypes[type].size);
  const { values, bytes } = allocate(type, rows + 1);
  for (let i = 0; i <= rows; i++) {
    values[i] = values instanceof BigInt64Array ? BigInt(i * length) : i * length;
    if (i % 4096 === 4095) yield;
  }
  return { kind: 'typed', dtype: type, shape: [rows + 1], data: bytes };
}

function* toSplits(lengths: readonly number[], { dtype }: TensorSpec, claim: Claim): Steps<TypedTensor> {
  const type = dtype === 'int32' ? 'int32' : 'int64';
  claim((lengths.length + 1) * dtypes[type].size);
  const { values, bytes } = allocate(type, lengths.length + 1);
  const meter = new Meter();
  let end = 0;
  for (const [i, length] of lengths.entries()) {
    end += length;
    values[i + 1] = values instanceof BigInt64Array ? BigInt(end) : end;
    if (meter.isDue()) yield;
  }
  return { kind: 'typed', dtype: type, shape: [lengths.length + 1], data: bytes };
}

/** Converts whole numbers of any width to the dtype of the graph, which a caller need not know. */
function* asIndices(wire: WireTensor, { name, dtype }: TensorSpec, claim: Claim): Steps<WireTensor> {
  if (wire.kind !== 'typed' || wire.dtype === dtype || !/^u?int(8|16|32|64)$/.test(wire.dtype)) return wire;
  if (wire.dtype === 'string' || (dtype !== 'int32' && dtype !== 'int64')) return wire;
  const data = yield* convertIntegers(
    `input \`${name}\``,
    { dtype: wire.dtype, data: wire.data as Uint8Array },
    dtype,
    claim,
  );
  return { ...wire, dtype, data };
}

/** Gives an empty list its shape, since it says nothing of the dims within it. */
function withShape(wire: WireTensor, shape: readonly number[]): WireTensor {
  const isEmptyList = wire.kind === 'plain' && isList(wire.value) && wire.value.length === 0;
  return isEmptyList && wire.shape === undefined && elementCount(shape) === 0 ? { ...wire, shape } : wire;
}

function lengthOf(wire: WireTensor): number | undefined {
  if (wire.kind === 'typed') return wire.shape[0];
  return wire.kind === 'plain' && isList(wire.value) ? wire.value.length : undefined;
}

function labelOf({ name }: CompositeSpec, part: string): string {
  return `${name}/${part}`;
}

function misfit(spec: CompositeSpec, wire: WireTensor, forms: string) {
  const came =
    wire.kind === 'parts'
      ? describeParts(wire)
      : wire.kind === 'typed'
        ? formatSpec(wire)
        : wire.kind === 'deferred'
          ? 'a field of a form'
          : 'something else';
  return invalidArgument(
    `input \`${spec.name}\`: expected ${formatSpec(spec)}, got ${came}. Send ${forms} as JSON or CBOR`,
  );
}
