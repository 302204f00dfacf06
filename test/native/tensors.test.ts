/**
 * Every dtype numpy shares with TensorFlow, any rank, arrives and comes back bit for bit; what cannot be a tensor is
 * refused in words.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Feed, NativeBinding, Output, SessionHandle } from '../../src/engines/tensorflow/native.ts';
import {
  bytesOf,
  codeOf,
  type FixedWidth,
  fixedWidth,
  identityNames,
  load,
  nothingHeld,
  openAddon,
  pattern,
  stringDtype,
} from './addon.ts';

let addon: NativeBinding;
let session: SessionHandle;

beforeAll(async () => {
  addon = openAddon();
  session = await load(addon, 'identity');
});

afterAll(async () => {
  await addon.releaseSession(session);
  expect(addon.counters()).toMatchObject(nothingHeld);
});

const shapes: readonly (readonly number[])[] = [
  [],
  [1],
  [7],
  [0],
  [3, 0, 2],
  [2, 3, 5],
  [1, 2, 1, 3, 1, 2, 1],
  [40, 50, 33],
];

/** Bytes that are legal for the dtype: a bool is 0 or 1. */
function legal(dtype: FixedWidth, size: number): Uint8Array<ArrayBuffer> {
  const bytes = pattern(size);
  return dtype === 'bool' ? bytes.map((byte) => byte & 1) : bytes;
}

async function identity(dtype: FixedWidth | 'string', feed: Feed): Promise<Output> {
  const { feed: input, fetch } = identityNames(dtype);
  const [outputs] = await addon.run(session, addon.prepare(session, [input], [fetch]), [feed], null);
  const [output] = outputs;
  if (!output) throw new Error('no output came');
  return output;
}

function numbers(...values: number[]): Buffer {
  return Buffer.from(Float64Array.from(values).buffer);
}

/** Strings as the addon packs them, made by hand. */
function packedOf(strings: readonly Uint8Array[]): Buffer {
  let end = 0;
  const ends = strings.map(({ length }) => {
    end += length;
    return end;
  });
  return Buffer.concat([numbers(strings.length, ...ends), ...strings]);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((count, dim) => count * dim, 1);
}

/** Compares, then frees what only the collector would. */
function expectBytes(output: Output, wanted: Uint8Array): void {
  const bytes = bytesOf(output);
  expect(Buffer.compare(bytes, wanted)).toBe(0);
  addon.free(bytes.buffer);
}

describe.each(Object.keys(fixedWidth) as FixedWidth[])('%s', (dtype) => {
  const [number, size] = fixedWidth[dtype];

  test.each(shapes)('a tensor of shape [%s] comes back bit for bit', async (...shape) => {
    const dims = shape.filter((dim) => dim !== undefined);
    const data = legal(dtype, elements(dims) * size);
    const output = await identity(dtype, [number, dims, data]);
    expect(output.slice(0, 2)).toEqual([number, dims]);
    expectBytes(output, data);
  });

  test('bytes at an odd address and in several pieces are joined', async () => {
    const wanted = legal(dtype, 24 * size);
    const memory = new Uint8Array(wanted.length + 5);
    const cut = 7;
    memory.set(wanted.subarray(0, cut), 1);
    memory.set(wanted.subarray(cut), cut + 3);
    const data = [memory.subarray(1, cut + 1), new Uint8Array(), memory.subarray(cut + 3, wanted.length + 3)];
    expectBytes(await identity(dtype, [number, [4, 6], data]), wanted);
  });
});

describe('large feeds', () => {
  test('of several megabytes in pieces are copied off the loop and come back bit for bit', async () => {
    const wanted = pattern(3_000_000);
    const memory = new Uint8Array(wanted.length + 1);
    memory.set(wanted, 1);
    const data = [memory.subarray(1, 1_000_001), memory.subarray(1_000_001)];
    expectBytes(await identity('uint8', [4, [1000, 3000], data]), wanted);
  });
});

test('any bool byte that is not 0 is true', async () => {
  const output = await identity('bool', [10, [4], Uint8Array.of(0, 1, 2, 255)]);
  expect([...bytesOf(output)]).toEqual([0, 1, 1, 1]);
});

