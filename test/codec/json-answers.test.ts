/**
 * JSON answers: nested lists in which every number reads back as the same value of its dtype.
 */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeJson, encodeJsonAnswer, largestJsonAnswer } from '../../src/codec/json/encode.ts';
import type { Dtype } from '../../src/tensors/dtypes.ts';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../src/tensors/values.ts';
import { createTensor, type Tensor, type TensorData } from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import { hex } from '../fixtures/cbor.ts';
import { refusal } from '../fixtures/codec.ts';
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

function tensor(dtype: Dtype, shape: readonly number[], data: TensorData | ArrayBufferView): Tensor {
  const raw = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;
  const created = createTensor(dtype, shape, raw);
  made.push(created);
  return created;
}

function answer(outputs: ReadonlyMap<string, Tensor>): string {
  const { parts, byteLength } = wholeBody(
    encodeJsonAnswer({ model: 'm', version: 3, generation: 2, outputs }),
  );
  const body = Buffer.concat(parts);
  expect(byteLength).toBe(body.length);
  return body.toString('utf8');
}

/** The text of one output. */
function y(dtype: Dtype, shape: readonly number[], data: TensorData | ArrayBufferView): string {
  const text = answer(new Map([['y', tensor(dtype, shape, data)]]));
  const [start, end] = ['{"status":"ok","model":"m","version":3,"generation":2,"outputs":{"y":', '}}\n'];
  expect(text.slice(0, start.length)).toBe(start);
  expect(text.slice(-end.length)).toBe(end);
  return text.slice(start.length, -end.length);
}

const words = (...bits: number[]) => Uint16Array.from(bits);
const utf8 = (text: string) => new TextEncoder().encode(text);

describe('every dtype has its text', () => {
  const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minusInfinity } = Number;
  const table: readonly (readonly [Dtype, TensorData | ArrayBufferView, text: string])[] = [
    ['bool', Uint8Array.of(1, 0, 255), '[true,false,true]'],
    ['int8', Int8Array.of(-128, 0, 127), '[-128,0,127]'],
    ['int16', Int16Array.of(-32768, 32767), '[-32768,32767]'],
    ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1), '[-2147483648,2147483647]'],
    [
      'int64',
      BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n, 2n ** 63n - 1n),
      '[-9223372036854775808,9007199254740993,9223372036854775807]',
    ],
    ['uint8', Uint8Array.of(0, 255), '[0,255]'],
    ['uint16', words(0, 65535), '[0,65535]'],
    ['uint32', Uint32Array.of(2 ** 32 - 1), '[4294967295]'],
    ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n), '[0,18446744073709551615]'],
    [
      'float16',
      words(0x3c00, 0x2e66, 0x7bff, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x7e01),
      '[1.0,0.1,65504.0,6e-8,-0.0,Infinity,-Infinity,NaN]',
    ],
    [
      'bfloat16',
      words(0x3f80, 0x3dcd, 0x7f7f, 0x8000, 0x7f80, 0xff80, 0xffc0),
      '[1.0,0.1,3.39e+38,-0.0,Infinity,-Infinity,NaN]',
    ],
    [
      'float32',
      Float32Array.of(
        0,
        -0,
        1,
        0.1,
        1 / 3,
        1e-45,
        3.4028234663852886e38,
        16777216,
        1e20,
        nan,
        infinity,
        minusInfinity,
      ),
      '[0.0,-0.0,1.0,0.1,0.33333334,1e-45,3.4028235e+38,16777216.0,100000000000000000000.0,NaN,Infinity,-Infinity]',
    ],
    [
      'float64',
      Float64Array.of(0.1, -0, 2 ** 53, 5e-324, 1.7976931348623157e308, 1e21, nan, infinity),
      '[0.1,-0.0,9007199254740992.0,5e-324,1.7976931348623157e+308,1e+21,NaN,Infinity]',
    ],
    ['complex64', Float32Array.of(0.1, -2, -0, nan), '[[0.1,-2.0],[-0.0,NaN]]'],
    [
      'complex128',
      Float64Array.of(0.1, -2, minusInfinity, 1 / 3),
      '[[0.1,-2.0],[-Infinity,0.3333333333333333]]',
    ],
    [
      'string',
      ['', 'é', '"\\/\b\n\u0000\u001f', '\ufeff\u2028\u{1f600}'].map(utf8),
      JSON.stringify(['', 'é', '"\\/\b\n\u0000\u001f', '\ufeff\u2028\u{1f600}']),
    ],
  ];
  it.each(table)('%s', (dtype, data, text) => {
    const perElement = dtype.startsWith('complex') ? 2 : 1;
    const count = (data as unknown as ArrayLike<unknown>).length / perElement;
    expect(y(dtype, [count], data)).toBe(text);
  });

  it('bytes that are not UTF-8 are {"b64": …}', () => {
    expect(y('string', [2], [hex('ff00'), hex('c3')])).toBe('[{"b64":"/wA="},{"b64":"ww=="}]');
    expect(y('string', [], [hex('eda080')])).toBe('{"b64":"7aCA"}');
  });
});

