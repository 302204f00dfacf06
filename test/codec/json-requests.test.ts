/** JSON requests: their forms, and that every dtype comes back as it was in a JSON answer. */
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toTensors } from '../../src/codec/infer-body.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import { encodeJsonAnswer, encodeStrictJsonAnswer } from '../../src/codec/json/encode.ts';
import { type Dtype, dtypes } from '../../src/tensors/dtypes.ts';
import { viewOf } from '../../src/tensors/values.ts';
import {
  createTensor,
  disposeTensors,
  type Tensor,
  type TensorData,
  viewTensor,
} from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import { limits, makeSignature, refusal } from '../fixtures/codec.ts';
import { held, openTestRuntime } from '../fixtures/runtime.ts';

beforeAll(() => {
  openTestRuntime();
});

let heldBefore: object;
beforeEach(() => {
  heldBefore = held();
});
afterEach(() => {
  expect(held()).toEqual(heldBefore);
});

const request = (text: string) => decodeJsonRequest(Buffer.from(text), limits);

/** The tensor named x in a body, for an input of this dtype; its bytes as numbers of the dtype. */
function x(text: string, dtype: Dtype) {
  const tensors = toTensors(request(text), makeSignature({ x: [dtype, null] }), limits);
  try {
    const tensor = tensors.get('x');
    if (!tensor) throw new Error('no x');
    const { dtype: came, shape, data } = viewTensor(tensor);
    const values =
      came === 'string'
        ? (data as Uint8Array[]).map((bytes) => Buffer.from(bytes).toString('latin1'))
        : Array.from(viewOf(came, Uint8Array.from(data as Uint8Array)) as Iterable<number>);
    return { dtype: came, shape: [...shape], values };
  } finally {
    disposeTensors(tensors);
  }
}

describe('a long text', () => {
  const long = 'a"'.repeat(50_000).replaceAll('"', 'b');

  it('without escapes is a view on the body, wherever it stands', () => {
    for (const [text, of, want] of [
      [`"${long}"`, [], long],
      [`["${long}", "é"]`, [2], long],
      [`"${long}é"`, [], `${long}é`],
    ] as const) {
      const body = Buffer.from(`{"x": ${text}}`);
      const tensors = toTensors(
        decodeJsonRequest(body, limits),
        makeSignature({ x: ['string', null] }),
        limits,
      );
      const { shape, data } = viewTensor(tensors.get('x') as Tensor);
      const [first] = data as Uint8Array[];
      expect(shape).toEqual(of);
      expect(Buffer.from(first as Uint8Array).toString()).toBe(want);
      expect((first as Uint8Array).buffer).toBe(body.buffer);
      disposeTensors(tensors);
    }
  });

  it('of other letters, or with escapes, is the same text', () => {
    expect(x(JSON.stringify({ x: `${long}é` }), 'string').values).toEqual([
      Buffer.from(`${long}é`).toString('latin1'),
    ]);
    expect(x(JSON.stringify({ x: `${long}\n` }), 'string').values).toEqual([`${long}\n`]);
  });

  it('of base64 is its bytes', () => {
    const bytes = Buffer.alloc(100_001, 'long');
    const described = `{"x": {"dtype": "uint8", "shape": [100001], "data": {"b64": "${bytes.toString('base64')}"}}}`;
    expect(x(described, 'uint8').values).toEqual([...bytes]);
    expect(refusal(() => x(`{"x": {"b64": "${'A'.repeat(100_000)}==="}}`, 'string'))).toContain('no base64');
    expect(refusal(() => x(`{"x": {"b64": "${'!'.repeat(100_000)}"}}`, 'string'))).toContain('no base64');
  });

  it('is no key, and no number', () => {
    expect(refusal(() => request(`{"${long}": 1}`))).toMatch('a key has more than 4096 bytes');
    expect(refusal(() => x(`{"x": "${long}"}`, 'float32'))).toMatch('float32');
  });
});

