/** CBOR answers are compared byte by byte with RFC 8746, and read by another decoder. */
import { Decoder, type Tag } from 'cbor-x';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeCbor, encodeCborAnswer } from '../../src/codec/cbor/encode.ts';
import type { EncodedBody } from '../../src/codec/infer-answer.ts';
import { CborWriter } from '../../src/tensors/cbor-writer.ts';
import { type Dtype, dtypes, type FixedDtype } from '../../src/tensors/dtypes.ts';
import { createTensor, type Tensor, type TensorData, viewTensor } from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import { hex } from '../fixtures/cbor.ts';
import { held, openTestRuntime } from '../fixtures/runtime.ts';

beforeAll(() => {
  openTestRuntime();
});

let heldBefore: object;
let made: Tensor[] = [];
beforeEach(() => {
  heldBefore = held();
});
afterEach(() => {
  for (const tensor of made) tensor.dispose();
  made = [];
  expect(held()).toEqual(heldBefore);
});

function tensor(dtype: Dtype, shape: readonly number[], data: TensorData): Tensor {
  const created = createTensor(dtype, shape, data);
  made.push(created);
  return created;
}

function answer(...outputs: readonly (readonly [string, Tensor])[]): EncodedBody {
  return wholeBody(encodeCborAnswer({ model: 'm', version: 1, generation: 2, outputs: new Map(outputs) }));
}

function whole({ parts, byteLength }: EncodedBody): Buffer {
  const body = Buffer.concat(parts);
  expect(byteLength).toBe(body.length);
  return body;
}

const reader = new Decoder({ useRecords: false, mapsAsObjects: true });

// {"status": "ok", "model": "m", "version": 1, "generation": 2, "outputs": {"y": …}}
const start = `a5 66737461747573 626f6b 656d6f64656c 616d 6776657273696f6e 01 6a67656e65726174696f6e 02 676f757470757473 a1 6179`;

describe('a tensor is written as RFC 8746 has it', () => {
  const pair = (tag: number, bytes: string, size: number) =>
    `d828 82 8102 d8${tag.toString(16)} ${(0x40 + size).toString(16)} ${bytes}`;
  const map = (name: string, bytes: string, size: number) =>
    `a3 656474797065 ${(0x60 + name.length).toString(16)}${Buffer.from(name).toString('hex')} 657368617065 8102 6464617461 ${head(size)} ${bytes}`;
  const head = (size: number) => (size < 24 ? (0x40 + size).toString(16) : `58${size.toString(16)}`);

  const rows: readonly (readonly [
    FixedDtype,
    bytes: string,
    item: (bytes: string, size: number) => string,
  ])[] = [
    ['bool', '0100', (bytes, size) => map('bool', bytes, size)],
    ['int8', '01ff', (bytes, size) => pair(72, bytes, size)],
    ['int16', '0100ffff', (bytes, size) => pair(77, bytes, size)],
    ['int32', '01000000ffffffff', (bytes, size) => pair(78, bytes, size)],
    ['int64', '0100000000000000ffffffffffffffff', (bytes, size) => pair(79, bytes, size)],
    ['uint8', '01ff', (bytes, size) => pair(64, bytes, size)],
    ['uint16', '0100ffff', (bytes, size) => pair(69, bytes, size)],
    ['uint32', '01000000ffffffff', (bytes, size) => pair(70, bytes, size)],
    ['uint64', '0100000000000000ffffffffffffffff', (bytes, size) => pair(71, bytes, size)],
    ['float16', '003c007e', (bytes, size) => pair(84, bytes, size)],
    ['bfloat16', '803fc07f', (bytes, size) => map('bfloat16', bytes, size)],
    ['float32', '0000803f0100c07f', (bytes, size) => pair(85, bytes, size)],
    ['float64', '000000000000f03f0000000000000080', (bytes, size) => pair(86, bytes, size)],
    ['complex64', '0000803f0000004000000000000080bf', (bytes, size) => map('complex64', bytes, size)],
    ['complex128', '000000000000f03f'.repeat(4), (bytes, size) => map('complex128', bytes, size)],
  ];

  it.each(rows)('%s has a tag of its own, or is a map of dtype, shape and data', (dtype, bytes, item) => {
    const size = 2 * dtypes[dtype].size;
    const body = whole(answer(['y', tensor(dtype, [2], hex(bytes))]));
    expect(body.toString('hex')).toBe(Buffer.from(hex(`${start} ${item(bytes, size)}`)).toString('hex'));
  });

  it('a string tensor is a list of byte strings', () => {
    const body = whole(answer(['y', tensor('string', [2], [hex('61'), hex('ff00')])]));
    expect(body.toString('hex')).toBe(
      Buffer.from(hex(`${start} d828 82 8102 82 4161 42ff00`)).toString('hex'),
    );
  });

  it('a scalar has no dims, and a dim may be zero', () => {
    const scalar = whole(answer(['y', tensor('uint8', [], hex('07'))]));
    expect(scalar.subarray(-8).toString('hex')).toBe('d8288280d8404107');
    const empty = whole(answer(['y', tensor('float32', [2, 0], hex(''))]));
    expect(empty.subarray(-9).toString('hex')).toBe('d82882820200d85540');
    const none = whole(answer(['y', tensor('string', [0], [])]));
    expect(none.subarray(-6).toString('hex')).toBe('d82882810080');
  });
});

