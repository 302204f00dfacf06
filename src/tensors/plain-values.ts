/**
 * Turns plain values (numbers, texts, true and false, and nested lists of them) into the dtype that the signature asks
 * for.
 *
 * It refuses what would silently corrupt data: lists must be rectangular, and `leaf-writers.ts` says which values a
 * dtype takes.
 */
import { invalidArgument } from '../errors.js';
import { type Claim, claimNothing, Meter, type Steps, toEnd } from '../flow/steps.js';
import { Decimal } from './decimal.js';
import { type Dtype, dtypes, type FixedDtype } from './dtypes.js';
import { type RealDtype, writers } from './leaf-writers.js';
import { bounds, bytesPerWork } from './limits.js';
import { areNumbersOnly, type Chunk, chunksOf, isList, isShort, itemAt, type List } from './long-list.js';
import { LongText } from './long-text.js';
import { StringGatherer, type Strings } from './strings.js';
import { allocate, type TensorData, viewOf } from './values.js';

/** A place as people write it: `x[1][2]`. */
function describePath(what: string, path: readonly number[]): string {
  return path.length === 0 ? what : `${what} at ${path.map((i) => `[${i}]`).join('')}`;
}

/**
 * The shape of nested lists, judged by the first element of each. {@link fillPlain} checks the others against it.
 *
 * @throws ServingError INVALID_ARGUMENT if they hold more than `maxElements`
 */