describe('values take the dtype of the signature', () => {
  const table: readonly (readonly [Dtype, json: string, shape: number[], values: unknown[]])[] = [
    ['float32', '[[1, 2.5], [-3e2, 4]]', [2, 2], [1, 2.5, -300, 4]],
    ['float32', '7', [], [7]],
    ['float32', '[]', [0], []],
    ['float32', '[[], []]', [2, 0], []],
    [
      'float64',
      '[NaN, Infinity, -Infinity, -0, 0.1, 5e-324]',
      [6],
      [Number.NaN, Infinity, -Infinity, -0, 0.1, 5e-324],
    ],
    ['float64', '["NaN", "Infinity", "-Infinity"]', [3], [Number.NaN, Infinity, -Infinity]],
    ['float64', '[100000000000000000000, 9007199254740993.0]', [2], [1e20, 9007199254740992]],
    [
      'int64',
      '[9223372036854775807, -9223372036854775808, 9007199254740993, 0]',
      [4],
      [9223372036854775807n, -9223372036854775808n, 9007199254740993n, 0n],
    ],
    ['uint64', '[18446744073709551615]', [1], [18446744073709551615n]],
    ['int32', '[-2147483648, 2147483647, 1.0, 1e3]', [4], [-2147483648, 2147483647, 1, 1000]],
    ['uint8', '[0, 255]', [2], [0, 255]],
    ['bool', '[true, false]', [2], [1, 0]],
    ['complex64', '[[1, -2], [0.5, NaN]]', [2], [1, -2, 0.5, Number.NaN]],
    ['string', '["a", "\\u00e9\\n\\"", {"b64": "//8="}]', [3], ['a', '\xc3\xa9\n"', '\xff\xff']],
    ['string', '{"b64": "AAE="}', [], ['\0\x01']],
    ['string', '"NaN"', [], ['NaN']],
    ['float16', '[1.5, 65504]', [2], [0x3e00, 0x7bff]],
    ['bfloat16', '[1.5]', [1], [0x3fc0]],
  ];
  it.each(table)('%s %s', (dtype, json, shape, values) => {
    expect(x(`{"x": ${json}}`, dtype)).toEqual({ dtype, shape, values });
  });
});

describe('{dtype, shape, data} says its own dtype', () => {
  const table: readonly (readonly [json: string, Dtype, shape: number[], values: unknown[]])[] = [
    ['{"dtype": "int16", "shape": [2, 2], "data": [1, 2, 3, 4]}', 'int16', [2, 2], [1, 2, 3, 4]],
    ['{"dtype": "int16", "shape": [2, 2], "data": [[1, 2], [3, 4]]}', 'int16', [2, 2], [1, 2, 3, 4]],
    ['{"shape": [], "data": 3, "dtype": "uint8"}', 'uint8', [], [3]],
    ['{"dtype": "float32", "shape": [2, 0, 3], "data": []}', 'float32', [2, 0, 3], []],
    ['{"dtype": "float32", "shape": [1], "data": {"b64": "AACAPw=="}}', 'float32', [1], [1]],
    [
      '{"dtype": "complex128", "shape": [1, 2], "data": [[1, 2], [3, 4]]}',
      'complex128',
      [1, 2],
      [1, 2, 3, 4],
    ],
    ['{"dtype": "string", "shape": [], "data": {"b64": "AAE="}}', 'string', [], ['\0\x01']],
    ['{"dtype": "string", "shape": [1, 2], "data": ["a", "b"]}', 'string', [1, 2], ['a', 'b']],
  ];
  it.each(table)('%s', (json, dtype, shape, values) => {
    expect(x(`{"x": ${json}}`, dtype)).toEqual({ dtype, shape, values });
  });

  it('is told of too many dims, however many', () => {
    for (const rank of [255, 5000]) {
      const shape = JSON.stringify(new Array(rank).fill(1));
      const refused = refusal(() => x(`{"x": {"dtype": "uint8", "shape": ${shape}, "data": [1]}}`, 'uint8'));
      expect(refused).toContain(`has rank ${rank}, more than 254`);
    }
  });
});

describe('the two forms', () => {
  it.each([4095, 4096])('takes a list of %i outputs', (count) => {
    const names = Array.from({ length: count }, (_, i) => `y${i}`);
    expect(request(JSON.stringify({ inputs: { x: 1 }, outputs: names })).outputs).toEqual(names);
  });

  it('an envelope has inputs, a signature and outputs', () => {
    const { inputs, signature, outputs } = request(
      '{"inputs": {"a": 1, "b": 2}, "signature": "s", "outputs": ["y"]}',
    );
    expect([[...inputs.keys()], signature, outputs]).toEqual([['a', 'b'], 's', ['y']]);
  });

  it('the flat form has inputs alone, and reserves no name', () => {
    const text = '{"inputs": {"dtype": "bool", "shape": [], "data": true}, "signature": 1, "__proto__": [2]}';
    const { inputs, signature } = request(text);
    expect([[...inputs.keys()], signature]).toEqual([['inputs', 'signature', '__proto__'], undefined]);
  });

  it('a byte order mark in front is no fault', () => {
    expect([...request('\ufeff{"a": 1}').inputs.keys()]).toEqual(['a']);
  });
});

