/** Bodies that would silently corrupt data are refused, in words that name the place. */
import { Encoder } from 'cbor-x';
import { describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import type { Dtype } from '../../src/tensors/dtypes.ts';
import {
  array,
  bytes,
  described,
  endlessList,
  entries,
  float64,
  hex,
  int,
  ints,
  joined,
  list,
  map,
  tag,
  text,
} from '../fixtures/cbor.ts';
import { decodeX, limits, refusal } from '../fixtures/codec.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

function refuse(item: Uint8Array, dtype: Dtype = 'float32'): string {
  return refusal(() => decodeX(map({ x: item }), dtype));
}

const refuseBody = (body: Uint8Array) => refusal(() => decodeInferRequest(body, limits));

type Case = readonly [what: string, item: Uint8Array, dtype: Dtype, message: string];

describe('a plain value that its dtype cannot hold is refused, and never changed to fit', () => {
  const cases: readonly Case[] = [
    [
      '1.5 for an integer',
      float64(1.5),
      'int32',
      'input `x`: expected int32, whole numbers from -2147483648 to 2147483647, got 1.5',
    ],
    [
      '300 for uint8',
      ints(1, 300),
      'uint8',
      'input `x` at [1]: expected uint8, whole numbers from 0 to 255, got 300',
    ],
    [
      '-1 for uint64',
      int(-1),
      'uint64',
      'expected uint64, whole numbers from 0 to 18446744073709551615, got -1',
    ],
    ['2^63 for int64', int(2n ** 63n), 'int64', ', got 9223372036854775808'],
    ['-2^63 - 1 for int64', int(-(2n ** 63n) - 1n), 'int64', ', got -9223372036854775809'],
    ['2^64 for uint64', tag(2, bytes(hex('010000000000000000'))), 'uint64', ', got 18446744073709551616'],
    [
      '2^53 as a float for int64: its last digits may be lost',
      float64(2 ** 53),
      'int64',
      'written without a point or a power, in JavaScript as a BigInt, got 9007199254740992',
    ],
    ['-129 for int8', int(-129), 'int8', ', got -129'],
    ['2^32 for uint32', int(2n ** 32n), 'uint32', ', got 4294967296'],
    ['-2^31 - 1 for int32', int(-(2n ** 31n) - 1n), 'int32', ', got -2147483649'],
    ['NaN for an integer', float64(Number.NaN), 'int32', ', got NaN'],
    ['Infinity for an integer', float64(Number.POSITIVE_INFINITY), 'uint8', ', got Infinity'],
    ['1e39 for float32', float64(1e39), 'float32', 'expected float32, numbers up to 3.4e38, got 1e+39'],
    ['65520 for float16', int(65520), 'float16', 'expected float16, numbers up to 65504, got 65520'],
    [
      'an integer beyond every float',
      tag(2, bytes(new Uint8Array(128).fill(255))),
      'float64',
      'expected float64, numbers up to 1.7e308, got 1',
    ],
    ['true for a number', hex('f5'), 'float32', 'input `x`: expected float32, got true'],
    ['1 for a bool', ints(1), 'bool', 'input `x` at [0]: expected bool, true or false, got 1'],
    ['null', list(int(1), hex('f6')), 'float32', 'input `x` at [1]: expected float32, got null'],
    ['undefined', hex('f7'), 'int64', 'expected int64, got undefined'],
    [
      'a text for a number',
      list(list(text('1'))),
      'float32',
      'input `x` at [0][0]: expected float32, got a text',
    ],
    ['bytes for a float', bytes(hex('00')), 'float32', 'expected float32, got a byte string'],
    [
      'a list of bytes for uint8',
      list(bytes(hex('00'))),
      'uint8',
      'at [0]: expected uint8, got a byte string',
    ],
    [
      'a number for a string',
      list(text('a'), int(1)),
      'string',
      'input `x` at [1]: expected text or byte strings, got 1',
    ],
    ['a number for a complex one', int(1), 'complex64', 'takes complex64: send [re, im] pairs'],
    ['three parts of a complex number', ints(1, 2, 3), 'complex128', 'send [re, im] pairs'],
    ['1e39 within a complex64', list(int(1), float64(1e39)), 'complex64', 'up to 3.4e38, got 1e+39'],
    [
      'plain complex numbers with a shape',
      tag(40, list(ints(1), ints(1, 2))),
      'complex64',
      'send [re, im] pairs',
    ],
  ];
  it.each(cases)('%s', (_, item, dtype, message) => {
    expect(refuse(item, dtype)).toContain(message);
  });
});

describe('ragged lists are refused, at any depth, with the place', () => {
  const cases: readonly (readonly [item: Uint8Array, message: string])[] = [
    [
      list(ints(1, 2), ints(3)),
      'input `x` at [1] is ragged: a list of 1 where the ones before it have a list of 2',
    ],
    [list(ints(1), ints(2, 3)), 'input `x` at [1] is ragged: a list of 2 where'],
    [list(int(1), ints(2)), 'input `x` at [1] is ragged: a list where'],
    [list(ints(1), int(2)), 'input `x` at [1] is ragged: a value where'],
    [list(list(ints(1), ints(2)), list(ints(3), list(int(4), int(5)))), 'input `x` at [1][1] is ragged'],
    [
      list(list(), ints(1)),
      'input `x` at [1] is ragged: a list of 1 where the ones before it have a list of 0',
    ],
    [list(list(list(list(ints(1, 2), ints(3, 4, 5))))), 'input `x` at [0][0][0][1] is ragged'],
  ];
  it.each(cases)('case %#', (item, message) => {
    expect(refuse(item, 'float32')).toContain(message);
    expect(refuse(item, 'uint64')).toContain(message);
  });

  it('also of texts', () => {
    expect(refuse(list(text('a'), list(text('b'))), 'string')).toContain('input `x` at [1] is ragged');
    expect(refuse(list(list(text('a')), text('b')), 'string')).toContain('input `x` at [1] is ragged');
  });

  it('also between arrays, by shape and by dtype', () => {
    const row = (length: number, number = 64) => tag(number, bytes(new Uint8Array(length)));
    expect(refuse(list(row(2), row(3)))).toBe(
      'input `x` is ragged: [1] is uint8 [3] where the ones before it are uint8 [2]',
    );
    expect(refuse(list(row(2), row(2), row(2, 72)))).toContain(
      '[2] is int8 [2] where the ones before it are uint8 [2]',
    );
    expect(refuse(list(list(row(2)), list(row(2), row(2))))).toContain('is ragged');
    expect(refuse(list(row(2), ints(1, 2)))).toContain('mixes typed arrays with plain values: [1] is plain');
    expect(refuse(list(list(), row(2)))).toContain('mixes typed arrays with plain values: [0] is plain');
    expect(refuse(list(list(row(1)), list(int(1))))).toContain('input `x` mixes');
  });
});

describe('a shape and what it holds must agree', () => {
  const cases: readonly (readonly [what: string, item: Uint8Array, message: string])[] = [
    ['too few bytes', array([3], 85, new Uint8Array(8)), 'expected 12 bytes for float32 [3], got 8'],
    ['too many bytes', array([], 85, new Uint8Array(8)), 'expected 4 bytes for float32 [], got 8'],
    [
      'bytes for a zero-length shape',
      array([0], 85, new Uint8Array(4)),
      'expected 0 bytes for float32 [0], got 4',
    ],
    ['half an element', tag(85, bytes(new Uint8Array(5))), '5 bytes are no whole number of float32 elements'],
    ['described bytes', described('bool', [2], bytes(hex('01'))), 'expected 2 bytes for bool [2], got 1'],
    [
      'a described typed array',
      described('int16', [2], tag(77, bytes(hex('0100')))),
      'expected 4 bytes for int16 [2]',
    ],
    [
      'two dtypes',
      described('int16', [1], tag(69, bytes(hex('0100')))),
      'says int16, and its data is a typed array of uint16',
    ],
    ['too few strings', described('string', [2], list(text('a'))), 'expected 2 strings for shape [2], got 1'],
    [
      'too few numbers',
      tag(40, list(ints(2, 2), ints(1, 2, 3))),
      'expected 4 elements for shape [2, 2], got 3',
    ],
    [
      'column-major numbers',
      tag(1040, list(ints(2, 2), ints(1, 2, 3))),
      'expected 4 elements for shape [2, 2], got 3',
    ],
    [
      'nested numbers',
      tag(40, list(ints(2, 2), list(ints(1, 2), ints(3, 4)))),
      'expected 4 elements for shape [2, 2], got nested lists',
    ],
    ['a number where a list must be', tag(40, list(ints(), int(1))), 'its elements must be an array'],
    [
      'an array in an array',
      tag(40, list(ints(1), array([1, 1], 64, hex('01')))),
      'has an array within an array',
    ],
    [
      'plain in an array in an array',
      tag(40, list(ints(1), tag(40, list(ints(1), ints(1))))),
      'its elements must be an array',
    ],
    [
      'strings in an array',
      tag(40, list(ints(1), described('string', [1], list(text('a'))))),
      'strings must be a plain array',
    ],
    ['a shape only', tag(40, list(ints(1))), 'tags 40 and 1040 take [shape, elements]'],
    ['three things', tag(40, list(ints(1), tag(64, bytes(hex('01'))), int(1))), 'take [shape, elements]'],
    ['an endless list of three', tag(1040, endlessList(ints(), ints(), ints())), 'take [shape, elements]'],
    ['bytes', tag(40, bytes(hex('01'))), 'take [shape, elements]'],
    ['a typed array of numbers', tag(64, ints(1, 2)), 'its data must be a byte string'],
    ['a typed array of text', tag(85, text('abcd')), 'its data must be a byte string'],
    [
      'a described list of numbers',
      described('float32', [1], ints(1)),
      'data must be the little-endian bytes',
    ],
    ['a described text', described('float32', [1], text('abcd')), 'data must be the little-endian bytes'],
    [
      'described strings that are numbers',
      described('string', [1], ints(1)),
      'expected texts or byte strings',
    ],
    [
      'described strings that are bytes',
      described('string', [1], bytes(hex('61'))),
      'strings must be an array',
    ],
  ];
  it.each(cases)('%s', (_, item, message) => {
    expect(refuse(item)).toContain('input `x`');
    expect(refuse(item)).toContain(message);
  });
});

describe('a shape is a list of sizes', () => {
  const huge = 2 ** 32;
  const cases: readonly (readonly [what: string, shape: Uint8Array, message: string])[] = [
    ['negative', ints(-1), 'must be a list of sizes, 0 or more; it has -1'],
    ['fractional', list(float64(1.5)), 'it has 1.5'],
    ['NaN', list(float64(Number.NaN)), 'it has NaN'],
    ['beyond 2^53', ints(2n ** 60n), 'must be a list of sizes'],
    ['a text', list(text('2')), 'it has a text'],
    ['nested', list(ints(1)), 'it has a list'],
    ['true', list(hex('f5')), 'it has true'],
    ['null', hex('f6'), 'must be a list of sizes'],
    ['a number', int(1), 'must be a list of sizes'],
    ['two-dimensional', array([1, 1], 64, hex('01')), 'must be a list of sizes'],
    ['floats', tag(85, bytes(hex('0000003f'))), 'it has 0.5'],
    ['a map', map({ a: int(1) }), 'is a map, and no tensor'],
    [
      'a product beyond all memory, hidden by a zero',
      ints(huge, huge, 0),
      'more elements than 2147483647 (--max-elements)',
    ],
    ['a product beyond 2^64', ints(huge, huge), 'more elements than'],
    ['one element too many', ints(2 ** 31), 'more elements than'],
    ['of rank 1000, as a typed array', tag(64, bytes(new Uint8Array(1000))), 'has rank 1000, more than 254'],
    ['of rank 255', ints(...new Array<number>(255).fill(1)), 'has rank 255, more than 254'],
  ];
  it.each(cases)('%s', (_, shape, message) => {
    for (const number of [40, 1040]) {
      for (const elements of [tag(64, bytes(hex('01'))), ints(1), list()]) {
        expect(refuse(tag(number, list(shape, elements)))).toContain(message);
      }
    }
    expect(refuse(map({ dtype: text('uint8'), shape, data: bytes(hex('01')) }))).toContain(message);
  });

  it('and lists may not have more elements than --max-elements, nor typed arrays of arrays', () => {
    const few = { ...limits, maxElements: 3 };
    const four = map({ x: list(ints(1, 2), ints(3, 4)) });
    expect(refusal(() => decodeX(four, 'float32', few))).toContain('more elements than 3 (--max-elements)');
    const rows = map({ x: list(tag(64, bytes(hex('0102'))), tag(64, bytes(hex('0102')))) });
    expect(refusal(() => decodeX(rows, 'uint8', few))).toContain('more elements than 3');
    const bare = map({ x: tag(64, bytes(hex('01020304'))) });
    expect(refusal(() => decodeX(bare, 'uint8', few))).toContain('more elements than 3');
    const text4 = map({ x: bytes(hex('01020304')) });
    expect(refusal(() => decodeX(text4, 'uint8', few))).toContain('more elements than 3');
    expect(decodeX(map({ x: ints(1, 2, 3) }), 'uint8', few).shape).toEqual([3]);
  });
});

describe('tags', () => {
  it.each([
    0,
    1,
    4,
    5,
    6,
    15,
    21,
    24,
    25,
    27,
    28,
    29,
    30,
    32,
    35,
    37,
    39,
    42,
    43,
    51,
    63,
    88,
    100,
    105,
    256,
    258,
    259,
    1001,
    1039,
    1041,
    57337,
    57343,
    55798,
    55800,
    65535,
    2 ** 32,
  ])('%i is refused wherever it stands, whatever a decoder would make of it', (number) => {
    const tagged = tag(number, list(text('a'), text('b')));
    const message = `has a tag that is not allowed here: ${number}`;
    expect(refuse(tagged)).toContain(message);
    expect(refuse(list(int(1), list(tagged)))).toContain(message);
    expect(refuse(described('float32', [1], tagged))).toContain(message);
    expect(refuseBody(map({ inputs: map({ x: int(1) }), signature: tagged }))).toContain(message);
    expect(refuseBody(map({ inputs: map({ x: int(1) }), other: tagged }))).toContain(message);
  });

  it('57343, a record as cbor-x writes it by default, tells the setting, as the body and within it', () => {
    const told = 'tag 57343, a record of cbor-x: encode with new Encoder({ useRecords: false })';
    const record = new Encoder().encode({ x: [1] });
    expect(refuseBody(record)).toContain(told);
    expect(refuseBody(map({ inputs: record }))).toContain(told.slice('tag '.length));
  });

  it.each([76, 83, 87])(
    '%i, a typed array of a type that TensorFlow has not, is refused by name',
    (number) => {
      expect(refuse(tag(number, bytes(new Uint8Array(16))))).toContain(
        `input \`x\` is a typed array of a type that no dtype here has (tag ${number})`,
      );
    },
  );

  it.each([
    ['a number', int(5)],
    ['a text', text('12')],
    ['a typed array', tag(64, bytes(hex('01')))],
    ['a bignum', tag(2, bytes(hex('01')))],
    ['129 bytes', bytes(new Uint8Array(129))],
    ['a megabyte', bytes(new Uint8Array(2 ** 20).fill(1))],
  ])('2 and 3, a bignum, may not hold %s', (_, content) => {
    for (const number of [2, 3]) {
      expect(refuse(tag(number, content))).toContain(
        'bignum (tag 2 or 3) that is no byte string of up to 128 bytes',
      );
      expect(refuse(list(tag(number, content)))).toContain('bignum');
    }
  });
});

describe('CBOR that is not well-formed, or that we do not take', () => {
  it.each([
    ['simple value 0', 'e0'],
    ['simple value 16', 'f0'],
    ['a simple value in two bytes', 'f8ff'],
    ['false in two bytes', 'f814'],
    ['a reserved length', '1c'],
    ['a reserved length of a list', '9e'],
    ['an integer of indefinite length', '1f'],
    ['a tag of indefinite length', 'df'],
    ['a break alone', 'ff'],
    ['a break in a list of two', '8201ff'],
    ['a map that breaks after a key', 'bf6161ff'],
  ])('%s is refused with its place', (_, item) => {
    expect(refuse(hex(item))).toMatch(/has an invalid byte at \d+$/);
  });

  it.each([
    ['a text', '7f6161ff'],
    ['a byte string', '5f4161ff'],
    ['a typed array', 'd8405f4161ff'],
  ])('%s of indefinite length is refused with what to do', (_, item) => {
    expect(refuse(hex(item))).toContain('send strings in one piece');
  });

  it.each([
    ['a lone continuation byte', '6180'],
    ['an overlong slash', '62c0af'],
    ['a surrogate', '63eda080'],
    ['a code point beyond Unicode', '64f4908080'],
    ['half a letter', '61c3'],
  ])('a text that is not UTF-8 (%s) is refused, as a value, a key, a signature and an output', (_, item) => {
    const broken = hex(item);
    expect(refuse(broken, 'string')).toContain('a text that is not UTF-8: send it as a byte string');
    expect(refuse(described('string', [1], list(broken)), 'string')).toContain('not UTF-8');
    expect(refuseBody(joined(hex('a1'), broken, int(1)))).toContain('a key of the body is not UTF-8');
    expect(refuseBody(map({ inputs: map({ x: int(1) }), signature: broken }))).toContain('not UTF-8');
    expect(refuseBody(map({ inputs: map({ x: int(1) }), outputs: list(broken) }))).toContain('not UTF-8');
  });

  it('bytes after the end are refused and counted', () => {
    expect(refuseBody(joined(map({ x: int(1) }), hex('00')))).toBe('1 bytes follow the end of the CBOR body');
    expect(refuseBody(joined(map({}), map({})))).toContain('follow the end');
  });

  it('a body that is no map is refused', () => {
    for (const body of [ints(1), int(1), text('x'), bytes(hex('00')), array([1], 64, hex('01')), hex('f6')]) {
      expect(refuseBody(body)).toMatch(/a CBOR map|CBOR map must be/);
    }
    expect(refuseBody(hex(''))).toContain('the body is empty');
    expect(refuseBody(tag(55799, tag(55799, map({ x: int(1) }))))).toContain('must be a CBOR map');
    expect(refuseBody(tag(55799, hex('')))).toContain('cut short');
  });

  it('a pickle is named as what it is', () => {
    expect(refuseBody(hex('80049503000000000000007d942e'))).toContain('Python pickle');
  });

  it.each([
    ['an integer', int(1)],
    ['a byte string', bytes(hex('78'))],
    ['null', hex('f6')],
  ])('a key that is %s is refused', (_, key) => {
    expect(refuseBody(joined(hex('a1'), key, int(1)))).toContain('a key of the body must be a text string');
    expect(refuseBody(map({ inputs: joined(hex('a1'), key, int(1)) }))).toContain('must be a text string');
  });

  it('a key twice is refused and named, in the body, the inputs and a described tensor', () => {
    expect(refuseBody(entries(['x', int(1)], ['x', int(1)]))).toBe('the body has the key `x` twice');
    expect(refuseBody(map({ inputs: entries(['x', int(1)], ['y', int(1)], ['x', int(1)]) }))).toContain(
      '`x` twice',
    );
    const item = entries(
      ['dtype', text('bool')],
      ['shape', ints()],
      ['data', bytes(hex('01'))],
      ['data', bytes(hex('00'))],
    );
    expect(refuse(item)).toBe('input `x` has the key `data` twice');
  });

  it('a map that is no tensor is refused, alone and in a list', () => {
    expect(refuse(map({ a: int(1) }))).toContain('input `x` is a map, and no tensor');
    expect(refuse(map({}))).toContain('is a map, and no tensor');
    expect(
      refuse(map({ dtype: text('bool'), shape: ints(), data: bytes(hex('01')), more: int(1) })),
    ).toContain('no tensor');
    expect(refuse(list(map({ a: int(1) })))).toContain('input `x` at [0] is a map, and no tensor');
    expect(refuse(list(int(1), map({ a: int(1) })))).toContain('mixes');
  });

  it('a dtype that there is not is refused with those that there are', () => {
    expect(refuse(described('float8', [1], bytes(hex('01'))))).toMatch(
      /no dtype `float8`; there are bool, int8, .*string/,
    );
    expect(refuse(described('constructor', [1], bytes(hex('01'))))).toContain('no dtype `constructor`');
    expect(refuse(map({ dtype: int(1), shape: ints(1), data: bytes(hex('01')) }))).toContain(
      'the dtype of input `x` must be a text string',
    );
  });
});

it('what a client sent is not sent back by the megabyte', () => {
  const long = 'n'.repeat(2 ** 20);
  const messages = [
    refuseBody(entries([long, int(1)], [long, int(1)])),
    refuseBody(map({ inputs: map({ x: int(1) }), [long]: int(1) })),
    refuse(described(long, [1], bytes(hex('01')))),
    refuse(tag(40, list(list(text(long)), ints(1)))),
    refuse(text(long)),
    refuse(tag(2, bytes(new Uint8Array(128).fill(255))), 'int64'),
  ];
  for (const message of messages) expect(message.length).toBeLessThan(500);
});
