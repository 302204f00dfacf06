/** Reads the numbers of JSON exactly: integers for any dtype, and fractions that are rounded once. */
import { Decimal, maybeTie, neighbour, sideOf } from '../../tensors/decimal.js';

/** The most digits of an integer that is kept exactly. No dtype has more than 20, and a million digits take seconds. */
const maxExactDigits = 40;

/** The most characters of a number. A double never needs as many. */
const maxCharacters = 4096;

/** An integer of so many digits is exact in a double. */
const safeDigits = 15;

const powersOfTen = Array.from({ length: safeDigits + 1 }, (_, i) => 10 ** i);
const powersOfFive = Array.from({ length: safeDigits + 1 }, (_, i) => 5 ** i);

const [minus, plus, point, zero] = [0x2d, 0x2b, 0x2e, 0x30];

/** A position that stays before every body, even after a few characters are added to it. */
const nowhere = -8;

/** Reads numbers, one after another. */
export class NumberReader {
  /** Where the last number ended. */
  end = 0;
  /** Why the last text is no number. */
  problem = '';

  private readonly buffer: Buffer;

  /** @param isExact makes the reader return a {@link Decimal} where a double is not exact enough */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly isExact: boolean,
  ) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Reads the number at a position; undefined if there is none. */
  read(start: number): number | bigint | Decimal | undefined {
    const { bytes } = this;
    const isNegative = bytes[start] === minus;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let digits = 0;
    let code = bytes[at] ?? 0;
    // Most numbers are short and stay exact.
    for (; isDigit(code) && at - first < safeDigits; code = bytes[++at] ?? 0)
      digits = digits * 10 + code - zero;
    if (at === first || (at - first > 1 && bytes[first] === zero)) return this.none('this is no number');
    let places = 0;
    if (code === point) {
      code = bytes[++at] ?? 0;
      // The point is one more character.
      for (; isDigit(code) && at - first <= safeDigits; code = bytes[++at] ?? 0) {
        digits = digits * 10 + code - zero;
        places += 1;
      }
      if (places === 0 && !isDigit(code)) return this.none('this is no number');
    }
    // The letters e and E.
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

  /**
   * @returns where the digits end. It is a position before every body if there are none, and at most one more than a
   * number may have
   */
  private digits(start: number): number {
    const { bytes } = this;
    let at = start;
    while (isDigit(bytes[at] ?? 0) && at - start <= maxCharacters) at += 1;
    return at === start || start < 0 ? nowhere : at;
  }

  private text(start: number, end: number): string {
    return this.buffer.toString('latin1', start, end);
  }

  /** The double, or a {@link Decimal} that says on which side of it the number lies. */
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
