/** Image files become tensors. TensorFlow's decoders are compared with encoders that share no code with them. */
import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { imageTensor } from '../../src/codec/image/decode.ts';
import { foreignImage, readImageHeader } from '../../src/codec/image/header.ts';
import { toTensor, type WireLimits } from '../../src/codec/wire.ts';
import type { Dim } from '../../src/engines/signature.ts';
import type { ImageFormat } from '../../src/engines/tensorflow/images.ts';
import { ServingError } from '../../src/errors.ts';
import type { Claim } from '../../src/flow/steps.ts';
import { runInTurns } from '../../src/flow/turns.ts';
import type { Dtype, FixedDtype } from '../../src/tensors/dtypes.ts';
import { fromBfloat16, fromFloat16, viewOf } from '../../src/tensors/values.ts';
import { viewTensor } from '../../src/tfjs/tensors.ts';
import { limits, refusal, refusalOf } from '../fixtures/codec.ts';
import { bmp, colours, gif, jpeg, png } from '../fixtures/images.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

const small = png(2, 2, (i) => colours[i] as number);
const files: readonly [string, Uint8Array][] = [
  ['png', small],
  ['gif', gif()],
  ['bmp', bmp()],
];

interface Options {
  readonly by?: WireLimits;
  readonly claim?: (bytes: number) => void;
}

/** The tensor that a file becomes for an input. */
async function decode(
  file: Uint8Array,
  dtype: Dtype,
  shape: readonly Dim[] | null,
  { by = limits, claim = () => {} }: Options = {},
) {
  const wire = imageTensor(file, claim);
  if (!wire) throw new Error('no image');
  const spec = { name: 'x', dtype, shape, graphName: 'x:0' };
  const tensor = await runInTurns(toTensor(wire, spec, by, claim));
  const { data, ...view } = viewTensor(tensor);
  tensor.dispose();
  if (view.dtype === 'string') return { ...view, values: data as readonly Uint8Array[] };
  return { ...view, values: Array.from(viewOf(view.dtype as FixedDtype, data as Uint8Array) as Uint8Array) };
}

/** @param pauses is told of each */
function headerOf(format: ImageFormat, file: Uint8Array, pauses = () => {}, claim: Claim = () => {}) {
  const steps = readImageHeader('x', format, file, claim);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    pauses();
  }
}

describe.each(files)('%s', (_, file) => {
  it('becomes [height, width, channels]', async () => {
    expect(await decode(file, 'uint8', [null, 2, 2, 3])).toEqual({
      dtype: 'uint8',
      shape: [2, 2, 3],
      values: colours,
    });
    expect((await decode(file, 'uint8', null)).shape).toEqual([2, 2, 3]);
    expect((await decode(file, 'uint8', [null, null, null, null])).shape).toEqual([2, 2, 3]);
  });

  it('has full opacity where four channels are asked for', async () => {
    const values = colours.flatMap((value, i) => (i % 3 === 2 ? [value, 255] : [value]));
    expect(await decode(file, 'uint8', [2, 2, 4])).toEqual({ dtype: 'uint8', shape: [2, 2, 4], values });
  });

  it('is the file itself where strings are asked for', async () => {
    const { shape, values } = await decode(file, 'string', [null]);
    expect([shape, Buffer.from((values as Uint8Array[])[0] as Uint8Array)]).toEqual([[], Buffer.from(file)]);
  });

  it('that ends too soon is refused, wherever it ends', async () => {
    for (let length = 8; length < file.length - 12; length++) {
      const cut = file.subarray(0, length);
      expect(await refusalOf(decode(cut, 'uint8', [null, 2, 2, 3]))).toMatch(/damaged|ends too soon|cut off/);
    }
  });
});

it.each<[Dtype, (value: number) => number]>([
  ['float32', Number],
  ['float64', Number],
  ['int32', Number],
  ['int64', Number],
  ['uint64', Number],
  ['int16', Number],
  ['float16', fromFloat16],
  ['bfloat16', fromBfloat16],
])('as %s the bytes keep their values', async (dtype, toNumber) => {
  // Bytes beyond 127, and those that half a float holds exactly.
  const file = png(16, 8, (i) => i % 256);
  const { shape, values } = await decode(file, dtype, [null, 8, 16, 3]);
  expect(shape).toEqual([8, 16, 3]);
  expect((values as number[]).map((value) => toNumber(Number(value)))).toEqual(
    Array.from({ length: 8 * 16 * 3 }, (_, i) => i % 256),
  );
});