describe('string', () => {
  const long = Buffer.from(pattern(1000));
  test.each<{ shape: number[]; strings: Uint8Array[] }>([
    { shape: [], strings: [Buffer.from('scalar')] },
    { shape: [0], strings: [] },
    { shape: [2, 0], strings: [] },
    { shape: [3], strings: [Buffer.from(''), Buffer.from('ünï'), Buffer.of(0, 255, 0)] },
    { shape: [2, 1, 2], strings: [long, Buffer.from('x'.repeat(22)), Buffer.from('x'.repeat(23)), long] },
  ])('a tensor of shape $shape comes back byte for byte', async ({ shape, strings }) => {
    const output = await identity('string', [stringDtype, shape, strings]);
    expect(output.slice(0, 2)).toEqual([stringDtype, shape]);
    expect((output[2] as Uint8Array[]).map((bytes) => Buffer.from(bytes))).toEqual(
      strings.map((bytes) => Buffer.from(bytes)),
    );
  });
});

describe.each([
  {
    what: 'many strings',
    wanted: [50, 100],
    strings: Array.from({ length: 5000 }, (_, i) =>
      Buffer.from(i % 7 === 0 ? '' : `ünï ${'x'.repeat(i % 50)}`),
    ),
  },
  {
    what: 'long strings',
    wanted: [2, 1, 2],
    strings: [...[100_000, 0, 23].map((size) => Buffer.from(pattern(size))), Buffer.from('ünï')],
  },
])('$what', ({ wanted, strings }) => {
  test.each([
    ['as an array', strings],
    ['packed', packedOf(strings)],
    ['packed, at an odd place', Buffer.concat([Buffer.of(1), packedOf(strings)]).subarray(1)],
  ])('fed %s come back packed', async (_, data) => {
    const [dtype, shape, packed] = await identity('string', [stringDtype, wanted, data]);
    expect([dtype, shape]).toEqual([stringDtype, wanted]);
    expect(Buffer.compare(packed as Uint8Array, packedOf(strings))).toBe(0);
    addon.free((packed as Uint8Array<ArrayBuffer>).buffer);
  });
});

