/**
 * Plain values (numbers, texts, true and false, nested lists of them) into the dtype that the signature asks for.
 *
 * Strict where silence would corrupt: lists must be rectangular, integers must fit, a fraction is no integer and a
 * number no bool. Fractions are rounded to the float type as any decimal literal is; whole numbers below 2^53 must be
 * exact in it, and so must larger ones that do not come as floats.
 */
import { invalidArgument } from '../errors.js';
import type { Dtype, FixedDtype } from '../runtime/dtypes.js';
import {
  allocate,
  fromBfloat16,
  fromFloat16,
  type NumericArray,
  type TensorData,
  toBfloat16,
  toFloat16,
} from '../runtime/values.js';

/** `x[1][2]`, as people write it. */
export function describePath(what: string, path: readonly number[]): string {
  return path.length === 0 ? what : `${what} at ${path.map((i) => `[${i}]`).join('')}`;
}

/**
 * The shape of nested lists, from their first elements; {@link fillPlain} checks the others against it.
 *
 * @throws ServingError INVALID_ARGUMENT if they hold more than `maxElements`
 */
export function shapeOfPlain(what: string, value: unknown, maxElements: number): number[] {
  const shape: number[] = [];
  let level: unknown = value;
  let elements = 1;
  while (Array.isArray(level)) {
    shape.push(level.length);
    elements *= Math.max(level.length, 1);
    if (elements > maxElements)
      throw invalidArgument(`${what} has more elements than ${maxElements} (--max-elements)`);
    level = level[0];
  }
  return shape;
}

/**
 * The values of nested lists of `shape`, row-major.
 *
 * @throws ServingError INVALID_ARGUMENT naming the place, what was expected and what came
 */
export function fillPlain(
  what: string,
  value: unknown,
  shape: readonly number[],
  dtype: RealDtype | 'string',
): TensorData {
  if (dtype === 'string') {
    const strings: Uint8Array[] = [];
    walk(what, value, shape, [], (leaf, path) => strings.push(toBytes(what, leaf, path)));
    return strings;
  }
  // Counted as the walk goes, not from the shape: a first element says nothing about the size of the others.
  const leaves: unknown[] = [];
  const store = writers[dtype];
  walk(what, value, shape, [], (leaf) => leaves.push(leaf));
  const { values, bytes } = allocate(dtype, leaves.length);
  for (const [i, leaf] of leaves.entries()) {
    if (!store(values, i, leaf)) throw misfit(what, leaf, pathOf(i, shape), dtype);
  }
  return bytes;
}

function walk(
  what: string,
  value: unknown,
  shape: readonly number[],
  path: number[],
  visit: (leaf: unknown, path: readonly number[]) => void,
): void {
  const depth = path.length;
  if (depth === shape.length) {
    if (Array.isArray(value)) throw ragged(what, path, 'a list', 'a value');
    visit(value, path);
    return;
  }
  const expected = shape[depth] as number;
  if (!Array.isArray(value)) throw ragged(what, path, 'a value', `a list of ${expected}`);
  if (value.length !== expected)
    throw ragged(what, path, `a list of ${value.length}`, `a list of ${expected}`);
  for (let i = 0; i < expected; i++) {
    path.push(i);
    walk(what, value[i], shape, path, visit);
    path.pop();
  }
}

function ragged(what: string, path: readonly number[], came: string, expected: string) {
  return invalidArgument(
    `${describePath(what, path)} is ragged: ${came} where the ones before it have ${expected}`,
  );
}

function pathOf(index: number, shape: readonly number[]): number[] {
  const path: number[] = [];
  let rest = index;
  for (const dim of [...shape].reverse()) {
    path.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return path;
}

function misfit(what: string, leaf: unknown, path: readonly number[], dtype: Dtype) {
  const place = describePath(what, path);
  if (typeof leaf === 'number' || typeof leaf === 'bigint') {
    return invalidArgument(
      `${place} takes ${dtype}, and ${leaf} does not fit: send a typed array to convert it yourself`,
    );
  }
  return invalidArgument(`${place} takes ${dtype}, and ${describeLeaf(leaf)} came`);
}

/** What came, in few words. */
export function describeLeaf(leaf: unknown): string {
  if (leaf === null || leaf === undefined) return String(leaf);
  if (leaf instanceof Uint8Array) return 'a byte string';
  if (Array.isArray(leaf)) return 'a list';
  if (typeof leaf === 'object') return 'something that is no number';
  return typeof leaf === 'string' ? 'a text' : String(leaf);
}

const utf8 = new TextEncoder();

function toBytes(what: string, leaf: unknown, path: readonly number[]): Uint8Array {
  if (typeof leaf === 'string') return utf8.encode(leaf);
  if (leaf instanceof Uint8Array) return leaf;
  throw invalidArgument(
    `${describePath(what, path)} takes text or byte strings, and ${describeLeaf(leaf)} came`,
  );
}

/** Stores one leaf at an index; false if it does not fit. */
type Writer = (values: NumericArray, index: number, leaf: unknown) => boolean;

function integer(min: number, max: number): Writer {
  return (values, i, leaf) => {
    const value = typeof leaf === 'bigint' ? Number(leaf) : leaf;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) return false;
    values[i] = value;
    return true;
  };
}

function bigInteger(min: bigint, max: bigint): Writer {
  return (values, i, leaf) => {
    // A float beyond 2^53 may already have lost its last digits.
    const value = typeof leaf === 'number' && Number.isSafeInteger(leaf) ? BigInt(leaf) : leaf;
    if (typeof value !== 'bigint' || value < min || value > max) return false;
    values[i] = value;
    return true;
  };
}

/** As strict JSON has them. */
const nonFinite: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/**
 * @param round the nearest value of the float type
 * @param encode what the typed array holds for it
 */
function float(
  round: (value: number) => number,
  encode: (value: number) => number = (value) => value,
): Writer {
  return (values, i, leaf) => {
    const number = typeof leaf === 'string' ? nonFinite.get(leaf) : leaf;
    if (typeof number !== 'number' && typeof number !== 'bigint') return false;
    const value = Number(number);
    const rounded = round(value);
    const overflows = Number.isFinite(value) && !Number.isFinite(rounded);
    if (overflows || (Number.isSafeInteger(value) && rounded !== value)) return false;
    // An integer beyond 2^53 that came as one.
    if (typeof leaf === 'bigint' && !(Number.isFinite(rounded) && BigInt(rounded) === leaf)) return false;
    values[i] = encode(value);
    return true;
  };
}

/** Complex numbers come as pairs of floats. */
type RealDtype = Exclude<FixedDtype, 'complex64' | 'complex128'>;

const writers: Record<RealDtype, Writer> = {
  bool: (values, i, leaf) => {
    if (typeof leaf !== 'boolean') return false;
    values[i] = leaf ? 1 : 0;
    return true;
  },
  int8: integer(-(2 ** 7), 2 ** 7 - 1),
  int16: integer(-(2 ** 15), 2 ** 15 - 1),
  int32: integer(-(2 ** 31), 2 ** 31 - 1),
  int64: bigInteger(-(2n ** 63n), 2n ** 63n - 1n),
  uint8: integer(0, 2 ** 8 - 1),
  uint16: integer(0, 2 ** 16 - 1),
  uint32: integer(0, 2 ** 32 - 1),
  uint64: bigInteger(0n, 2n ** 64n - 1n),
  float16: float((value) => fromFloat16(toFloat16(value)), toFloat16),
  bfloat16: float((value) => fromBfloat16(toBfloat16(value)), toBfloat16),
  float32: float(Math.fround),
  float64: float((value) => value),
};
