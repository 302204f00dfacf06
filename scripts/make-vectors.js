/**
 * `node scripts/make-vectors.js` writes clients/vectors.json: values, and the one form in which each is written as
 * CBOR. The server and its clients must agree on it byte for byte. This script writes the heads itself, so that no
 * codec under test takes part. clients/README.md explains the notation.
 */
import fs from 'node:fs';
import path from 'node:path';

/** The tags of RFC 8746 for little-endian arrays. A dtype without one is written as `{dtype, shape, data}`. */
const TAGS = new Map([
  ['uint8', 64],
  ['uint16', 69],
  ['uint32', 70],
  ['uint64', 71],
  ['int8', 72],
  ['int16', 77],
  ['int32', 78],
  ['int64', 79],
  ['float16', 84],
  ['float32', 85],
  ['float64', 86],
]);

/**
 * Integers by their bits, for signed and unsigned dtypes: 0, 1, all ones, the largest and the smallest signed, and one
 * more.
 */
const INTEGERS = {
  8: ['00', '01', 'ff', '7f', '80', '2a'],
  16: ['0000', '0100', 'ffff', 'ff7f', '0080', '3930'],
  32: ['00000000', '01000000', 'ffffffff', 'ffffff7f', '00000080', 'd2029649'],
  64: [
    '00'.repeat(8),
    `01${'00'.repeat(7)}`,
    'ff'.repeat(8),
    `${'ff'.repeat(7)}7f`,
    `${'00'.repeat(7)}80`,
    '0100000000002000',
  ],
};

/**
 * Six elements of each dtype in little-endian bytes: the ends of its range, or what floats have besides numbers.
 * @type {Record<string, readonly string[]>}
 */
const ELEMENTS = {
  bool: ['01', '00', '00', '01', '01', '00'],
  int8: INTEGERS[8],
  int16: INTEGERS[16],
  int32: INTEGERS[32],
  int64: INTEGERS[64],
  uint8: INTEGERS[8],
  uint16: INTEGERS[16],
  uint32: INTEGERS[32],
  uint64: INTEGERS[64],
  float16: ['003e', '0080', '007c', '00fc', '017e', '0100'],
  bfloat16: ['c03f', '0080', '807f', '80ff', 'c17f', '0100'],
  float32: ['0000c03f', '00000080', '0000807f', '000080ff', '0100c07f', '01000000'],
  float64: [
    '000000000000f83f',
    '0000000000000080',
    '000000000000f07f',
    '000000000000f0ff',
    '010000000000f87f',
    '0100000000000000',
  ],
  complex64: [
    '0000c03f00000080',
    '0000807f000080ff',
    '0000c07f01000000',
    '0000000000000000',
    '000080bf0000803f',
    '0000003f000000bf',
  ],
  complex128: [
    '000000000000f83f0000000000000080',
    '000000000000f07f000000000000f0ff',
    '000000000000f87f0100000000000000',
    '00000000000000000000000000000000',
    '000000000000f0bf000000000000f03f',
    '000000000000e03f000000000000e0bf',
  ],
};

/**
 * The strings of a string tensor: a text, an empty one, bytes that are no UTF-8, a zero, letters of two and four bytes,
 * a long one.
 */
const STRINGS = ['63617420f09f9088', '', 'ff00fe', '00', 'c3a9', '61'.repeat(300)];

/** @typedef {{ tensor: { dtype: string, shape: number[], bytes?: string, strings?: string[] } }} TensorNote */
/**
 * @typedef {TensorNote | { map: [string, Note][] } | { list: Note[] } | { text: string } | { bytes: string }
 *   | { int: string } | { float: string } | { bool: boolean } | { null: true }} Note
 */

/** @returns {{ name: string, value: Note, cbor: string }[]} */
export function makeVectors() {
  const notes = [...tensors(), ...plainValues(), ...dicts(), ...composites()];
  return notes.map(([name, value]) => ({ name, value, cbor: write(value).toString('hex') }));
}