describe('a body is refused with what is wrong and where', () => {
  const deep = `{"x": ${'['.repeat(17)}${']'.repeat(17)}}`;
  const table: readonly (readonly [body: string, message: RegExp])[] = [
    ['', /the body is empty/],
    ['[1]', /must be a JSON object/],
    ['{"x": [1, 2}', /a comma or \] must be here: line 1, column 12/],
    ['{\n "x": [1,,2]}', /a value must be here: line 2, column 10/],
    ['{"x": 01}', /this is no number: line 1, column 7/],
    [`{"x": [${'1,\n'.repeat(1000)}x`, /a value must be here: line 1001, column 1 /],
    [`{"x": [${'1,\n'.repeat(400_000)}x`, /a value must be here: byte 1200008 of the JSON/],
    ['{"x": 1.}', /this is no number/],
    ['{"x": -}', /this is no number/],
    ['{"x": nan}', /a value must be here/],
    ['{"x": 1e400}', /larger than any dtype holds/],
    [`{"x": ${'9'.repeat(400)}}`, /larger than any dtype holds/],
    ['{"x": 1} {', /something follows the end/],
    ['{"x": 1, "x": 2}', /the key "x" comes twice/],
    ['{"x": "a', /has no end/],
    ['{"x": "\\q"}', /an escape that there is not/],
    ['{"x": "\\ud800"}', /half of a surrogate pair/],
    ["{'x': 1}", /double quotes, and this key is in single ones: line 1, column 2/],
    ['{"x": \'a\'}', /double quotes, and this one is in single ones/],
    ['{"x": True}', /JSON writes true for Python's True/],
    ['{x: 1}', /a key in quotes must be here/],
    ['{"x": [{"b64": "!"}]}', /no base64/],
    ['{"x": [{"a": 1}]}', /no other objects/],
    ['{"x": {"a": 1}}', /input `x` is an object, and no tensor/],
    ['{"x": {"dtype": "float", "shape": [], "data": 1}}', /no dtype `float`/],
    ['{"x": {"dtype": "int8", "shape": [3], "data": [1, 2]}}', /got lists of \[2\]/],
    ['{"x": {"dtype": "int8", "shape": [2, 2], "data": [[1, 2, 3, 4]]}}', /got lists of \[1, 4\]/],
    ['{"x": {"dtype": "int8", "shape": [1], "data": [200]}}', /got 200/],
    ['{"inputs": {"x": 1}, "output": ["y"]}', /not `output`/],
    ['{"inputs": {"x": 1}, "outputs": [1]}', /`outputs` must be a list/],
    [deep, /more than 16 levels deep/],
    ['{"instances": [{"x": 1}]}', /a request of TensorFlow Serving/],
    ['{"inputs": {"x": 1}, "signature_name": "a"}', /is "signature" here/],
    [
      '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}',
      /of the Open Inference Protocol, as Triton takes it/,
    ],
  ];
  it.each(table)('%s', (body, message) => {
    expect(refusal(() => request(body))).toMatch(message);
  });

  it('bytes that are no UTF-8, and a pickle', () => {
    expect(refusal(() => decodeJsonRequest(Buffer.from('{"\xff": 1}', 'latin1'), limits))).toMatch(
      /a text is not UTF-8: line 1, column 2/,
    );
    expect(refusal(() => decodeJsonRequest(Uint8Array.of(0x80, 4, 0x2e), limits))).toMatch(/pickle/);
  });

  it('an object with too many keys', () => {
    const keys = Array.from({ length: 70_000 }, (_, i) => `"${i}":{}`).join();
    expect(refusal(() => request(`{"inputs":{${keys}}}`))).toMatch(/more than 4096 keys/);
  });

  it('lists that are ragged, or hold what does not fit', () => {
    expect(refusal(() => x('{"x": [[1, 2], [3]]}', 'float32'))).toMatch(/\[1\] is ragged/);
    expect(refusal(() => x('{"x": [1.5]}', 'int32'))).toMatch(/got 1.5/);
    expect(refusal(() => x('{"x": [9223372036854775808]}', 'int64'))).toMatch(/got 9223372036854775808/);
    expect(refusal(() => x('{"x": [null]}', 'float32'))).toMatch(/got null/);
    expect(refusal(() => x('{"x": ["1"]}', 'float32'))).toMatch(/got a text/);
  });
});

