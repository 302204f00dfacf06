/**
 * Numbers of JSON, as exact as their digits: integers of any dtype, and fractions that are rounded once.
 */
import { Decimal, maybeTie, neighbour, sideOf } from '../../tensors/decimal.js';

/** Digits of an integer that is kept exact. No dtype has more than 20; to read a million of them takes seconds. */
const maxExactDigits = 40;

/** More than a double has digits, in any way of writing it. */
const maxCharacters = 4096;

/** So many digits make an integer that a double holds. */
const safeDigits = 15;

const powersOfTen = Array.from({ length: safeDigits + 1 }, (_, i) => 10 ** i);
const powersOfFive = Array.from({ length: safeDigits + 1 }, (_, i) => 5 ** i);

const [minus, plus, point, zero] = [0x2d, 0x2b, 0x2e, 0x30];

/** A place that stays before every body when a few characters are added. */
const nowhere = -8;

/** Reads numbers, one after another. */
export class NumberReader {
  /** Where the last one ended. */
  end = 0;
  /** Why the last one is none. */
  problem = '';

  private readonly buffer: Buffer;

  /** @param isExact gives a {@link Decimal} where a double is not enough */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly isExact: boolean,
  ) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The number that begins at a place; undefined if it is none. */
  read(start: number): number | bigint | Decimal | undefined {
    const { bytes } = this;
    const isNegative = bytes[start] === minus;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let digits = 0;
    let code = bytes[at] ?? 0;
    // Most numbers are short, and exact on the way.
    for (; isDigit(code) && at - first < safeDigits; code = bytes[++at] ?? 0)
      digits = digits * 10 + code - zero;
    if (at === first || (at - first > 1 && bytes[first] === zero)) return this.none('this is no number');
    let places = 0;
    if (code === point) {
      code = bytes[++at] ?? 0;
      // With the point, one character more.
      for (; isDigit(code) && at - first <= safeDigits; code = bytes[++at] ?? 0) {
        digits = digits * 10 + code - zero;
        places += 1;
      }
      if (places === 0 && !isDigit(code)) return this.none('this is no number');
    }
    // e and E
    if (isDigit(code) || (code | 0x20) === 0x65 || code === point) return this.readLong(start);
    this.end = at;
    if (places === 0) return isNegative ? -digits : digits;
    const magnitude = digits / (powersOfTen[places] as number);
    const value = isNegative ? -magnitude : magnitude;
    const isDouble = digits % (powersOfFive[places] as number) === 0;
    return isDouble || !maybeTie(value) ? value : this.beside(this.text(start, at), value);
  }

  private readLong(start: number): number | bigint | Decimal | undefined {
    const whole = this.digits(this.bytes[start] === minus ? start + 1 : start);
    let at = whole;
    if (this.bytes[at] === point) at = this.digits(at + 1);
    const isFraction = at !== whole;
    let isPower = false;
    if (((this.bytes[at] ?? 0) | 0x20) === 0x65) {
      isPower = true;
      const sign = this.bytes[at + 1];
      at = this.digits(sign === minus || sign === plus ? at + 2 : at + 1);
    }
    if (at < 0) return this.none('this is no number');
    if (at - start > maxCharacters) return this.none(`a number has more than ${maxCharacters} characters`);
    const text = this.text(start, at);
    const value = Number(text);
    if (!Number.isFinite(value)) return this.none('a number is larger than any dtype holds');
    this.end = at;
    if (isFraction || isPower) return maybeTie(value) ? this.beside(text, value) : value;
    if (Number.isSafeInteger(value)) return value;
    return text.length <= maxExactDigits ? BigInt(text) : this.beside(text, value);
  }

  /** @returns where digits end, or a place before every body if there are none; at most one more than a number may have */
  private digits(start: number): number {
    const { bytes } = this;
    let at = start;
    while (isDigit(bytes[at] ?? 0) && at - start <= maxCharacters) at += 1;
    return at === start || start < 0 ? nowhere : at;
  }

  private text(start: number, end: number): string {
    return this.buffer.toString('latin1', start, end);
  }

  /** The double, with the side of it where the number is. */
  private beside(text: string, value: number): number | Decimal {
    const side = this.isExact ? sideOf(text, value) : 0;
    return side === 0 ? value : new Decimal(value, neighbour(value, side));
  }

  private none(problem: string): undefined {
    this.problem = problem;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