it.each(['bool', 'int8', 'complex64'] as const)('%s takes no image', async (dtype) => {
  expect(await refusalOf(decode(small, dtype, [null, 2, 2, 3]))).toBe(
    `input \`x\`: expected ${dtype} [-1, 2, 2, 3], got an image`,
  );
});

describe('grey', () => {
  const grey = png(3, 2, (i) => 10 * Math.floor(i / 3));

  it('is one channel, or none where the input has no place for it', async () => {
    const values = [0, 10, 20, 30, 40, 50];
    expect(await decode(grey, 'uint8', [null, 2, 3, 1])).toEqual({
      dtype: 'uint8',
      shape: [2, 3, 1],
      values,
    });
    expect(await decode(grey, 'uint8', [null, null])).toEqual({ dtype: 'uint8', shape: [2, 3], values });
    expect(await decode(grey, 'uint8', [2, 3])).toEqual({ dtype: 'uint8', shape: [2, 3], values });
  });

  it('is made of colour by the weights of ITU-R BT.601, whatever the format', async () => {
    for (const [, file] of files)
      expect((await decode(file, 'uint8', [null, 2, 2, 1])).values).toEqual([76, 150, 29, 255]);
  });

  it('of a PNG does not depend on the gamma that the file names', async () => {
    const gamma = Buffer.concat([Buffer.of(0, 0, 0, 4), Buffer.from('gAMA'), Buffer.of(0, 0, 0xb1, 0x8f)]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(gamma.subarray(4)));
    const file = Buffer.concat([small.subarray(0, 33), gamma, sum, small.subarray(33)]);
    expect((await decode(file, 'uint8', [null, 2, 2, 1])).values).toEqual([76, 150, 29, 255]);
  });
});

it('a JPEG is close to what was compressed, in colour and grey', async () => {
  const file = jpeg(16, 8, [200, 100, 50]);
  const colour = await decode(file, 'uint8', [null, 8, 16, 3]);
  expect(colour.shape).toEqual([8, 16, 3]);
  for (const [i, value] of (colour.values as number[]).entries())
    expect(Math.abs(value - ([200, 100, 50][i % 3] as number))).toBeLessThanOrEqual(4);
  const grey = await decode(file, 'uint8', [null, 8, 16]);
  expect(grey.shape).toEqual([8, 16]);
  // ITU-R BT.601: 0.299 red + 0.587 green + 0.114 blue.
  for (const value of grey.values as number[]) expect(Math.abs(value - 124)).toBeLessThanOrEqual(4);
});

