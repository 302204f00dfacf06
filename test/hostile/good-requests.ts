/** Makes random requests that are answered 200, with every kind of body. The fuzzers change them. */
import { encodeNpy } from '../../src/codec/numpy/npy.ts';
import { encodeZip } from '../../src/codec/numpy/zip-encode.ts';
import { datatypes } from '../../src/surfaces/oip-rest/datatypes.ts';
import { dtypes, type FixedDtype } from '../../src/tensors/dtypes.ts';
import { array, entries, ints, list, map, text } from '../fixtures/cbor.ts';
import { bmp, gif, jpeg, png } from '../fixtures/images.ts';
import type { Random } from './random.ts';

export interface GoodRequest {
  /** Of the model `identity`, whose signatures have the names of dtypes and the input `x`. */
  readonly signature: FixedDtype | 'string';
  readonly type: string;
  readonly body: Uint8Array;
  /** Of a request of the Open Inference Protocol. */
  readonly oip?: {
    /** What the header says that the JSON has; undefined without the header. */
    readonly jsonLength: number | undefined;
  };
}

type Kind = (random: Random) => GoodRequest;

/** Dtypes with a type code of RFC 8746, and of NumPy: every value of them can be sent by both. */
const typed = {
  uint8: 64,
  uint16: 69,
  uint32: 70,
  uint64: 71,
  int8: 72,
  int16: 77,
  int32: 78,
  int64: 79,
  float16: 84,
  float32: 85,
  float64: 86,
} as const;

const typedDtypes = Object.keys(typed) as [keyof typeof typed, ...(keyof typeof typed)[]];

function shapeOf(random: Random): number[] {
  return Array.from({ length: random.below(4) }, () => 1 + random.below(4));
}

const countOf = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

function tensor(random: Random): { dtype: keyof typeof typed; shape: number[]; data: Uint8Array } {
  const dtype = random.pick(typedDtypes);
  const shape = shapeOf(random);
  return { dtype, shape, data: random.bytes(countOf(shape) * dtypes[dtype].size) };
}

/** Nested lists of small numbers, as people write them. */
function lists(random: Random, [dim, ...rest]: readonly number[]): unknown {
  if (dim === undefined) return random.isTrue(0.5) ? random.below(100) : random.below(1000) / 8;
  return Array.from({ length: dim }, () => lists(random, rest));
}

const words = ['', 'a', 'größe', '模型 🤖', '"\\\n'] as const;

function npy(random: Random): { dtype: keyof typeof typed; file: Uint8Array } {
  const { dtype, shape, data } = tensor(random);
  return { dtype, file: Buffer.concat([...encodeNpy('x', { dtype, shape, data }).pieces()]) };
}

function image(random: Random): { type: string; body: Uint8Array } {
  const [width, height] = [1 + random.below(8), 1 + random.below(8)];
  return random.pick([
    { type: 'image/png', body: png(width, height, (i) => i & 255) },
    { type: 'image/jpeg', body: jpeg(width, height, [random.below(256), 0, 9]) },
    { type: 'image/gif', body: gif() },
    { type: 'image/bmp', body: bmp() },
  ]);
}

function form(
  parts: readonly (readonly [head: string, content: Uint8Array])[],
): Omit<GoodRequest, 'signature'> {
  const boundary = 'X-fuzz-boundary';
  const body = Buffer.concat([
    ...parts.flatMap(([head, content]) => [
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
      content,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  return { type: `multipart/form-data; boundary=${boundary}`, body };
}

/** One input of the Open Inference Protocol. @param data in JSON, or bytes to be sent behind it */
function oip(
  random: Random,
  signature: GoodRequest['signature'],
  shape: readonly number[],
  data: unknown,
): GoodRequest {
  const binary = data instanceof Uint8Array ? data : undefined;
  const values = binary ? { parameters: { binary_data_size: binary.length } } : { data };
  const request = {
    ...(random.isTrue(0.5) ? { id: '7' } : {}),
    inputs: [{ name: 'x', datatype: datatypes[signature], shape, ...values }],
    parameters: { signature, ...(random.isTrue(0.5) ? { binary_data_output: random.isTrue(0.5) } : {}) },
    ...(random.isTrue(0.5) ? { outputs: [{ name: 'y' }] } : {}),
  };
  const head = Buffer.from(JSON.stringify(request));
  return {
    signature,
    type: binary ? 'application/octet-stream' : json,
    body: binary ? Buffer.concat([head, binary]) : head,
    oip: { jsonLength: binary || random.isTrue(0.2) ? head.length : undefined },
  };
}

/** BYTES behind the JSON: each its length in 4 little-endian bytes, and its bytes. */
function framed(texts: readonly string[]): Uint8Array {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text);
      return [new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes];
    }),
  );
}

