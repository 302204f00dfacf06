/**
 * Stores single values in the form of a dtype, and refuses those that would be corrupted: integers must fit, a fraction is
 * not taken for an integer, and a number is not taken for a bool. A number for a float dtype becomes the nearest value of
 * that dtype, as a literal in a program does.
 */
import { Decimal, neighbour } from './decimal.js';
import type { FixedDtype } from './dtypes.js';
import { fromBfloat16, fromFloat16, type NumericArray, toBfloat16, toFloat16 } from './values.js';

/** Stores one value at an index. It returns false if the value does not fit. */
export type Writer = (values: NumericArray, index: number, leaf: unknown) => boolean;

function integer(min: number, max: number): Writer {
  return (values, i, leaf) => {
    const value = typeof leaf === 'bigint' ? Number(leaf) : leaf instanceof Decimal ? leaf.value : leaf;
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

/** How strict JSON writes the numbers that it lacks. */
const nonFinite: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/**
 * Makes a writer that stores the nearest value of a float dtype, rounded once.
 *
 * @param round gives the nearest value of the dtype
 * @param encode gives what the typed array holds for that value
 */
function float(
  round: (value: number) => number,
  encode: (value: number) => number = (value) => value,
): Writer {
  return (values, i, leaf) => {
    const value = typeof leaf === 'number' ? leaf : besideDouble(leaf);
    if (value === undefined || (Number.isFinite(value) && !Number.isFinite(round(value)))) return false;
    values[i] = encode(value);
    return true;
  };
}

/** A double that rounds to every narrower dtype as the exact number does. It is undefined if the value is no number. */
function besideDouble(leaf: unknown): number | undefined {
  if (leaf instanceof Decimal) return leaf.beside;
  if (typeof leaf === 'string') return nonFinite.get(leaf);
  if (typeof leaf !== 'bigint') return undefined;
  const value = Number(leaf);
  if (!Number.isFinite(value)) return undefined;
  const nearest = BigInt(value);
  return nearest === leaf ? value : neighbour(value, leaf > nearest ? 1 : -1);
}

const float64: Writer = (values, i, leaf) => {
  const value =
    typeof leaf === 'number'
      ? leaf
      : leaf instanceof Decimal
        ? leaf.value
        : typeof leaf === 'bigint'
          ? Number(leaf)
          : typeof leaf === 'string'
            ? nonFinite.get(leaf)
            : undefined;
  if (value === undefined || (typeof leaf === 'bigint' && !Number.isFinite(value))) return false;
  values[i] = value;
  return true;
};

/** The fixed dtypes without the complex ones, whose values come as pairs of floats. */
export type RealDtype = Exclude<FixedDtype, 'complex64' | 'complex128'>;

export const writers: Record<RealDtype, Writer> = {
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
  float64,
};