describe('the size', () => {
  const bounded = (file: Uint8Array, maxImagePixels: number) =>
    decode(file, 'uint8', null, { by: { ...limits, maxImagePixels } });

  it.each([...files, ['jpeg', jpeg(2, 2, [1, 2, 3])] as const])('of a %s is bounded', async (_, file) => {
    expect((await bounded(file, 4)).shape).toEqual([2, 2, 3]);
    expect(await refusalOf(bounded(file, 3))).toBe(
      'input `x` has 4 pixels, more than 3 (--max-image-pixels)',
    );
  });

  it('that a file only says is refused before room is made for it', async () => {
    const claimed: number[] = [];
    const claim = (bytes: number) => claimed.push(bytes);
    const wide = Buffer.from(small);
    wide.writeUInt32BE(2 ** 31 - 1, 16);
    wide.writeUInt32BE(2 ** 31 - 1, 20);
    expect(await refusalOf(decode(wide, 'uint8', null, { claim }))).toMatch(/more than 8388608/);
    const tall = Buffer.from(bmp());
    tall.writeInt32LE(-(2 ** 31), 22);
    expect(await refusalOf(decode(tall, 'uint8', null, { claim }))).toMatch(/more than 8388608/);
    expect(claimed).toEqual([]);
    for (const dtype of ['uint8', 'float32'] as const) await decode(small, dtype, null, { claim });
    expect(claimed).toEqual([12, 12, 48, 12]);
  });

  it('of a GIF is that of all its frames', async () => {
    const file = Buffer.from(gif());
    const start = file.indexOf(0x2c);
    const frame = file.subarray(start, file.length - 1);
    const animated = Buffer.concat([file.subarray(0, start), ...Array(5).fill(frame), Buffer.of(0x3b)]);
    expect((await bounded(animated, 20)).shape).toEqual([2, 2, 3]);
    expect(await refusalOf(bounded(animated, 19))).toMatch(/has 20 pixels/);
  });

  it('of a JPEG counts once, and its scans are counted too', async () => {
    const file = jpeg(16, 16, [1, 2, 3]);
    const scan = Buffer.from(file).indexOf('ffda', 0, 'hex');
    const scans = file.subarray(scan, file.length - 2);
    const many = Buffer.concat([file.subarray(0, scan), ...Array(65).fill(scans), Buffer.of(0xff, 0xd9)]);
    expect(refusal(() => headerOf('jpeg', many))).toBe('x: the JPEG has more than 64 scans');
    // The size within a thumbnail is not that of the image.
    const thumbnail = Buffer.concat([Buffer.of(0xff, 0xe1, 0, 2 + file.length), file]);
    const second = jpeg(8, 8, [1, 2, 3]);
    const nested = Buffer.concat([second.subarray(0, 2), thumbnail.subarray(0, 4), file, second.subarray(2)]);
    nested.writeUInt16BE(2 + file.length, 4);
    expect(headerOf('jpeg', nested)).toMatchObject({ pixels: 64 });
  });
});

describe('a file of very many parts', () => {
  const repeated = (count: number, ...parts: (number[] | string)[]) =>
    Buffer.alloc(
      count * Buffer.concat(parts.map((part) => Buffer.from(part))).length,
      Buffer.concat(parts.map((part) => Buffer.from(part))),
    );
  const startOf = (file: Uint8Array, length: number) => Buffer.from(file.subarray(0, length));

  it.each([
    ['fill bytes', [0xff]],
    ['stuffed zeros', [0xff, 0]],
    ['restarts', [0xff, 0xd0]],
  ])('of a JPEG pauses: %s', (_, bytes) => {
    let pauses = 0;
    const file = Buffer.concat([Buffer.of(0xff, 0xd8), repeated(200_000, bytes)]);
    const read = () =>
      headerOf('jpeg', file, () => {
        pauses += 1;
      });
    expect(refusal(read)).toBe('x: the JPEG file ends too soon');
    expect(pauses).toBeGreaterThan(100);
  });

  it('is refused: segments of a JPEG', () => {
    const file = Buffer.concat([Buffer.of(0xff, 0xd8), repeated(70_000, [0xff, 0xe0, 0, 2])]);
    expect(refusal(() => headerOf('jpeg', file))).toBe('x: the JPEG has more than 65536 segments');
  });

  it('is refused: chunks of a PNG', () => {
    const start = startOf(small, 33);
    start[24] = 1;
    const file = Buffer.concat([start, repeated(70_000, [0, 0, 0, 0], 'abcd', [0, 0, 0, 0])]);
    expect(refusal(() => headerOf('png', file))).toBe(
      'x: the PNG has more than 65536 chunks before its pixels',
    );
  });

  it.each([
    ['extensions', [0x21, 0xfe, 0]],
    ['sub-blocks of a byte', [1, 0x61]],
  ])('is refused: %s of a GIF', (_, bytes) => {
    const file = Buffer.concat([
      Buffer.from('GIF89a'),
      Buffer.of(8, 0, 8, 0, 0, 0, 0, 0x21, 0xfe),
      ...(bytes.length === 3 ? [Buffer.of(0)] : []),
      repeated(300_000, bytes),
      Buffer.of(0, 0x3b),
    ]);
    let pauses = 0;
    const read = () =>
      headerOf('gif', file, () => {
        pauses += 1;
      });
    expect(refusal(read)).toBe('x: the GIF has more than 262144 blocks');
    expect(pauses).toBeGreaterThan(200);
  });

  it('is read: a GIF with a frame of a megabyte, of which the copy is claimed', () => {
    const file = gif();
    const end = file.length - 2;
    const long = Buffer.concat([
      startOf(file, end),
      repeated(4096, [255], 'a'.repeat(255)),
      Buffer.of(0, 0x3b),
    ]);
    const claims: number[] = [];
    const { decoded } = headerOf('gif', long, undefined, (bytes) => claims.push(bytes));
    expect(decoded?.length).toBeGreaterThan(2 ** 20);
    expect(claims).toEqual([decoded?.length]);
  });
});

