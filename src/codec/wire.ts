/** A tensor as a body carries it. It becomes a `tf.Tensor` once the signature says what it should be. */

import { formatShape, formatSpec, type TensorSpec } from '../engines/signature.js';
import { invalidArgument, quoted, type ServingError } from '../errors.js';
import type { Claim, Steps } from '../flow/steps.js';
import { type Dtype, dtypes, elementCount, type FixedDtype, isDtype } from '../tensors/dtypes.js';
import { pieceBytes } from '../tensors/limits.js';
import type { List } from '../tensors/long-list.js';
import { checkStrings, describeLeaf, fillInSteps, shapeOfPlain } from '../tensors/plain-values.js';
import { joinStrings, type Strings } from '../tensors/strings.js';
import { createTensor, type Tensor, type TensorData } from '../tfjs/tensors.js';
import { refuseFileBytes, refuseFileName } from './form/file-inputs.js';

/** An input before the signature is known. */
export type WireTensor = KnownTensor | DeferredTensor;

/** The forms that CBOR and JSON have. */
export type KnownTensor = TypedTensor | PlainValue | UnevenRows | PartsOfTensor;

/** A tensor that says its own dtype and shape. */
export interface TypedTensor {
  readonly kind: 'typed';
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major little-endian bytes, or one byte string per element. */
  readonly data: TensorData;
}

/** A value that takes the signature's dtype. */
export interface PlainValue {
  readonly kind: 'plain';
  /** A number, text, byte string, true or false, or nested lists of them. */
  readonly value: unknown;
  /** The shape, if the body says it. Then `value` is a flat list. */
  readonly shape?: readonly number[];
}

/** Rows that are tensors of their own and do not fit into one. Only a ragged input takes them. */
export interface UnevenRows {
  readonly kind: 'uneven';
  readonly rows: readonly (TypedTensor | UnevenRows)[];
}

/** The parts of a sparse or ragged tensor, from a map. */
export interface PartsOfTensor {
  readonly kind: 'parts';
  readonly parts: ReadonlyMap<string, KnownTensor>;
}

/**
 * A value whose reading depends on the signature. A file, for example, may be pixels with so many channels, or a byte
 * string.
 */
export interface DeferredTensor {
  readonly kind: 'deferred';
  /** Reads the value for an input. @throws ServingError if it does not fit */
  resolve(spec: TensorSpec, limits: WireLimits): Steps<KnownTensor>;
}

/** How large the tensors of a body may be. */
export interface WireLimits {
  /** The most levels of nesting in a body. */
  readonly maxDepth: number;
  /** The most elements of one tensor. */
  readonly maxElements: number;
  /** The most elements of a sparse or ragged tensor when it is written out. */
  readonly maxDenseElements: number;
  /** The most pixels of one image, all frames together. */
  readonly maxImagePixels: number;
}

/** True for a map with exactly the keys of a tensor. */
export function isTensorMap(entries: ReadonlyMap<string, unknown>): boolean {
  return entries.size === 3 && entries.has('dtype') && entries.has('shape') && entries.has('data');
}

/** The error for a dtype that is no text. Inputs that are called dtype, shape and data make an envelope look like a tensor. */
export function dtypeIsNoText(what: string): ServingError {
  const advice =
    what === 'input `inputs`'
      ? ': if your inputs are called dtype, shape and data, send them without "inputs" around them, and the signature and the outputs in the query'
      : '';
  return invalidArgument(`the dtype of ${what} must be a text string${advice}`);
}

/** The keys of a sparse tensor's parts. */
export const sparseKeys = ['indices', 'values', 'dense_shape'] as const;

/** The keys of a ragged tensor's parts. Its values may be ragged themselves. */
export const raggedKeys = ['values', 'row_splits'] as const;

/** True for a map with exactly the keys of a sparse or ragged tensor's parts. */
export function isMapOfParts(entries: ReadonlyMap<string, unknown>): boolean {
  return [sparseKeys, raggedKeys].some(
    (keys) => entries.size === keys.length && keys.every((key) => entries.has(key)),
  );
}

/** The dtype with this name. @throws ServingError INVALID_ARGUMENT listing the dtypes there are */
export function checkDtype(what: string, name: string): Dtype {
  if (isDtype(name)) return name;
  throw invalidArgument(`${what}: no dtype ${quoted(name)}; there are ${Object.keys(dtypes).join(', ')}`);
}

/** TensorFlow's own limit. A tensor of more dims would abort the process. */
const maxRank = 254;