describe('floats read back as the same value, and in one digit less would not', () => {
  /** The value in one digit less than its text has; none if that has one. */
  const shorter = (value: number, text: string): number[] => {
    const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
    return digits.length <= 1 ? [] : [Number(value.toPrecision(digits.length - 1))];
  };

  it.each([
    ['float16', fromFloat16, toFloat16],
    ['bfloat16', fromBfloat16, toBfloat16],
  ] as const)('%s, every one of them', (dtype, from, to) => {
    const all = Array.from({ length: 0x10000 }, (_, bits) => bits).filter((bits) =>
      Number.isFinite(from(bits)),
    );
    const texts = y(dtype, [all.length], Uint16Array.from(all)).slice(1, -1).split(',');
    expect(texts).toHaveLength(all.length);
    const wrong = all.filter((bits, i) => {
      const text = texts[i] as string;
      // A whole number that doubles count exactly would be read as just that one.
      const readsBack = (each: number) => to(each) === bits && !Number.isSafeInteger(each);
      const isShortest = Number.isSafeInteger(from(bits)) || !shorter(from(bits), text).some(readsBack);
      return to(Number(text)) !== bits || !isShortest;
    });
    expect(wrong).toEqual([]);
  });

  it('float32, any of them', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = y('float32', [], Float32Array.of(value));
        expect(Math.fround(Number(text))).toBe(value);
        if (Number.isSafeInteger(value)) return;
        for (const each of shorter(value, text)) expect(Math.fround(each), text).not.toBe(value);
      }),
      { numRuns: 5000 },
    );
  });

  it('float64, any of them; and always with a point or an exponent, so that they read back as floats', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = y('float64', [], Float64Array.of(value));
        expect(Number(text)).toBe(value);
        expect(text).toMatch(/[.e]/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('shapes', () => {
  it.each([
    [[], '7'],
    [[1], '[7]'],
    [[1, 1, 1], '[[[7]]]'],
    [[2, 3], '[[7,7,7],[7,7,7]]'],
    [[2, 1, 2], '[[[7,7]],[[7,7]]]'],
    [[0], '[]'],
    [[2, 0], '[[],[]]'],
    [[0, 2], '[]'],
    [[2, 0, 3], '[[],[]]'],
    [[1, 2, 0], '[[[],[]]]'],
  ])('%j', (shape, text) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    expect(y('uint8', shape, new Uint8Array(count).fill(7))).toBe(text);
    expect(y('string', shape, new Array<Uint8Array>(count).fill(utf8('7')))).toBe(
      text.replaceAll('7', '"7"'),
    );
  });

  it('of lists that a few bytes ask for by the million are refused, with what to do', () => {
    for (const shape of [
      [2 ** 30, 0],
      [2 ** 15, 2 ** 15, 0, 5],
      [1, 2 ** 17, 0],
      [2, 2 ** 16, 1, 0, 1],
    ]) {
      expect(refusal(() => y('uint8', shape, new Uint8Array(0)), 'NOT_ACCEPTABLE')).toMatch(
        /^output `y` of shape \[.*\] would be \d+ lists in JSON: ask for CBOR/,
      );
    }
    const thin = [10_000, ...new Array<number>(253).fill(1)];
    expect(refusal(() => y('uint8', thin, new Uint8Array(10_000)), 'NOT_ACCEPTABLE')).toContain(
      'lists in JSON',
    );
    expect(JSON.parse(y('uint8', [1000, 0], new Uint8Array(0)))).toHaveLength(1000);
    expect(JSON.parse(y('uint8', [100_000, 1, 1], new Uint8Array(100_000)))).toHaveLength(100_000);
  });

  it('a million numbers are as many parts as fit the heap, and one text', () => {
    const values = Float32Array.from({ length: 1_000_000 }, (_, i) => i / 7);
    const parsed = JSON.parse(y('float32', [1000, 1000], values)) as number[][];
    expect(parsed.flat().every((value, i) => Math.fround(value) === values[i])).toBe(true);
  });
});

it('names are escaped, in order, and only names', () => {
  const outputs = new Map(
    ['"', '__proto__', '\u0000é', 'a'].map((name) => [name, tensor('uint8', [], Uint8Array.of(1))]),
  );
  const text = answer(outputs);
  expect(text).toContain('"outputs":{"\\"":1,"__proto__":1,"\\u0000é":1,"a":1}');
  expect(answer(new Map())).toContain('"outputs":{}');
});

it("Python's json reads an answer, NaN and infinities and large integers too", () => {
  const outputs = new Map([
    [
      'f',
      tensor(
        'float32',
        [4],
        Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
      ),
    ],
    ['i', tensor('uint64', [1], BigUint64Array.of(2n ** 64n - 1n))],
    ['s', tensor('string', [2], [utf8('é"\u0000'), hex('ff')])],
    ['b', tensor('bool', [2, 1], Uint8Array.of(1, 0))],
    ['e', tensor('float64', [1, 0], new Uint8Array(0))],
    ['h', tensor('float16', [], words(0x2e66))],
  ]);
  const script = 'import json, sys; print(repr(json.load(sys.stdin)["outputs"]))';
  const printed = execFileSync('python3', ['-c', script], { input: answer(outputs), encoding: 'utf8' });
  expect(printed.trim()).toBe(
    `{'f': [nan, inf, -inf, -0.0], 'i': [18446744073709551615], 's': ['é"\\x00', {'b64': '/w=='}], 'b': [[True], [False]], 'e': [[]], 'h': 0.1}`,
  );
});

it('values without tensors are JSON with a line end', () => {
  expect(Buffer.concat(encodeJson({ a: [1, 'é'] }).parts).toString()).toBe('{"a":[1,"é"]}\n');
});

describe('a large answer', () => {
  const pieces = (dtype: Dtype, shape: readonly number[], data: TensorData) => {
    const outputs = new Map([['y', tensor(dtype, shape, data)]]);
    const body = encodeJsonAnswer({ model: 'm', version: 3, generation: 2, outputs });
    if ('parts' in body) throw new Error('it is written at once');
    return [...body.pieces];
  };
  const outputOf = (parts: readonly Uint8Array[]) => JSON.parse(Buffer.concat(parts).toString()).outputs.y;

  it.each([
    [[10_000]],
    [[100, 100]],
    [[10_000, 1]],
    [[1, 1, 10_000]],
    [[5000, 2, 1]],
    [[2, 5000]],
    [[10, 10, 10, 10]],
  ])('of shape %j comes in short pieces that are one text', (shape) => {
    const values = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
    const parts = pieces('uint8', shape, values);
    for (const part of parts) expect(part.length).toBeLessThan(2 ** 17);
    const read = outputOf(parts);
    expect(read.flat(9)).toEqual([...values]);
    const dims: number[] = [];
    for (let level: unknown = read; Array.isArray(level); level = level[0]) dims.push(level.length);
    expect(dims).toEqual(shape);
  });

  it('may have long strings, of text and of other bytes', () => {
    const text = utf8('aé€😀"\\'.repeat(20_000));
    const bytes = Uint8Array.from({ length: 100_001 }, (_, i) => 255 - (i % 7));
    const parts = pieces('string', [3], [text, bytes, utf8('')]);
    for (const part of parts) expect(part.length).toBeLessThan(2 ** 18);
    const [readText, readBytes, empty] = outputOf(parts);
    expect(utf8(readText)).toEqual(text);
    expect(Buffer.from(readBytes.b64, 'base64').equals(bytes)).toBe(true);
    expect(empty).toBe('');
  });

  it('is refused past the size that JSON is for, with what to ask for', () => {
    const { values, stringBytes } = largestJsonAnswer;
    expect(refusal(() => y('uint8', [values + 1], new Uint8Array(values + 1)), 'NOT_ACCEPTABLE')).toBe(
      'expected at most 16777216 values in the outputs of a JSON answer, got 16777217: ask for accept: application/cbor or application/x-npz, or for fewer outputs',
    );
    const half = new Uint8Array(stringBytes / 2);
    expect(refusal(() => y('string', [3], [half, half, utf8('x')]), 'NOT_ACCEPTABLE')).toContain(
      'expected strings of at most 67108864 bytes',
    );
  });
});