describe('what an answer says is read back as it was', () => {
  it.each([
    ['bfloat16', 0x7f80],
    ['float16', 0x7c00],
  ] as const)('every value of %s', (dtype, infinity) => {
    const bits = Uint16Array.from({ length: 2 * infinity + 2 }, (_, i) =>
      i <= infinity ? i : 0x8000 + i - infinity - 1,
    );
    const y = createTensor(dtype, [bits.length], new Uint8Array(bits.buffer));
    const { parts } = wholeBody(
      encodeJsonAnswer({
        model: 'm',
        version: 1,
        generation: 1,
        outputs: new Map([['x', y]]),
      }),
    );
    y.dispose();
    const text = Buffer.concat(parts).toString();
    expect(x(text.slice(text.indexOf('{"x"'), text.lastIndexOf('}')), dtype).values).toEqual([...bits]);
  });

  const shapes = [[3], [], [0], [2, 2], [1, 3, 1]];
  for (const dtype of Object.keys(dtypes) as Dtype[]) {
    it(dtype, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...shapes),
          fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
          (shape, bytes) => {
            const count = shape.reduce((product, dim) => product * dim, 1);
            const take = (n: number) => Uint8Array.from({ length: n }, () => bytes.next().value as number);
            const data: TensorData =
              dtype === 'string'
                ? Array.from({ length: count }, () => take((bytes.next().value as number) % 4))
                : readable(dtype, take(count * dtypes[dtype].size));
            const before = createTensor(dtype, shape, data);
            for (const encode of [encodeJsonAnswer, encodeStrictJsonAnswer]) {
              const { parts } = wholeBody(
                encode({
                  model: 'm',
                  version: 1,
                  generation: 1,
                  outputs: new Map([['x', before]]),
                }),
              );
              const text = Buffer.concat(parts).toString('utf8');
              if (encode === encodeStrictJsonAnswer) JSON.parse(text);
              const outputs = text.slice(
                text.indexOf('"outputs":') + '"outputs":'.length,
                text.lastIndexOf('}'),
              );
              const { values } = x(outputs, dtype);
              const expected =
                dtype === 'string'
                  ? (data as Uint8Array[]).map((each) => Buffer.from(each).toString('latin1'))
                  : Array.from(viewOf(dtype, data as Uint8Array) as Iterable<number>);
              expect(values).toEqual(expected);
            }
            before.dispose();
          },
        ),
        { numRuns: 200 },
      );
    });
  }
});

/** Random bits that JSON can say: true is 1, and a NaN is the one that there is. */
function readable(dtype: Dtype, bytes: Uint8Array): Uint8Array {
  if (dtype === 'bool') return bytes.map((byte) => byte & 1);
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const exponent = dtype === 'float16' ? 0x7c00 : 0x7f80;
    const words = new Uint16Array(bytes.buffer);
    // Infinity in place of every NaN.
    words.forEach((word, i) => {
      if ((word & exponent) === exponent) words[i] = word & (0x8000 | exponent);
    });
  }
  return bytes;
}

describe('a number for a float input', () => {
  // Decimals beside ties between two float32, of Daniel Lemire's fast_float tests among them.
  const lemire = [
    ['1.00000005960464477539062499999999999', 0x3f800000],
    ['1.00000005960464477539062500000000000', 0x3f800000],
    ['1.00000005960464477539062500000000001', 0x3f800001],
    ['1.00000017881393432617187499999999999', 0x3f800001],
    ['1.00000017881393432617187500000000000', 0x3f800002],
    ['7.0064923216240853546186479164495806564013097093825788587853e-46', 0x00000000],
    ['7.0064923216240853546186479164495806564013097093825788587854e-46', 0x00000001],
    ['8388609.499999999', 0x4b000001],
    ['8388609.50000000000000000000000000000001', 0x4b000002],
    ['16777217.0', 0x4b800000],
    ['16777217', 0x4b800000],
    ['16777217.00000000000000000001', 0x4b800001],
    ['123456789', 0x4ceb79a3],
    ['1152921504606846976', 0x5d800000],
    ['1152921573326323712', 0x5d800000],
    ['1152921573326323713', 0x5d800001],
    ['-1.00000005960464477539062500000000001', 0xbf800001],
  ] as const;
  it.each(lemire)('%s is rounded once for float32', (text, bits) => {
    const { values } = x(`{"x": [${text}]}`, 'float32');
    expect(new Uint32Array(Float32Array.from(values as number[]).buffer)[0]).toBe(bits);
  });

  it('keeps integers exact where they are asked for', () => {
    expect(x('{"x": [16777217.00000000000000000001, 123456789]}', 'int32').values).toEqual([
      16777217, 123456789,
    ]);
    expect(x('{"x": [1152921504606846977]}', 'int64').values).toEqual([1152921504606846977n]);
    expect(x('{"x": [9007199254740993]}', 'float64').values).toEqual([9007199254740992]);
  });

  it('is the one that JSON.parse reads, however it is written', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, min: -1e300, max: 1e300 }),
        fc.integer({ min: 0, max: 20 }),
        (value, places) => {
          for (const text of [
            String(value),
            value.toExponential(places),
            Math.abs(value) < 1e20 ? value.toFixed(places) : '0',
          ])
            expect(x(`{"x": [${text}, 0]}`, 'float64').values[0]).toEqual(JSON.parse(text));
        },
      ),
    );
  });
});