describe('another decoder reads an answer', () => {
  interface Answer {
    readonly outputs: Record<string, Tag>;
  }
  const read = (body: EncodedBody) => reader.decode(whole(body)) as Answer;
  const itemOf = (item: unknown) => (item as Tag).value as unknown as [number[], ArrayBufferView];

  it.each([0, 1, 23, 24, 255, 256, 4095, 4096, 4097, 65535, 65536, 70_000, 1_000_000])(
    'of %i bytes, between small ones',
    (length) => {
      const data = Uint8Array.from({ length }, (_, i) => i % 251);
      const small = () => tensor('int16', [2], hex('0100ffff'));
      const { outputs } = read(
        answer(['a', small()], ['y', tensor('uint8', [length], data)], ['z', small()]),
      );
      const [shape, values] = itemOf(outputs['y']);
      expect(shape).toEqual([length]);
      expect(Buffer.compare(values as Uint8Array, data)).toBe(0);
      for (const name of ['a', 'z']) expect(itemOf(outputs[name])).toEqual([[2], Int16Array.of(1, -1)]);
    },
  );

  it('with names of any length and of any letters, and dims of any size', () => {
    const names = ['', 'é', '__proto__', 'n'.repeat(300), 'n'.repeat(70_000), 'inputs', '\u0000'];
    const body = answer(
      ...names.map((name) => [name, tensor('uint8', [1, 0, 70_000, 5_000_000], hex(''))] as const),
    );
    const answered = new Decoder({ useRecords: false, mapsAsObjects: false }).decode(whole(body)) as Map<
      string,
      Map<string, unknown>
    >;
    expect([...(answered.get('outputs')?.keys() ?? [])]).toEqual(names);
    expect(itemOf(answered.get('outputs')?.get('é'))[0]).toEqual([1, 0, 70_000, 5_000_000]);
  });

  it('without outputs', () => {
    expect(read(answer()).outputs).toEqual({});
  });

  it('of ten thousand strings', () => {
    const strings = Array.from({ length: 10_000 }, (_, i) => Buffer.alloc(i % 600, i % 256));
    const [shape, values] = itemOf(read(answer(['y', tensor('string', [100, 100], strings)])).outputs['y']);
    expect(shape).toEqual([100, 100]);
    expect(Buffer.compare(Buffer.concat(values as unknown as Uint8Array[]), Buffer.concat(strings))).toBe(0);
  });
});

it('large outputs are parts of their own, over the memory of the tensor', () => {
  const data = new Uint8Array(100_000);
  const { parts } = answer(['y', tensor('uint8', [100_000], data)]);
  expect(parts.some((part) => part.buffer === data.buffer)).toBe(true);
});

it('values without tensors are plain CBOR maps, and one does not spoil another', () => {
  const error = { status: 'error', error: { code: 'NOT_FOUND', message: 'no model `é\u0000`' } };
  const states = { models: [], default_model: null, seconds: 0.5, on: true, count: 2 ** 40 };
  const [first, second] = [encodeCbor(error), encodeCbor(states)];
  expect(reader.decode(whole(first))).toEqual(error);
  expect(reader.decode(whole(second))).toEqual(states);
  expect(whole(encodeCbor({ a: 1 })).toString('hex')).toBe('a1616101');
});

it('an answer with many strings comes in pieces, and is what it would be in one', () => {
  const strings = Array.from({ length: 10_000 }, (_, i) =>
    Buffer.from(i % 100 === 0 ? 'x'.repeat(5000) : String(i)),
  );
  const outputs = new Map([
    ['few', tensor('string', [2], strings.slice(0, 2))],
    ['many', tensor('string', [100, 100], strings)],
    ['numbers', tensor('uint8', [3], Uint8Array.of(1, 2, 3))],
  ]);
  const given = { model: 'm', version: 1, generation: 2, outputs };
  const body = encodeCborAnswer(given);
  if ('parts' in body) throw new Error('it is written at once');
  const writer = new CborWriter();
  for (const [name, each] of outputs) {
    const { dtype, shape, data } = viewTensor(each);
    writer.text(name);
    writer.tensor(dtype, shape, data);
  }
  const expected = Buffer.concat(writer.finish());
  const pieces = [...body.pieces];
  expect(pieces.length).toBeGreaterThan(10);
  expect(Buffer.concat(pieces).subarray(-expected.length).equals(expected)).toBe(true);
});