/** @returns {[name: string, value: Note][]} */
function tensors() {
  const shapes = /** @type {const} */ ([
    ['vector', [3]],
    ['rank 3', [2, 1, 3]],
    ['scalar', []],
    ['zero length', [0]],
    ['zero length of rank 3', [2, 0, 3]],
  ]);
  /** @type {[string, Note][]} */
  const all = [...Object.keys(ELEMENTS), 'string'].flatMap((dtype) =>
    shapes.map(([name, shape]) => [`${dtype}, ${name}`, tensor(dtype, [...shape])]),
  );
  return [
    ...all,
    ['uint8, 24 bytes', tensor('uint8', [24])],
    ['uint8, 300 bytes', tensor('uint8', [300])],
    ['float32, dims of every width', tensor('float32', [1, 24, 256, 70_000, 0])],
  ];
}

/**
 * @param {string} dtype
 * @param {number[]} shape
 * @returns {TensorNote}
 */
function tensor(dtype, shape) {
  const length = shape.reduce((product, dim) => product * dim, 1);
  /** @param {readonly string[]} from */
  const repeated = (from) => Array.from({ length }, (_, i) => from[i % from.length] ?? '');
  if (dtype === 'string') return { tensor: { dtype, shape, strings: repeated(STRINGS) } };
  return { tensor: { dtype, shape, bytes: repeated(ELEMENTS[dtype] ?? []).join('') } };
}

/** @returns {[name: string, value: Note][]} */
function plainValues() {
  const powers = [0n, 23n, 24n, 255n, 256n, 65_535n, 65_536n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n];
  const wide = [2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];
  const integers = [...powers, ...wide].flatMap((value) => [value, -1n - value]);
  const floats = ['1.5', '-0.1', '1e+300', '5e-324', 'NaN', 'Infinity', '-Infinity', '-0.0'];
  const texts = ['', 'cat', 'é 🐈', '\u0000', '\ufeffmark', 'a'.repeat(23), 'a'.repeat(24), 'é'.repeat(200)];
  return [
    ...integers.map((value) => named(`int ${value}`, { int: String(value) })),
    ...floats.map((value) => named(`float ${value}`, { float: value })),
    ...texts.map((text, i) => named(`text ${i}`, { text })),
    ...['', 'ff00', '00'.repeat(256)].map((bytes, i) => named(`bytes ${i}`, { bytes })),
    named('true', { bool: true }),
    named('false', { bool: false }),
    named('null', { null: true }),
    named('empty list', { list: [] }),
    named('nested lists', {
      list: [{ list: [{ int: '1' }, { float: '2.5' }] }, { list: [{ text: 'a' }, { null: true }] }],
    }),
  ];
}

/** @returns {[name: string, value: Note][]} */
function dicts() {
  /** @type {[string, Note][]} */
  const leaves = [
    ['state', tensor('float32', [6])],
    ['texts', tensor('string', [2])],
    ['flags', tensor('bool', [2])],
    ['on', { bool: true }],
    ['', { null: true }],
    ['é', { text: 'é' }],
    ['__proto__', { int: '-5' }],
  ];
  const tooMany = Array.from({ length: 30 }, (_, i) => named(`key ${i}`, { int: String(i) }));
  return [
    named('empty dict', { map: [] }),
    named('dict', { map: leaves }),
    named('dict, not in the order of its keys', {
      map: [
        ['b', { int: '1' }],
        ['a', { int: '2' }],
      ],
    }),
    named('dict of 30', { map: tooMany }),
    named('nested dicts', {
      map: [
        [
          'a',
          {
            map: [
              ['b', { map: leaves }],
              ['c', { list: [{ map: [] }, { map: leaves }] }],
            ],
          },
        ],
      ],
    }),
    named('envelope', {
      map: [
        ['inputs', { map: [['x', tensor('float32', [2, 3])]] }],
        ['signature', { text: 'serving_default' }],
        ['outputs', { list: [{ text: 'y' }] }],
      ],
    }),
    named('answer', {
      map: [
        ['status', { text: 'ok' }],
        ['model', { text: 'policy' }],
        ['version', { int: '1' }],
        ['generation', { int: '300' }],
        ['outputs', { map: [['action', tensor('float32', [2])]] }],
      ],
    }),
  ];
}

