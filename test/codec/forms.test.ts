/**
 * Every form in which a tensor may come in a CBOR body. The bytes are written by hand, from RFC 8949 and RFC 8746.
 */
import { Encoder } from 'cbor-x';
import { describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { type Dtype, dtypes, type FixedDtype } from '../../src/tensors/dtypes.ts';
import { swapBytes } from '../../src/tensors/values.ts';
import {
  array,
  bytes,
  described,
  endlessList,
  endlessMap,
  float64,
  head,
  hex,
  int,
  ints,
  joined,
  list,
  map,
  tag,
  text,
} from '../fixtures/cbor.ts';
import { decodeX, limits } from '../fixtures/codec.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

/** A tensor in few words: dtype, shape, and its bytes in hexadecimal digits. */
function x(
  item: Uint8Array,
  dtype: Dtype,
): [dtype: string, shape: readonly number[], data: string | string[]] {
  const view = decodeX(map({ x: item }), dtype);
  return [
    view.dtype,
    view.shape,
    view.data instanceof Uint8Array ? hexOf(view.data) : [...view.data].map(hexOf),
  ];
}

function hexOf(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

function raw(values: ArrayBufferView): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex');
}

const float32s = (...values: number[]) => raw(Float32Array.from(values));

describe('typed arrays (RFC 8746, section 2)', () => {
  const all: readonly (readonly [tag: number, dtype: FixedDtype, bigEndian: boolean])[] = [
    [64, 'uint8', false],
    [65, 'uint16', true],
    [66, 'uint32', true],
    [67, 'uint64', true],
    [68, 'uint8', false],
    [69, 'uint16', false],
    [70, 'uint32', false],
    [71, 'uint64', false],
    [72, 'int8', false],
    [73, 'int16', true],
    [74, 'int32', true],
    [75, 'int64', true],
    [77, 'int16', false],
    [78, 'int32', false],
    [79, 'int64', false],
    [80, 'float16', true],
    [81, 'float32', true],
    [82, 'float64', true],
    [84, 'float16', false],
    [85, 'float32', false],
    [86, 'float64', false],
  ];

  it.each(all)('tag %i is a vector of %s, big-endian: %s', (number, dtype, bigEndian) => {
    const { size } = dtypes[dtype];
    const little = Uint8Array.from({ length: 3 * size }, (_, i) => i * 7 + 1);
    const sent = bigEndian ? swapBytes(little, size) : little;
    expect(x(tag(number, bytes(sent)), dtype)).toEqual([dtype, [3], hexOf(little)]);
    expect(x(tag(40, list(ints(3, 1), tag(number, bytes(sent)))), dtype)).toEqual([
      dtype,
      [3, 1],
      hexOf(little),
    ]);
    expect(x(tag(number, bytes(new Uint8Array(0))), dtype)).toEqual([dtype, [0], '']);
  });

  it('keep the dtype they say, whatever the signature asks for: matching tells the difference', () => {
    expect(x(tag(86, bytes(new Uint8Array(8))), 'float32')[0]).toBe('float64');
  });

  it('are views on the body: nothing is copied', () => {
    const body = map({ x: array([2], 85, hex('0000803f 00000040')) });
    const wire = decodeInferRequest(body, limits).inputs.get('x');
    if (wire?.kind !== 'typed' || !(wire.data instanceof Uint8Array)) throw new Error('no typed array came');
    expect(wire.data.buffer).toBe(body.buffer);
  });

  it('of cbor-x are read: [1.5, -2] as it writes them', () => {
    const encoder = new Encoder({ useRecords: false, tagUint8Array: true, variableMapSize: true });
    const encode = (value: object) => new Uint8Array(encoder.encode({ x: value }));
    const read = (value: object, dtype: Dtype) => {
      const { dtype: came, shape, data } = decodeX(encode(value), dtype);
      return [came, shape, hexOf(data as Uint8Array)];
    };
    for (const [dtype, values] of Object.entries({
      float32: Float32Array.of(1.5, -2),
      float64: Float64Array.of(1.5, -2),
      int8: Int8Array.of(1, -2),
      int16: Int16Array.of(1, -2),
      int32: Int32Array.of(1, -2),
      int64: BigInt64Array.of(1n, -2n),
      uint8: Uint8Array.of(1, 2),
      uint16: Uint16Array.of(1, 2),
      uint32: Uint32Array.of(1, 2),
      uint64: BigUint64Array.of(1n, 2n),
    })) {
      expect(read(values, dtype as Dtype)).toEqual([dtype, [2], raw(values)]);
    }
    expect(
      read(
        [
          [1, 2.5],
          [-3, 4],
        ],
        'float32',
      ),
    ).toEqual(['float32', [2, 2], float32s(1, 2.5, -3, 4)]);
  });
});

describe('multi-dimensional arrays (RFC 8746, section 3.1)', () => {
  // The RFC's own examples: figures 1 and 2, [[2, 4, 8], [4, 16, 256]].
  const figure1 = hex('d828 82 82 02 03 d841 4c 0002 0004 0008 0004 0010 0100');
  const figure2 = hex('d828 82 82 02 03 86 02 04 08 04 10 190100');
  const figure3 = hex('d90410 82 82 02 03 86 02 04 04 10 08 190100');
  const matrix = raw(Uint16Array.of(2, 4, 8, 4, 16, 256));

  it('are read as in the figures of the RFC: a typed array, a list, and column-major', () => {
    expect(x(figure1, 'uint16')).toEqual(['uint16', [2, 3], matrix]);
    expect(x(figure2, 'uint16')).toEqual(['uint16', [2, 3], matrix]);
    expect(x(figure3, 'uint16')).toEqual(['uint16', [2, 3], matrix]);
  });

  const two = bytes(hex('0001'));
  it.each([
    ['a list', ints(2, 1)],
    ['a list of indefinite length', endlessList(int(2), int(1))],
    ['a list with sizes in eight bytes', list(int(2, 8), int(1, 8))],
    ['a list with sizes as bignums', list(tag(2, bytes(hex('02'))), tag(2, bytes(hex('01'))))],
    ['a typed array of uint8', tag(64, bytes(hex('0201')))],
    ['a typed array of uint16, big-endian', tag(65, bytes(hex('00020001')))],
    ['a typed array of uint32', tag(70, bytes(hex('02000000 01000000')))],
    ['a typed array of uint64', tag(71, bytes(hex('0200000000000000 0100000000000000')))],
    ['a typed array of int64', tag(79, bytes(hex('0200000000000000 0100000000000000')))],
  ])('take their shape as %s', (_, shape) => {
    expect(x(tag(40, list(shape, tag(64, two))), 'uint8')).toEqual(['uint8', [2, 1], '0001']);
    expect(x(map({ dtype: text('uint8'), shape, data: two }), 'uint8')).toEqual(['uint8', [2, 1], '0001']);
  });

  it('may be a pair of indefinite length', () => {
    expect(x(tag(40, endlessList(ints(2), tag(64, two))), 'uint8')).toEqual(['uint8', [2], '0001']);
  });

  it('are a scalar where the shape is empty, and may have dims of zero', () => {
    expect(x(array([], 85, hex('0000803f')), 'float32')).toEqual(['float32', [], float32s(1)]);
    expect(x(array([2, 0, 3], 85, hex('')), 'float32')).toEqual(['float32', [2, 0, 3], '']);
    expect(x(tag(40, list(ints(0, 4), list())), 'float32')).toEqual(['float32', [0, 4], '']);
    expect(x(tag(1040, list(ints(0, 4), tag(85, bytes(hex(''))))), 'float32')).toEqual([
      'float32',
      [0, 4],
      '',
    ]);
  });

  it('may have 254 dims, as many as TensorFlow takes', () => {
    const shape = new Array<number>(254).fill(1);
    expect(x(array(shape, 64, hex('07')), 'uint8')).toEqual(['uint8', shape, '07']);
    expect(x(tag(1040, list(ints(...shape), tag(64, bytes(hex('07'))))), 'uint8')).toEqual([
      'uint8',
      shape,
      '07',
    ]);
  });

  /** Column-major by definition: element [i, j, …] lies at i + dim0 · (j + dim1 · …). */
  function columnMajor(shape: readonly number[], at: (index: number[]) => number): number[] {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return Array.from({ length: count }, (_, place) => {
      let rest = place;
      return at(
        shape.map((dim) => {
          const i = rest % dim;
          rest = Math.floor(rest / dim);
          return i;
        }),
      );
    });
  }

  it.each([[[2, 3]], [[3, 2]], [[2, 3, 4]], [[4, 1, 3, 2]], [[1, 5]], [[5, 1]], [[7]]])(
    'column-major %j, as typed arrays of one to eight bytes and as a list, become row-major',
    (shape) => {
      const rowMajor = (index: number[]) =>
        index.reduce((place, i, d) => place * (shape[d] as number) + i, 0);
      const sent = columnMajor(shape, rowMajor);
      const inOrder = sent.map((_, i) => i);
      for (const [number, dtype, View] of [
        [64, 'uint8', Uint8Array],
        [77, 'int16', Int16Array],
        [85, 'float32', Float32Array],
        [86, 'float64', Float64Array],
      ] as const) {
        const item = tag(1040, list(ints(...shape), tag(number, bytes(hex(raw(View.from(sent)))))));
        expect(x(item, dtype)).toEqual([dtype, shape, raw(View.from(inOrder))]);
      }
      const plain = tag(1040, list(ints(...shape), ints(...sent)));
      expect(x(plain, 'float32')).toEqual(['float32', shape, float32s(...inOrder)]);
    },
  );

  it('column-major strings become row-major', () => {
    const item = tag(1040, list(ints(2, 2), list(text('a'), text('c'), text('b'), text('d'))));
    expect(x(item, 'string')).toEqual(['string', [2, 2], ['61', '62', '63', '64']]);
  });
});

describe('plain values', () => {
  // RFC 8949, appendix A.
  it.each([
    ['0', '00', 'int32', raw(Int32Array.of(0))],
    ['23', '17', 'int32', raw(Int32Array.of(23))],
    ['24', '1818', 'int32', raw(Int32Array.of(24))],
    ['1000000', '1a000f4240', 'int32', raw(Int32Array.of(1000000))],
    ['1000000000000', '1b000000e8d4a51000', 'int64', raw(BigInt64Array.of(1000000000000n))],
    ['18446744073709551615', '1bffffffffffffffff', 'uint64', raw(BigUint64Array.of(2n ** 64n - 1n))],
    ['-1', '20', 'int64', raw(BigInt64Array.of(-1n))],
    ['-1000', '3903e7', 'int64', raw(BigInt64Array.of(-1000n))],
    ['-2^31 - 1', '3a80000000', 'int64', raw(BigInt64Array.of(-(2n ** 31n) - 1n))],
    ['-2^32', '3affffffff', 'int64', raw(BigInt64Array.of(-(2n ** 32n)))],
    ['-2^63', '3b7fffffffffffffff', 'int64', raw(BigInt64Array.of(-(2n ** 63n)))],
    ['2^53 + 1', '1b0020000000000001', 'int64', raw(BigInt64Array.of(2n ** 53n + 1n))],
    ['1 in eight bytes', '1b0000000000000001', 'uint8', '01'],
    ['bignum 1', 'c24101', 'int64', raw(BigInt64Array.of(1n))],
    ['bignum 0 of no bytes', 'c240', 'int64', raw(BigInt64Array.of(0n))],
    [
      'bignum 2^63 - 1, with zeros in front',
      'c24a00007fffffffffffffff',
      'int64',
      raw(BigInt64Array.of(2n ** 63n - 1n)),
    ],
    ['bignum -1', 'c340', 'int64', raw(BigInt64Array.of(-1n))],
    ['bignum -2^63', 'c3487fffffffffffffff', 'int64', raw(BigInt64Array.of(-(2n ** 63n)))],
    ['bignum 2^64 as a float', 'c249010000000000000000', 'float32', float32s(2 ** 64)],
    ['1.0 for an integer', 'f93c00', 'int32', raw(Int32Array.of(1))],
    ['half 1.5', 'f93e00', 'float32', float32s(1.5)],
    ['half 5.960464477539063e-8', 'f90001', 'float64', raw(Float64Array.of(2 ** -24))],
    ['half -0', 'f98000', 'float32', float32s(-0)],
    ['half Infinity', 'f97c00', 'float32', float32s(Number.POSITIVE_INFINITY)],
    ['single 3.4028234663852886e+38', 'fa7f7fffff', 'float32', raw(hex('ffff7f7f'))],
    ['single -Infinity', 'faff800000', 'float16', '00fc'],
    ['double 1.1', 'fb3ff199999999999a', 'float64', raw(Float64Array.of(1.1))],
    ['double NaN', 'fb7ff8000000000000', 'float32', float32s(Number.NaN)],
    ['0.1 rounded to float32', 'fb3fb999999999999a', 'float32', float32s(0.1)],
    ['0.1 rounded to float16', 'fb3fb999999999999a', 'float16', '662e'],
    ['0.1 rounded to bfloat16', 'fb3fb999999999999a', 'bfloat16', 'cd3d'],
    ['true', 'f5', 'bool', '01'],
    ['false', 'f4', 'bool', '00'],
  ] as const)('%s (%s) is a scalar of %s', (_, item, dtype, wanted) => {
    expect(x(hex(item), dtype)).toEqual([dtype, [], wanted]);
  });

  it('in nested lists have their shape, down to lists of nothing', () => {
    expect(x(list(ints(1, 2, 3), ints(4, 5, 6)), 'float32')).toEqual([
      'float32',
      [2, 3],
      float32s(1, 2, 3, 4, 5, 6),
    ]);
    expect(x(list(), 'float32')).toEqual(['float32', [0], '']);
    expect(x(list(list(), list()), 'int64')).toEqual(['int64', [2, 0], '']);
    expect(x(list(list(list(int(7)))), 'int8')).toEqual(['int8', [1, 1, 1], '07']);
    expect(x(endlessList(endlessList(int(1)), list(int(2))), 'uint8')).toEqual(['uint8', [2, 1], '0102']);
    expect(x(list(hex('f5'), hex('f4')), 'bool')).toEqual(['bool', [2], '0100']);
  });

  it('may be said to be homogeneous (tag 41), within lists too', () => {
    expect(x(tag(41, ints(1, 2)), 'uint8')).toEqual(['uint8', [2], '0102']);
    expect(x(list(tag(41, ints(1, 2)), tag(41, ints(3, 4))), 'uint8')).toEqual(['uint8', [2, 2], '01020304']);
    expect(x(tag(40, list(ints(2, 1), tag(41, ints(1, 2)))), 'uint8')).toEqual(['uint8', [2, 1], '0102']);
  });

  it('are texts and byte strings for a string, kept to the byte', () => {
    expect(x(text('é'), 'string')).toEqual(['string', [], ['c3a9']]);
    expect(x(bytes(hex('ff00')), 'string')).toEqual(['string', [], ['ff00']]);
    expect(x(list(text(''), bytes(hex('fffe'))), 'string')).toEqual(['string', [2], ['', 'fffe']]);
    for (const length of [1, 20, 70, 5000]) {
      const marked = `\ufeff${'a'.repeat(length)}\u0000\ufeff`;
      expect(x(list(text(marked)), 'string')).toEqual(['string', [1], [Buffer.from(marked).toString('hex')]]);
    }
  });

  it('are the elements of a uint8 vector, as a byte string', () => {
    expect(x(bytes(hex('00ff07')), 'uint8')).toEqual(['uint8', [3], '00ff07']);
  });

  it('are pairs for a complex number', () => {
    expect(x(ints(1, -2), 'complex64')).toEqual(['complex64', [], float32s(1, -2)]);
    const pairs = list(list(float64(0.1), int(2)), ints(3, 4));
    expect(x(pairs, 'complex128')).toEqual(['complex128', [2], raw(Float64Array.of(0.1, 2, 3, 4))]);
  });
});

describe('{dtype, shape, data}', () => {
  it.each(Object.keys(dtypes).filter((dtype) => dtype !== 'string') as FixedDtype[])(
    'takes the bytes of %s',
    (dtype) => {
      const data = Uint8Array.from({ length: 2 * dtypes[dtype].size }, (_, i) =>
        dtype === 'bool' ? i % 2 : i + 1,
      );
      expect(x(described(dtype, [2, 1], bytes(data)), dtype)).toEqual([dtype, [2, 1], hexOf(data)]);
    },
  );

  it('takes texts and byte strings for string, and an endless map and list', () => {
    const strings = endlessList(text('a'), bytes(hex('ff')));
    const item = endlessMap({ shape: ints(2, 1), data: strings, dtype: text('string') });
    expect(x(item, 'string')).toEqual(['string', [2, 1], ['61', 'ff']]);
  });

  it('takes a typed array of the dtype that it says', () => {
    expect(x(described('int16', [1, 1], tag(73, bytes(hex('0102')))), 'int16')).toEqual([
      'int16',
      [1, 1],
      '0201',
    ]);
  });
});

describe('a list of arrays', () => {
  it('is one array with one more dim, for typed arrays, arrays with shapes and described ones', () => {
    const rows = list(array([2], 64, hex('0102')), array([2], 64, hex('0304')));
    expect(x(rows, 'uint8')).toEqual(['uint8', [2, 2], '01020304']);
    expect(x(list(tag(64, bytes(hex('01'))), tag(68, bytes(hex('02')))), 'uint8')).toEqual([
      'uint8',
      [2, 1],
      '0102',
    ]);
    expect(x(list(rows, rows, rows), 'uint8')).toEqual(['uint8', [3, 2, 2], '01020304'.repeat(3)]);
    const bools = list(described('bool', [1], bytes(hex('01'))), described('bool', [1], bytes(hex('00'))));
    expect(x(bools, 'bool')).toEqual(['bool', [2, 1], '0100']);
    const strings = list(
      described('string', [1], list(text('a'))),
      described('string', [1], list(text('b'))),
    );
    expect(x(strings, 'string')).toEqual(['string', [2, 1], ['61', '62']]);
  });

  it('may mix big-endian rows with little-endian ones', () => {
    const rows = list(tag(65, bytes(hex('0102'))), tag(69, bytes(hex('0201'))));
    expect(x(rows, 'uint16')).toEqual(['uint16', [2, 1], '02010201']);
  });
});

it('a body may describe itself as CBOR (tag 55799), and so may a tensor', () => {
  const body = tag(55799, map({ x: tag(55799, list(tag(55799, int(5)))) }));
  expect(decodeX(body, 'uint8')).toMatchObject({ dtype: 'uint8', shape: [1] });
});

it('lengths may be written in more bytes than they need', () => {
  const body = joined(head(5, 1, 8), head(3, 1, 4), hex('78'), head(6, 64, 8), head(2, 1, 8), hex('2a'));
  expect(decodeX(body, 'uint8')).toMatchObject({ dtype: 'uint8', shape: [1], data: Uint8Array.of(42) });
});

it('a body of indefinite maps and lists is read like any other', () => {
  const body = endlessMap({ x: endlessList(int(1), int(2)) });
  expect(decodeX(body, 'uint8')).toMatchObject({ shape: [2] });
  expect(decodeX(endlessMap({ inputs: body.slice() }), 'uint8')).toMatchObject({ shape: [2] });
});