it('whatever follows the first bytes, an answer or a refusal comes', async () => {
  let seed = 1;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed;
  };
  for (const [, file] of [...files, ['jpeg', jpeg(9, 5, [1, 2, 3])] as const]) {
    for (let round = 0; round < 300; round++) {
      const damaged = Uint8Array.from(file);
      for (let hit = 0; hit < 1 + (round % 3); hit++)
        damaged[8 + (random() % (damaged.length - 8))] = random() % 256;
      try {
        await decode(damaged, 'uint8', null, { by: { ...limits, maxImagePixels: 1000 } });
      } catch (error) {
        expect(error).toBeInstanceOf(ServingError);
      }
    }
  }
});

it.each([
  ['a palette in a BMP', Buffer.concat([Buffer.from('BM'), Buffer.alloc(52)])],
  ['a JPEG that ends', Buffer.of(0xff, 0xd8, 0xff)],
])('%s is no matter to an input that takes the file', async (_, file) => {
  expect((await decode(file, 'string', [null])).values).toEqual([file]);
});

it('other files are no images', async () => {
  for (const file of ['', 'RIFF....WEBP', '%PDF-1.7', '<svg/>'])
    expect(imageTensor(Buffer.from(file), () => {})).toBeUndefined();
});

describe('files of which the decoder would give wrong pixels', () => {
  const head = (bits: number, compression = 0, colours: readonly number[] = []) => {
    const file = Buffer.concat([Buffer.alloc(54), Buffer.from(colours.flat()), Buffer.alloc(32)]);
    file.write('BM', 'latin1');
    file.writeUInt32LE(54 + colours.length, 10);
    file.writeUInt32LE(40, 14);
    file.writeInt32LE(2, 18);
    file.writeInt32LE(2, 22);
    file.writeUInt16LE(1, 26);
    file.writeUInt16LE(bits, 28);
    file.writeUInt32LE(compression, 30);
    return file;
  };
  const masks = (...values: number[]) => Array.from(new Uint8Array(Uint32Array.from(values).buffer));

  it.each([
    ['a palette', head(8, 0, [255, 0, 0, 0]), /got one with a palette: send PNG/],
    ['16 bits', head(16), /got one of 16 bits|got 16 bits/],
    ['runs', head(8, 1), /got a compressed one/],
    ['other masks', head(32, 3, masks(0xff, 0xff00, 0xff0000)), /whose colours lie elsewhere/],
  ])('are refused: a BMP with %s', (_, file, message) => {
    expect(refusal(() => headerOf('bmp', file))).toMatch(message);
  });

  it('a BMP of 8 bits whose palette is grey is grey', async () => {
    const palette = Array.from({ length: 256 }, (_, i) => [i, i, i, 0]).flat();
    const file = Buffer.concat([
      head(8, 0, palette).subarray(0, 54 + 1024),
      Buffer.of(3, 4, 0, 0, 1, 2, 0, 0),
    ]);
    expect((await decode(file, 'uint8', [null, 2, 2, 1])).values).toEqual([1, 2, 3, 4]);
    expect((await decode(file, 'uint8', [null, 2, 2, 3])).values).toEqual([
      1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4,
    ]);
  });

  it('a BMP of 32 bits without a mask for opacity is opaque', async () => {
    const file = Buffer.concat([
      head(32).subarray(0, 54),
      Buffer.of(...new Array<number>(4).fill(9).flatMap(() => [3, 2, 1, 0])),
    ]);
    const { values } = await decode(file, 'uint8', [null, 2, 2, 4]);
    expect(values).toEqual([1, 2, 3, 255, 1, 2, 3, 255, 1, 2, 3, 255, 1, 2, 3, 255]);
  });

  it('a PNG of one bit is opaque', async () => {
    const file = lowPng(1, Buffer.of(0, 0b10000000, 0, 0b01000000));
    const { values } = await decode(file, 'uint8', [null, 2, 2, 4]);
    expect(values).toEqual([255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 255]);
    const transparent = lowPng(1, Buffer.of(0, 0, 0, 0), Buffer.of(0, 1));
    expect(await refusalOf(decode(transparent, 'uint8', [null, 2, 2, 4]))).toMatch(
      /less than 8 bits with transparency/,
    );
  });

  it('a CMYK, a lossless and a 12-bit JPEG', async () => {
    const frame = (marker: number, bits: number, parts: number) =>
      Buffer.concat([
        Buffer.of(0xff, 0xd8, 0xff, marker, 0, 8 + 3 * parts, bits, 0, 2, 0, 2, parts),
        Buffer.alloc(3 * parts),
      ]);
    expect(refusal(() => headerOf('jpeg', frame(0xc3, 8, 3)))).toMatch(/got a lossless one/);
    expect(refusal(() => headerOf('jpeg', frame(0xc1, 12, 3)))).toMatch(/got 12/);
    expect(refusal(() => headerOf('jpeg', frame(0xc0, 8, 4)))).toMatch(/which way its inks/);
  });
});