/** @returns {[name: string, value: Note][]} sparse and ragged tensors, as requests and answers have them */
function composites() {
  /**
   * @param {Note} values
   * @returns {Note}
   */
  const ragged = (values) => ({
    map: [
      ['values', values],
      ['row_splits', tensor('int64', [2])],
    ],
  });
  return [
    named('sparse tensor', {
      map: [
        ['indices', tensor('int64', [2, 2])],
        ['values', tensor('float32', [2])],
        ['dense_shape', tensor('int64', [2])],
      ],
    }),
    named('ragged tensor', ragged(tensor('string', [3]))),
    named('ragged tensor of two ragged dims', ragged(ragged(tensor('int32', [3, 1])))),
  ];
}

/**
 * @param {string} name
 * @param {Note} value
 * @returns {[string, Note]}
 */
function named(name, value) {
  return [name, value];
}

/**
 * @param {Note} note
 * @returns {Buffer}
 */
function write(note) {
  if ('tensor' in note) return writeTensor(note.tensor);
  if ('map' in note)
    return Buffer.concat([
      head(5, note.map.length),
      ...note.map.flatMap(([key, value]) => [text(key), write(value)]),
    ]);
  if ('list' in note) return Buffer.concat([head(4, note.list.length), ...note.list.map(write)]);
  if ('text' in note) return text(note.text);
  if ('bytes' in note) return bytes(note.bytes);
  if ('int' in note) return integer(BigInt(note.int));
  if ('float' in note) return float64(Number(note.float));
  if ('bool' in note) return Buffer.of(note.bool ? 0xf5 : 0xf4);
  return Buffer.of(0xf6);
}

/** @param {TensorNote['tensor']} tensor */
function writeTensor({ dtype, shape, bytes: data = '', strings }) {
  const dims = Buffer.concat([head(4, shape.length), ...shape.map((dim) => head(0, dim))]);
  const tag = TAGS.get(dtype);
  if (strings)
    return Buffer.concat([head(6, 40), head(4, 2), dims, head(4, strings.length), ...strings.map(bytes)]);
  if (tag !== undefined) return Buffer.concat([head(6, 40), head(4, 2), dims, head(6, tag), bytes(data)]);
  return Buffer.concat([
    head(5, 3),
    text('dtype'),
    text(dtype),
    text('shape'),
    dims,
    text('data'),
    bytes(data),
  ]);
}

/** @param {string} hex */
function bytes(hex) {
  return Buffer.concat([head(2, hex.length / 2), Buffer.from(hex, 'hex')]);
}

/** @param {string} value */
function text(value) {
  return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
}

/** @param {bigint} value */
function integer(value) {
  return value < 0n ? head(1, -1n - value) : head(0, value);
}

/** @param {number} value */
function float64(value) {
  const encoded = Buffer.alloc(9, 0xfb);
  encoded.writeDoubleBE(value, 1);
  return encoded;
}

/**
 * Writes a major type and an argument in the shortest form.
 *
 * @param {number} major
 * @param {number | bigint} argument
 */
function head(major, argument) {
  const value = BigInt(argument);
  if (value < 24n) return Buffer.of((major << 5) | Number(value));
  const width = [1, 2, 4].find((bytes) => value < 1n << BigInt(8 * bytes)) ?? 8;
  const wide = Buffer.alloc(8);
  wide.writeBigUInt64BE(value);
  return Buffer.concat([Buffer.of((major << 5) | (24 + Math.log2(width))), wide.subarray(8 - width)]);
}

/** Writes one vector on each line. */
export function formatVectors() {
  const lines = makeVectors().map((vector) => JSON.stringify(vector));
  return `{"vectors": [\n${lines.join(',\n')}\n]}\n`;
}

if (process.argv[1] === import.meta.filename) {
  fs.writeFileSync(path.join(import.meta.dirname, '..', 'clients', 'vectors.json'), formatVectors());
}