const cbor = 'application/cbor';
const json = 'application/json';

export const kinds: Readonly<Record<string, Kind>> = {
  'CBOR array': (random) => {
    const { dtype, shape, data } = tensor(random);
    return { signature: dtype, type: cbor, body: entries(['x', array(shape, typed[dtype], data)]) };
  },
  'CBOR lists': (random) => {
    const values = Array.from({ length: 1 + random.below(5) }, () => random.below(100));
    const rows = Array.from({ length: 1 + random.below(3) }, () => ints(...values));
    const body = random.isTrue(0.5)
      ? entries(['x', list(...rows)])
      : map({ inputs: map({ x: list(...rows) }) });
    return { signature: random.pick(['float32', 'int32', 'uint8']), type: cbor, body };
  },
  'CBOR texts': (random) => ({
    signature: 'string',
    type: cbor,
    body: entries(['x', list(text(random.pick(words)), text(random.pick(words)))]),
  }),
  'JSON numbers': (random) => ({
    signature: random.pick(['float32', 'float64', 'float16']),
    type: json,
    body: Buffer.from(JSON.stringify({ x: lists(random, shapeOf(random)) }, null, random.below(2))),
  }),
  'JSON envelope': (random) => ({
    signature: 'float32',
    type: json,
    body: Buffer.from(JSON.stringify({ inputs: { x: lists(random, shapeOf(random)) }, outputs: ['y'] })),
  }),
  'JSON texts': (random) => ({
    signature: 'string',
    type: json,
    body: Buffer.from(JSON.stringify({ x: [random.pick(words), random.pick(words)] })),
  }),
  'curl -d': (random) => ({
    signature: 'float32',
    type: 'application/x-www-form-urlencoded',
    body: Buffer.from(JSON.stringify({ x: lists(random, shapeOf(random)) })),
  }),
  npy: (random) => {
    const { dtype, file } = npy(random);
    return { signature: dtype, type: 'application/x-npy', body: file };
  },
  npz: (random) => {
    const { dtype, file } = npy(random);
    const content = { byteLength: file.length, pieces: () => [file] };
    const { pieces } = encodeZip([{ path: Buffer.from('x.npy'), content }]);
    return { signature: dtype, type: 'application/x-npz', body: Buffer.concat([...pieces]) };
  },
  image: (random) => ({ signature: 'uint8', ...image(random) }),
  'form of values': (random) => ({
    signature: 'float32',
    ...form(
      Array.from({ length: 1 + random.below(3) }, () => [
        'name="x"',
        Buffer.from(String(random.below(100) / 4)),
      ]),
    ),
  }),
  'form with JSON': (random) => ({
    signature: 'float32',
    ...form([['name="x"', Buffer.from(JSON.stringify(lists(random, [1 + random.below(3), 2])))]]),
  }),
  'form with an image': (random) => ({
    signature: 'uint8',
    ...form([['name="x"; filename="x.png"', image(random).body]]),
  }),
  'form with a .npy': (random) => {
    const { dtype, file } = npy(random);
    return { signature: dtype, ...form([['name="x"; filename="x.npy"', file]]) };
  },
  '/v2 JSON numbers': (random) => {
    const shape = shapeOf(random);
    return oip(random, random.pick(['float32', 'float64', 'float16']), shape, lists(random, shape));
  },
  '/v2 JSON texts': (random) => oip(random, 'string', [2], [random.pick(words), random.pick(words)]),
  '/v2 binary numbers': (random) => {
    const { dtype, shape, data } = tensor(random);
    return oip(random, dtype, shape, data);
  },
  '/v2 binary strings': (random) => {
    const texts = Array.from({ length: random.below(4) }, () => random.pick(words));
    return oip(random, 'string', [texts.length], framed(texts));
  },
};

const names = Object.keys(kinds) as [string, ...string[]];

export function goodRequest(random: Random): GoodRequest & { kind: string } {
  const kind = random.pick(names);
  return { kind, ...(kinds[kind] as Kind)(random) };
}
