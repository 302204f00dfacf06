/** Decimal numbers that no double holds exactly. They let a number be rounded once, whatever dtype it is for. */

/**
 * A fraction that is not exactly a double. Rounding the nearest double again, to float32 or to a half float, could go
 * the wrong way.
 */
export class Decimal {
  /**
   * @param value the nearest double
   * @param beside the next double on the side where the number lies
   */
  constructor(
    readonly value: number,
    readonly beside: number,
  ) {}
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const wide = new BigInt64Array(double.buffer);
/** The index of the lower 32 bits of a double in `words`. */
const low = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;

/**
 * True if the double may lie midway between two values of a narrower type. The low 28 bits of every such double are
 * zero.
 */
export function maybeTie(value: number): boolean {
  double[0] = value;
  return ((words[low] as number) & 0xfffffff) === 0 && value !== 0;
}

/** The next double above or below. @param value is finite and not 0 */
export function neighbour(value: number, side: 1 | -1): number {
  double[0] = value;
  wide[0] = (wide[0] as bigint) + (value > 0 === side > 0 ? 1n : -1n);
  return double[0] as number;
}

/** Compares a decimal number with a double: 1 if it is larger, -1 if it is smaller, 0 if they are equal. */
export function sideOf(text: string, value: number): -1 | 0 | 1 {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text) ?? [];
  let decimal = BigInt(whole + fraction);
  let power = Number(exponent) - fraction.length;
  double[0] = Math.abs(value);
  const bits = wide[0] as bigint;
  const field = Number(bits >> 52n);
  let binary = (bits & (2n ** 52n - 1n)) + (field === 0 ? 0n : 2n ** 52n);
  let shift = Math.max(field, 1) - 1075;
  if (power < 0) {
    binary *= 10n ** BigInt(-power);
    power = 0;
  }
  if (shift < 0) {
    decimal <<= BigInt(-shift);
    shift = 0;
  }
  decimal *= 10n ** BigInt(power);
  binary <<= BigInt(shift);
  if (decimal === binary) return 0;
  return decimal > binary === (sign === '') ? 1 : -1;
}