it('a BMP with bytes behind its pixels, as Jimp writes it, is decoded', async () => {
  const { values } = await decode(Buffer.concat([bmp(), Buffer.of(1, 1)]), 'uint8', null);
  expect(values).toEqual(colours);
});

it('a PNG that is cut off says where', async () => {
  const whole = Buffer.from(small);
  const told = (file: Uint8Array) => refusalOf(decode(file, 'uint8', null));
  const end = whole.indexOf('IEND') - 4;
  const withZeros = Buffer.concat([whole.subarray(0, end), Buffer.alloc(4)]);
  expect(await told(withZeros)).toBe('input `x`: the PNG is cut off: its end, the chunk IEND, is missing');
  const data = whole.indexOf('IDAT');
  expect(await told(whole.subarray(0, data + 7))).toBe(
    `input \`x\`: the PNG is cut off: its chunk IDAT has ${whole.readUInt32BE(data - 4)} bytes, and 3 are there`,
  );
});

it('JPEG-LS is named', () => {
  const file = Buffer.of(0xff, 0xd8, 0xff, 0xf7, 0, 11, 8, 0, 2, 0, 2, 1, 1, 0x11, 0);
  expect(refusal(() => headerOf('jpeg', file))).toBe('x: expected a JPEG, got JPEG-LS: send PNG');
});

it('formats that are not decoded are named', () => {
  expect(foreignImage(Buffer.from('P6\n13 7\n255\n'))).toBe('PPM');
  expect(foreignImage(Buffer.from('P5 13 7 255 '))).toBe('PGM');
  expect(foreignImage(Buffer.from('P6M'))).toBeUndefined();
  expect(foreignImage(Buffer.from('qoif....'))).toBe('QOI');
  expect(foreignImage(Buffer.of(0xff, 0x0a, 1))).toBe('JPEG XL');
  expect(foreignImage(Buffer.from('RIFF....WEBPVP8 '))).toBe('WebP');
  expect(foreignImage(Buffer.from('....ftypheic'))).toBe('HEIC');
  expect(foreignImage(Buffer.from('something else'))).toBeUndefined();
});

/** A grey PNG of 2 × 2 with so many bits a pixel. */
function lowPng(bits: number, rows: Uint8Array, transparent?: Uint8Array): Uint8Array {
  const chunk = (type: string, data: Uint8Array) => {
    const content = Buffer.concat([Buffer.from(type), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(content));
    return Buffer.concat([length, content, checksum]);
  };
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', Buffer.of(0, 0, 0, 2, 0, 0, 0, 2, bits, 0, 0, 0, 0)),
    ...(transparent ? [chunk('tRNS', transparent)] : []),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}