describe('packed strings', () => {
  test.each<[string, Uint8Array]>([
    ['less than a number', Uint8Array.of(1)],
    ['a count beyond the memory', numbers(1000, 1, 2)],
    ['a count that is none', numbers(Number.NaN, 1)],
    ['a negative count', numbers(-1)],
    ['a string that ends beyond the memory', numbers(2, 0, 1)],
    ['a string that ends before it begins', Buffer.concat([numbers(2, 2, 1), Buffer.of(1, 2)])],
    ['another count than the shape has', Buffer.concat([numbers(1, 2), Buffer.of(1, 2)])],
  ])('with %s are refused', async (_, data) => {
    const fed = identity('string', [stringDtype, [2], data]);
    await expect(fed).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

test('sixteen inputs and outputs of sixteen dtypes go through one run', async () => {
  const names = [...Object.keys(fixedWidth), 'string'].sort() as (FixedWidth | 'string')[];
  const feeds = names.map((name, i): Feed => {
    if (name === 'string') return [stringDtype, [], [Buffer.from('s')]];
    const [dtype, size] = fixedWidth[name];
    return [dtype, [i], legal(name, i * size)];
  });
  const call = addon.prepare(
    session,
    names.map((name) => `all_${name}`),
    names.map((_, i) => `PartitionedCall:${i}`),
  );
  const [outputs] = await addon.run(session, call, feeds, null);
  expect(outputs.map(([dtype, shape]) => [dtype, shape])).toEqual(
    feeds.map(([dtype, shape]) => [dtype, shape]),
  );
  outputs.forEach(([, , data], i) => {
    if (data instanceof Uint8Array) expect(data).toEqual(feeds[i]?.[2]);
  });
});

describe('what cannot be a tensor is INVALID_ARGUMENT, and the process goes on', () => {
  const bytes = new Uint8Array(4);
  test.each<[what: string, feed: Feed, message: RegExp]>([
    ['too few bytes', [1, [2], bytes], /float32 \[2\] takes 8 bytes, but 4 came/],
    ['too many bytes', [1, [], [bytes, bytes]], /takes 4 bytes, but 8 came/],
    ['a size beyond 2^63', [1, Array(8).fill(2 ** 20), bytes], /too large/],
    ['one that overflows before its zero', [1, [2 ** 40, 2 ** 40, 0], bytes], /too large/],
    ['one too large by its element alone', [1, [2 ** 50, 2 ** 12], bytes], /too large/],
    ['255 dimensions', [1, Array(255).fill(1), bytes], /rank 255/],
    ['another dtype than the input has', [3, [1], bytes], /expected float32, got int32/],
    ['a resource', [20, [1], bytes], /dtype 20 cannot be fed/],
    ['a dtype that does not exist', [0, [1], bytes], /dtype 0 cannot be fed/],
  ])('%s', async (_, feed, message) => {
    await expect(identity('float32', feed)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      // A bare RegExp in toMatchObject matches anything.
      message: expect.stringMatching(message),
    });
  });

  test('254 dimensions are taken', async () => {
    const output = await identity('float32', [1, Array(254).fill(1), bytes]);
    expect(output[1]).toHaveLength(254);
  });

  test('as many strings as the shape does not have', async () => {
    const feed: Feed = [stringDtype, [2], [bytes]];
    await expect(identity('string', feed)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/2 elements, but 1 strings came/),
    });
  });
});

describe('arguments of the wrong type are TypeErrors that name the argument', () => {
  // What TypeScript forbids but JavaScript can do.
  const feed = ({ dtype = 1, shape = [1], data = new Uint8Array(4) }: Record<string, unknown>): Feed =>
    [dtype, shape, data] as unknown as Feed;
  test.each<[name: string, feed: Feed]>([
    ['feeds[0].dtype', feed({ dtype: 'float32' })],
    ['feeds[0].dtype', feed({ dtype: 1.5 })],
    ['feeds[0].dtype', feed({ dtype: 2 ** 32 + 1 })],
    ['feeds[0].shape', feed({ shape: 3 })],
    ['feeds[0].shape', feed({ shape: [-1] })],
    ['feeds[0].shape', feed({ shape: [Number.NaN] })],
    ['feeds[0].shape', feed({ shape: [2 ** 53] })],
    ['feeds[0].data', feed({ data: null })],
    ['feeds[0].data', feed({ data: new Float32Array(1) })],
    ['feeds[0].data', feed({ data: new ArrayBuffer(4) })],
    ['feeds[0].data', feed({ data: [new Uint8Array(2), 'ab'] })],
    ['feeds[0].data', feed({ dtype: stringDtype, data: 'text' })],
    ['feeds[0]', null as unknown as Feed],
  ])('%s in %o', async (name, wrong) => {
    const error = await identity('float32', wrong).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(`${name}: expected`);
  });

  test.each<[method: keyof NativeBinding, args: unknown[]]>([
    ['initialize', []],
    ['initialize', [new Uint8Array(), '4']],
    ['loadSession', []],
    ['loadSession', ['a\0b', ['serve'], new Uint8Array()]],
    ['loadSession', ['a', 'serve', new Uint8Array()]],
    ['loadSession', ['a', [1], new Uint8Array()]],
    ['retainSession', ['1']],
    ['releaseSession', [{}]],
    ['prepare', [1.5, [], []]],
    ['run', []],
    ['run', [1, {}, [], null]],
    ['free', [new Uint8Array(1)]],
    ['free', []],
  ])('%s %j', async (method, args) => {
    const call = async () => (addon[method] as (...args: unknown[]) => unknown)(...args);
    await expect(call()).rejects.toBeInstanceOf(TypeError);
  });

  test('another object in the place of a call', async () => {
    const call = addon.prepare(session, ['float32_x'], ['PartitionedCall_6']);
    const run = addon.run(session, { ...call }, [], null);
    await expect(run).rejects.toThrow('call: expected what prepare() returned');
  });

  test('undefined for run options', async () => {
    const call = addon.prepare(session, ['float32_x'], ['PartitionedCall_6']);
    const run = addon.run(session, call, [feed({})], undefined as unknown as null);
    await expect(run).rejects.toThrow('runOptions: expected a Uint8Array');
  });
});

test('an element that runs code cannot pull a buffer away under the copy', async () => {
  const victim = new Uint8Array(32).fill(1);
  const call = addon.prepare(
    session,
    ['all_float32', 'all_float64'],
    ['PartitionedCall:5', 'PartitionedCall:6'],
  );
  const evil: Feed = [2, [1], new Uint8Array(8)];
  Object.defineProperty(evil, 2, {
    get() {
      structuredClone(victim.buffer, { transfer: [victim.buffer] });
      return new Uint8Array(8);
    },
  });
  expect(await codeOf(() => addon.run(session, call, [[1, [8], victim], evil], null))).toBe(
    'INVALID_ARGUMENT',
  );
});