export function shapeOfPlain(what: string, value: unknown, maxElements: number): number[] {
  const shape: number[] = [];
  let level: unknown = value;
  let elements = 1;
  while (isList(level)) {
    shape.push(level.length);
    elements *= Math.max(level.length, 1);
    if (elements > maxElements)
      throw invalidArgument(`${what} has more elements than ${maxElements} (--max-elements)`);
    level = itemAt(level, 0);
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
  return toEnd(fillInSteps(what, value, shape, dtype, claimNothing));
}

/** Does the same as {@link fillPlain}, in steps. @param claim is called before the values take memory */
export function* fillInSteps(
  what: string,
  value: unknown,
  shape: readonly number[],
  dtype: RealDtype | 'string',
  claim: Claim,
): Steps<TensorData> {
  // A first element says nothing of the size of the others. So the lists are walked before memory is taken for the
  // shape.
  const count = yield* countLeaves(what, value, shape);
  if (dtype === 'string') return yield* fillStrings(what, value, shape, count, claim);
  const store = writers[dtype];
  if (count > manyValues) claim(count * dtypes[dtype].size);
  const { values, bytes } = allocate(dtype, count);
  let [at, work] = [0, 0];
  for (const rows of blocksOf(value, shape)) {
    for (const row of rows) {
      for (let i = 0; i < row.length; i++, at++) {
        if (!store(values, at, row[i])) throw misfit(what, row[i], pathOf(at, shape), dtype);
        if (++work < manyValues) continue;
        work = 0;
        yield;
      }
      work += 1;
    }
  }
  return bytes;
}

/** The number of values between two pauses. */
const manyValues = 2048;

/**
 * Converts integers of one width to another.
 *
 * @throws ServingError INVALID_ARGUMENT for one that does not fit
 */
export function* convertIntegers(
  what: string,
  from: { readonly dtype: FixedDtype; readonly data: Uint8Array },
  dtype: 'int32' | 'int64',
  claim: Claim,
): Steps<Uint8Array> {
  const store = writers[dtype];
  const { size } = dtypes[from.dtype];
  const count = from.data.length / size;
  if (count > manyValues) claim(count * dtypes[dtype].size);
  const { values, bytes } = allocate(dtype, count);
  for (let start = 0; start < count; start += manyValues) {
    // A view of all values could be a copy of all of them.
    const some = viewOf(from.dtype, from.data.subarray(start * size, (start + manyValues) * size));
    for (let i = 0; i < some.length; i++)
      if (!store(values, start + i, some[i])) throw misfit(what, some[i], [start + i], dtype);
    yield;
  }
  return bytes;
}

function* fillStrings(
  what: string,
  value: unknown,
  shape: readonly number[],
  count: number,
  claim: Claim,
): Steps<Strings> {
  checkStrings(what, count);
  const strings = new StringGatherer(count, claim);
  const meter = new Meter();
  for (const rows of blocksOf(value, shape)) {
    for (const row of rows) {
      for (const leaf of row) {
        const before = strings.bytes;
        if (typeof leaf === 'string') strings.addText(leaf);
        else if (leaf instanceof Uint8Array) strings.add(leaf);
        else if (leaf instanceof LongText) strings.add(leaf.bytes);
        else throw noString(what, leaf, pathOf(strings.length, shape));
        if (meter.isDue(1 + (strings.bytes - before) / bytesPerWork)) yield;
      }
    }
  }
  return yield* strings.finish();
}

/** Checks the number of strings: each is an object here, and again where it is handed on. */
export function checkStrings(what: string, count: number): void {
  if (count > bounds.strings.most)
    throw invalidArgument(
      `${what} has ${count} strings, more than ${bounds.strings.most}: send several requests`,
    );
}

/**
 * Checks that the lists are as `shape` says, all of them.
 *
 * @returns how many values they hold
 */
function* countLeaves(what: string, value: unknown, shape: readonly number[]): Steps<number> {
  if (shape.length === 0) {
    if (isList(value)) throw ragged(what, [], 'a list', 'a value');
    return 1;
  }
  // The lists that are open, and how many elements of each have been seen.
  const levels: unknown[] = [value];
  const path = shape.map(() => 0);
  let [depth, count, work] = [0, 0, 0];
  for (;;) {
    const level = levels[depth];
    const expected = shape[depth] as number;
    const index = path[depth] as number;
    if (index === 0) checkLength(what, level, expected, path.slice(0, depth));
    if (++work > manyValues) {
      work = 0;
      yield;
    }
    if (depth === shape.length - 1) {
      let i = 0;
      for (const chunk of chunksOf(level as List<unknown>)) {
        if (!areNumbersOnly(chunk))
          for (let j = 0; j < chunk.length; j++)
            if (isList(chunk[j])) throw ragged(what, [...placeOf(path, depth), i + j], 'a list', 'a value');
        i += chunk.length;
        work += chunk.length;
        if (work > manyValues) {
          work = 0;
          yield;
        }
      }
      count += expected;
    } else if (index < expected) {
      path[depth] = index + 1;
      levels[depth + 1] = itemAt(level as List<unknown>, index);
      depth += 1;
      path[depth] = 0;
      continue;
    }
    if (depth === 0) return count;
    depth -= 1;
  }
}

/** The element that is being looked at has been counted already. */
function placeOf(seen: readonly number[], depth: number): number[] {
  return seen.slice(0, depth).map((count) => count - 1);
}

function checkLength(what: string, level: unknown, expected: number, seen: readonly number[]): void {
  const path = placeOf(seen, seen.length);
  if (!isList(level)) throw ragged(what, path, 'a value', `a list of ${expected}`);
  if (level.length !== expected)
    throw ragged(what, path, `a list of ${level.length}`, `a list of ${expected}`);
}

/** Rows of values. One chunk may appear several times. */
type Rows = readonly Chunk<unknown>[];

/** Gives the values of checked lists, some at a time. A value without lists is a row of one value. */
function* blocksOf(value: unknown, shape: readonly number[]): Generator<Rows, void, undefined> {
  const [length, width] = shape;
  const isOfShortLists = shape.length === 2 && width !== undefined && isShort(width);
  if (length === undefined) yield [[value]];
  else if (width === undefined) yield chunksOf(value as List<unknown>);
  else if (isOfShortLists) yield* chunksOf(value as List<unknown>) as Rows[];
  else
    for (const chunk of chunksOf(value as List<unknown>))
      for (const each of chunk) yield* blocksOf(each, shape.slice(1));
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
  if (leaf instanceof Decimal) return misfit(what, leaf.value, path, dtype);
  if (dtype === 'uint8' && typeof leaf === 'number' && leaf > 0 && leaf < 1)
    return invalidArgument(`${place}: expected uint8, got ${leaf}. Scale pixels to 0 to 255: 255 * x`);
  if (typeof leaf === 'number' || typeof leaf === 'bigint') {
    return invalidArgument(`${place}: expected ${describeValues(dtype, leaf)}, got ${leaf}`);
  }
  return invalidArgument(`${place}: expected ${dtype}, got ${describeLeaf(leaf)}`);
}

/** Describes the values of a dtype: `uint8, whole numbers from 0 to 255`. */
function describeValues(dtype: Dtype, leaf: number | bigint): string {
  switch (dtype) {
    case 'string':
    case 'complex64':
    case 'complex128':
      return dtype;
    case 'bool':
      return 'bool, true or false';
    case 'float16':
    case 'bfloat16':
    case 'float32':
    case 'float64':
      return `${dtype}, numbers up to ${largest[dtype]}`;
    default: {
      const [least, most] = rangeOf(dtype);
      // A float beyond 2^53 may already have lost its last digits.
      const isRounded = Number.isInteger(leaf) && leaf >= least && leaf <= most;
      const form = isRounded ? ', written without a point or a power, in JavaScript as a BigInt' : '';
      return `${dtype}, whole numbers from ${least} to ${most}${form}`;
    }
  }
}

/** The largest value of each float dtype. */
const largest = { float16: '65504', bfloat16: '3.3e38', float32: '3.4e38', float64: '1.7e308' } as const;

type FloatDtype = keyof typeof largest;

function rangeOf(dtype: Exclude<RealDtype, FloatDtype | 'bool'>): [least: bigint, most: bigint] {
  const bits = BigInt(dtypes[dtype].size * 8);
  return dtype.startsWith('u') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
}

/** Describes the value that came, in few words. */
export function describeLeaf(leaf: unknown): string {
  if (leaf === null || leaf === undefined) return String(leaf);
  if (leaf instanceof Uint8Array) return 'a byte string';
  if (leaf instanceof LongText) return 'a text';
  if (isList(leaf)) return 'a list';
  if (typeof leaf === 'object') return 'something that is no number';
  return typeof leaf === 'string' ? 'a text' : String(leaf);
}

function noString(what: string, leaf: unknown, path: readonly number[]) {
  return invalidArgument(
    `${describePath(what, path)}: expected text or byte strings, got ${describeLeaf(leaf)}`,
  );
}