/** Checks the number of dims before anything is made of them. */
export function checkRank(what: string, rank: number): void {
  if (rank > maxRank) throw invalidArgument(`${what} has rank ${rank}, more than ${maxRank}`);
}

/**
 * Checks a shape from outside.
 *
 * @param what names the tensor in errors
 * @throws ServingError INVALID_ARGUMENT
 */
export function checkShape(what: string, shape: List<unknown>, limits: WireLimits): readonly number[] {
  checkRank(what, shape.length);
  // A dim of 0 counts as 1, because TensorFlow multiplies all the others.
  let elements = 1;
  const sizes: unknown[] = [];
  for (const dim of shape) sizes.push(typeof dim === 'bigint' ? Number(dim) : dim);
  for (const dim of sizes) {
    if (typeof dim !== 'number' || !Number.isSafeInteger(dim) || dim < 0) {
      throw invalidArgument(
        `the shape of ${what} must be a list of sizes, 0 or more; it has ${describeLeaf(dim)}`,
      );
    }
    elements *= Math.max(dim, 1);
  }
  if (elements > limits.maxElements) {
    throw invalidArgument(`${what} has more elements than ${limits.maxElements} (--max-elements)`);
  }
  return sizes as number[];
}

/** Checks that the number of bytes fits the shape. */
export function checkByteCount(
  what: string,
  dtype: FixedDtype,
  shape: readonly number[],
  bytes: number,
): void {
  const expected = elementCount(shape) * dtypes[dtype].size;
  if (bytes === expected) return;
  throw invalidArgument(
    `${what}: expected ${expected} bytes for ${dtype} ${formatShape(shape)}, got ${bytes}`,
  );
}

/**
 * Joins several tensors into one, with one more dim in front.
 *
 * @param rows has at least one
 * @throws ServingError INVALID_ARGUMENT if they differ in dtype or shape
 */
export function* stackTensors(
  what: string,
  rows: readonly Omit<TypedTensor, 'kind'>[],
  limits: WireLimits,
  claim: Claim,
): Steps<TypedTensor> {
  const [first] = rows as [TypedTensor];
  const odd = yield* findUnlike(rows);
  if (odd >= 0) throw unlike(what, odd, rows[odd] as TypedTensor, first);
  const shape = checkShape(what, [rows.length, ...first.shape], limits);
  return { kind: 'typed', dtype: first.dtype, shape, data: yield* joinData(what, rows, claim) };
}

/** Joins the values of tensors of one dtype. */
export function* joinData(
  what: string,
  tensors: readonly Pick<TypedTensor, 'dtype' | 'data'>[],
  claim: Claim,
): Steps<TensorData> {
  const size = tensors.reduce((sum, { data }) => sum + data.length, 0);
  if (tensors[0]?.dtype === 'string') {
    checkStrings(what, size);
    return joinStrings(tensors.map(({ data }) => data as Strings));
  }
  if (size > pieceBytes) claim(size);
  const joined = new Uint8Array(size);
  let [at, work] = [0, 0];
  for (const { data } of tensors) {
    for (let from = 0; from < data.length; from += pieceBytes) {
      const piece = (data as Uint8Array).subarray(from, from + pieceBytes);
      joined.set(piece, at);
      at += piece.length;
      work += piece.length;
      if (work < pieceBytes) continue;
      work = 0;
      yield;
    }
    work += 256;
  }
  return joined;
}

/** Joins several tensors into one. If they do not fit together, they stay as they are. */
export function* stackRows(
  what: string,
  rows: readonly (TypedTensor | UnevenRows)[],
  limits: WireLimits,
  claim: Claim,
): Steps<TypedTensor | UnevenRows> {
  const typed = rows.filter((row) => row.kind === 'typed');
  const areEven = typed.length === rows.length && (yield* findUnlike(typed)) < 0;
  return areEven ? yield* stackTensors(what, typed, limits, claim) : { kind: 'uneven', rows };
}

/**
 * Finds the first tensor that does not fit those before it.
 *
 * @param dim is the first dim that must be the same
 * @returns its index, or -1 if all are alike
 */
export function* findUnlike(rows: readonly Omit<TypedTensor, 'kind'>[], dim = 0): Steps<number> {
  const [first] = rows;
  let work = 0;
  for (const [i, row] of rows.entries()) {
    if (first && !areAlike(row, first, dim)) return i;
    work += 16 + row.shape.length;
    if (work < manyDims) continue;
    work = 0;
    yield;
  }
  return -1;
}

/** The number of dims between two pauses. */
const manyDims = 2 ** 14;

