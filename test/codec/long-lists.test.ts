/**
 * Lists that are read in chunks: nothing is lost or changed at the borders, or where a chunk differs from the others.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { toTensors } from '../../src/codec/infer-body.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import type { Dtype } from '../../src/tensors/dtypes.ts';
import { ListBuilder, LongList, withArrays } from '../../src/tensors/long-list.ts';
import { viewOf } from '../../src/tensors/values.ts';
import { disposeTensors, viewTensor } from '../../src/tfjs/tensors.ts';
import { head, ints, joined, list, map, tag } from '../fixtures/cbor.ts';
import { limits, makeSignature, refusal } from '../fixtures/codec.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';

beforeAll(() => {
  openTestRuntime();
});

type Request = ReturnType<typeof decodeInferRequest>;

/** The values of the only input, for a dtype. */
function x(request: Request, dtype: Dtype) {
  const tensors = toTensors(request, makeSignature({ x: [dtype, null] }), limits);
  try {
    const tensor = tensors.get('x');
    if (!tensor) throw new Error('no x');
    const { shape, data } = viewTensor(tensor);
    const values =
      data instanceof Uint8Array && dtype !== 'string'
        ? Array.from(viewOf(dtype, data.slice()) as Iterable<unknown>)
        : Array.from(data as Iterable<Uint8Array>, (bytes) => Buffer.from(bytes).toString());
    return { shape: [...shape], values };
  } finally {
    disposeTensors(tensors);
  }
}

const json = (text: string) => decodeJsonRequest(Buffer.from(`{"x":${text}}`), limits);
const cbor = (item: Uint8Array) => decodeInferRequest(map({ x: item }), limits);
const count = (length: number) => Array.from({ length }, (_, i) => i);

describe('a list of any length', () => {
  it.each([1, 4095, 4096, 4097, 8192, 12_289])('of %i numbers', (length) => {
    const halves = count(length).map((i) => i / 2);
    const want = { shape: [length], values: halves };
    expect(x(json(JSON.stringify(halves)), 'float64')).toEqual(want);
    expect(x(json(JSON.stringify(halves)), 'float32')).toEqual(want);
    const whole = { shape: [length], values: count(length) };
    expect(x(cbor(ints(...count(length))), 'int32')).toEqual(whole);
    expect(x(cbor(ints(...count(length))), 'int64')).toEqual({ ...whole, values: whole.values.map(BigInt) });
  });

  it('of rows that are long themselves', () => {
    const rows = [count(5000), count(5000).reverse(), count(5000)];
    expect(x(json(JSON.stringify(rows)), 'int32')).toEqual({ shape: [3, 5000], values: rows.flat() });
  });

  it('of many rows, short and deep', () => {
    const rows = count(9000).map((i) => [[i], [i + 1]]);
    expect(x(json(JSON.stringify(rows)), 'int32')).toEqual({ shape: [9000, 2, 1], values: rows.flat(2) });
    const pairs = count(9000).map((i) => [i, i + 1]);
    expect(x(json(JSON.stringify(pairs)), 'int32')).toEqual({ shape: [9000, 2], values: pairs.flat() });
  });

  it('of texts', () => {
    const texts = count(5000).map((i) => `text ${i}`);
    expect(x(json(JSON.stringify(texts)), 'string')).toEqual({ shape: [5000], values: texts });
  });
});

describe('a chunk with something else', () => {
  it.each<[string, Dtype, unknown]>([
    ['9007199254740993', 'int64', 9007199254740993n],
    ['-9223372036854775808', 'int64', -(2n ** 63n)],
    ['18446744073709551615', 'uint64', 2n ** 64n - 1n],
    ['"NaN"', 'float32', Number.NaN],
    ['16777217.00000000000001', 'float32', 16777218],
    ['100000000000000000000', 'float64', 1e20],
    ['-0', 'float64', -0],
  ])('%s among 10,000 numbers for %s', (text, dtype, want) => {
    const isWide = typeof want === 'bigint';
    for (const at of [0, 4095, 4096, 9999]) {
      const numbers = count(10_000).map(String);
      numbers[at] = text;
      const { values } = x(json(`[${numbers}]`), dtype);
      const expected: unknown[] = isWide ? count(10_000).map(BigInt) : count(10_000);
      expected[at] = want;
      expect(values).toEqual(expected);
    }
  });

  it('keeps -0 beside an integer that no double holds', () => {
    const numbers = ['-0', '9007199254740993', ...count(5000).map(String)];
    const { values } = x(json(`[${numbers}]`), 'float64');
    expect(Object.is(values[0], -0)).toBe(true);
    expect(values[1]).toBe(9007199254740992);
  });
});

describe('the place of what does not fit is told', () => {
  it.each<[unknown, Dtype, string]>([
    [[1], 'int32', 'at [5000] is ragged: a list where the ones before it have a value'],
    [0.5, 'int32', 'at [5000]: expected int32, whole numbers from -2147483648 to 2147483647, got 0.5'],
    ['no', 'float32', 'at [5000]: expected float32, got a text'],
    [true, 'float32', 'at [5000]: expected float32, got true'],
  ])('%j for %s', (value, dtype, message) => {
    const values: unknown[] = count(6000);
    values[5000] = value;
    expect(refusal(() => x(json(JSON.stringify(values)), dtype))).toContain(message);
  });

  it('of a row with another length', () => {
    const rows = count(6000).map((i) => (i === 5000 ? [1, 2, 3] : [1, 2]));
    const message = refusal(() => x(json(JSON.stringify(rows)), 'int32'));
    expect(message).toContain('at [5000] is ragged: a list of 3 where the ones before it have a list of 2');
  });
});

it('is put from column-major into row-major order', () => {
  const item = (numbers: readonly number[]) => tag(1040, list(ints(70, 80), ints(...numbers)));
  const columns = count(5600).map((i) => (i % 70) * 80 + Math.floor(i / 70));
  expect(x(cbor(item(columns)), 'int32')).toEqual({ shape: [70, 80], values: count(5600) });
  // Texts and numbers lie in chunks of different kinds.
  const texts = joined(
    head(4, 5600),
    Buffer.concat(count(5600).map((i) => (i < 5000 ? head(0, 7) : head(3, 0)))),
  );
  const mixed = tag(1040, list(ints(70, 80), texts));
  expect(refusal(() => x(cbor(mixed), 'int32'))).toContain('got a text');
});

it('reads as an array where somebody needs one', () => {
  const builder = new ListBuilder<unknown>();
  for (const i of count(5000)) builder.push([i]);
  expect(builder.length).toBe(5000);
  const long = builder.finish();
  expect(long).toBeInstanceOf(LongList);
  expect(withArrays(long)).toEqual(count(5000).map((i) => [i]));
});
