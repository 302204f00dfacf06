/**
 * Conversions between raw bytes and numbers. Half floats are compared with the definitions of their formats, for all
 * 65,536 bit patterns.
 */
import { describe, expect, it } from 'vitest';
import {
  allocate,
  fromBfloat16,
  fromFloat16,
  swapBytes,
  toBfloat16,
  toFloat16,
  viewOf,
  widenHalf,
} from '../../src/tensors/values.ts';

interface Format {
  readonly name: 'float16' | 'bfloat16';
  readonly exponentBits: number;
  readonly fractionBits: number;
  readonly from: (bits: number) => number;
  readonly to: (value: number) => number;
}

const formats: readonly Format[] = [
  { name: 'float16', exponentBits: 5, fractionBits: 10, from: fromFloat16, to: toFloat16 },
  { name: 'bfloat16', exponentBits: 8, fractionBits: 7, from: fromBfloat16, to: toBfloat16 },
];

/** The value of binary floating-point bits, written down from IEEE 754-2019, section 3.4. */
function defined(bits: number, { exponentBits, fractionBits }: Format): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor((bits % 0x8000) / 2 ** fractionBits);
  const fraction = (bits % 2 ** fractionBits) / 2 ** fractionBits;
  if (exponent === 2 ** exponentBits - 1) return fraction > 0 ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

const patterns = Array.from({ length: 0x10000 }, (_, bits) => bits);
/** Bits of the finite numbers that are not negative, in order. */
const upTo = (infinity: number) => patterns.slice(0, infinity);

describe.each(formats)('$name', (format) => {
  const { name, from, to } = format;
  const infinity = to(Number.POSITIVE_INFINITY);

  it('has the value that its format defines, for every pattern', () => {
    const wrong = patterns.filter((bits) => !Object.is(from(bits), defined(bits, format)));
    expect(wrong).toEqual([]);
  });

  it('comes back as the same bits from its value; every NaN as one NaN', () => {
    const wrong = patterns.filter((bits) =>
      Number.isNaN(from(bits)) ? !Number.isNaN(from(to(from(bits)))) : to(from(bits)) !== bits,
    );
    expect(wrong).toEqual([]);
  });

  it('rounds what lies halfway to even, and what lies beside it to the nearer, between all neighbours', () => {
    const wrong: number[] = [];
    for (const bits of upTo(infinity - 1)) {
      const [low, high] = [from(bits), from(bits + 1)];
      const half = (low + high) / 2;
      const beside = half * 2 ** -52;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const right =
        to(half) === even &&
        to(half - beside) === bits &&
        to(half + beside) === bits + 1 &&
        to(-half) === even + 0x8000 &&
        to(-half - beside) === bits + 1 + 0x8000;
      if (!right) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('overflows to infinity from halfway beyond its largest number on, and not before', () => {
    const largest = from(infinity - 1);
    const spacing = largest - from(infinity - 2);
    const halfway = largest + spacing / 2;
    expect(to(halfway)).toBe(infinity);
    expect(to(-halfway)).toBe(infinity + 0x8000);
    expect(to(halfway * (1 - 2 ** -53))).toBe(infinity - 1);
    expect(to(Number.MAX_VALUE)).toBe(infinity);
  });

  it('goes to a zero of the same sign below half its smallest number', () => {
    const smallest = from(1);
    expect([smallest, smallest / 2, -smallest / 2, Number.MIN_VALUE, -Number.MIN_VALUE, -0].map(to)).toEqual([
      1, 0, 0x8000, 0, 0x8000, 0x8000,
    ]);
    expect(to((smallest / 2) * (1 + 2 ** -52))).toBe(1);
  });

  it('is widened to float32 without loss', () => {
    const wide = widenHalf(name, Uint16Array.from(patterns));
    expect(patterns.filter((bits) => !Object.is(wide[bits], defined(bits, format)))).toEqual([]);
  });
});

it('swaps the bytes of every word, into new memory', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect([...swapBytes(bytes, 1)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect([...swapBytes(bytes, 2)]).toEqual([2, 1, 4, 3, 6, 5, 8, 7]);
  expect([...swapBytes(bytes, 4)]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
  expect([...swapBytes(bytes, 8)]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(swapBytes(new Uint8Array(0), 8)).toHaveLength(0);
});

describe('a view on bytes', () => {
  const values = {
    int16: [-2, 3],
    int32: [-2, 3],
    float32: [1.5, -2],
    float64: [0.1, -0.2],
    complex64: [1, 2, 3, 4],
  };

  it.each(Object.entries(values))('of %s reads the same at every offset in a body', (dtype, wanted) => {
    const count = dtype === 'complex64' ? 2 : wanted.length;
    const { values: array, bytes } = allocate(dtype as keyof typeof values, count);
    array.set(wanted as never);
    for (let offset = 0; offset < 9; offset++) {
      const body = new Uint8Array(offset + bytes.length + 3).fill(0xaa);
      body.set(bytes, offset);
      // A Buffer too, whose slice() is no copy.
      for (const memory of [body, Buffer.from(body.buffer)]) {
        const view = viewOf(dtype as keyof typeof values, memory.subarray(offset, offset + bytes.length));
        expect([...(view as Float64Array)], `at offset ${offset}`).toEqual(wanted);
      }
    }
  });

  it('is no copy where it is aligned', () => {
    const body = new Uint8Array(16);
    const view = viewOf('float32', body.subarray(4, 12));
    body.set([0, 0, 0x80, 0x3f], 4);
    expect([...(view as Float32Array)]).toEqual([1, 0]);
  });

  it('of nothing is empty, wherever it is', () => {
    expect(viewOf('float64', new Uint8Array(9).subarray(3, 3))).toHaveLength(0);
  });
});