type Like = Pick<TypedTensor, 'dtype' | 'shape'>;

function areAlike({ dtype, shape }: Like, other: Like, dim: number): boolean {
  if (dtype !== other.dtype || shape.length !== other.shape.length) return false;
  for (let i = dim; i < shape.length; i++) if (shape[i] !== other.shape[i]) return false;
  return true;
}

function unlike(
  what: string,
  index: number,
  row: Omit<TypedTensor, 'kind'>,
  first: Omit<TypedTensor, 'kind'>,
): ServingError {
  return invalidArgument(
    `${what} is ragged: [${index}] is ${formatSpec(row)} where the ones before it are ${formatSpec(first)}`,
  );
}

/** The error for uneven rows where one tensor was asked for. */
function* unevenRows(what: string, { rows }: UnevenRows): Steps<ServingError> {
  const [first] = rows;
  const uneven = rows.findIndex(({ kind }) => kind === 'uneven');
  const typed = rows.slice(0, uneven < 0 ? rows.length : uneven).filter((row) => row.kind === 'typed');
  const odd = yield* findUnlike(typed);
  if (odd >= 0) return unlike(what, odd, typed[odd] as TypedTensor, first as TypedTensor);
  const within = rows[uneven];
  return within?.kind === 'uneven'
    ? yield* unevenRows(`${what} at [${uneven}]`, within)
    : invalidArgument(`${what} is ragged`);
}

/** Describes a map of parts. */
export function describeParts({ parts }: PartsOfTensor): string {
  return parts.has('indices') ? 'a sparse tensor' : 'a ragged one';
}

/**
 * Makes the `tf.Tensor` for an input that has its dtype and shape.
 * @throws ServingError INVALID_ARGUMENT for the bytes of a file
 */
export function typedTensor({ dtype, shape, data }: TypedTensor, spec: TensorSpec): Tensor {
  if (dtype === 'uint8' && shape.length === 1 && data instanceof Uint8Array) refuseFileBytes(spec, data);
  return createTensor(dtype, shape, data);
}

/**
 * Makes the `tf.Tensor` for one input. A typed tensor keeps its own dtype, even if the signature asks for another.
 * Matching reports that, for every encoding.
 *
 * @throws ServingError INVALID_ARGUMENT naming the input
 */
export function* toTensor(
  wire: WireTensor,
  spec: TensorSpec,
  limits: WireLimits,
  claim: Claim,
): Steps<Tensor> {
  if (wire.kind === 'deferred')
    return yield* toTensor(yield* wire.resolve(spec, limits), spec, limits, claim);
  if (wire.kind === 'typed') return typedTensor(wire, spec);
  const what = `input \`${spec.name}\``;
  if (wire.kind === 'uneven') throw yield* unevenRows(what, wire);
  if (wire.kind === 'parts')
    throw invalidArgument(`${what}: expected ${formatSpec(spec)}, got ${describeParts(wire)}`);
  if (wire.value instanceof Uint8Array) refuseFileBytes(spec, wire.value);
  if (typeof wire.value === 'string') refuseFileName(spec, wire.value);
  // A byte string is one element of a string tensor, or the elements of a uint8 tensor.
  if (wire.value instanceof Uint8Array && spec.dtype === 'uint8' && wire.shape === undefined) {
    return createTensor('uint8', checkShape(what, [wire.value.length], limits), wire.value);
  }
  const found = shapeOfPlain(what, wire.value, limits.maxElements);
  if (spec.dtype === 'complex64' || spec.dtype === 'complex128') {
    // An empty list shows no pairs.
    const isEmpty = found.at(-1) === 0;
    if (wire.shape || (found.at(-1) !== 2 && !isEmpty))
      throw invalidArgument(`${what} takes ${spec.dtype}: send [re, im] pairs`);
    const part = spec.dtype === 'complex64' ? 'float32' : 'float64';
    const shape = isEmpty ? found : found.slice(0, -1);
    return createTensor(spec.dtype, shape, yield* fillInSteps(what, wire.value, found, part, claim));
  }
  const shape = wire.shape ?? found;
  if (wire.shape && (found.length !== 1 || found[0] !== elementCount(wire.shape))) {
    const count = found.length === 1 ? `${found[0]}` : 'nested lists';
    throw invalidArgument(
      `${what}: expected ${elementCount(wire.shape)} elements for shape ${formatShape(wire.shape)}, got ${count}`,
    );
  }
  checkShape(what, shape, limits);
  return createTensor(spec.dtype, shape, yield* fillInSteps(what, wire.value, found, spec.dtype, claim));
}
