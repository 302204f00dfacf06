/**
 * Decodes image files into pixels, in JavaScript alone. Each decoder is imported when the first file of its format
 * comes.
 */
import { messageOf, ServingError } from '../errors.js';

/** Pixels, row-major, as red, green and blue. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** width × height × 3 bytes. */
  readonly rgb: Uint8Array;
}

interface Decoded {
  readonly width: number;
  readonly height: number;
  /** Drops the last of the four bytes of each pixel, so that the colour below a transparency shows. */
  readonly rgba: Uint8Array;
}

const formats: readonly [signature: string, decode: (file: Buffer) => Promise<Decoded>][] = [
  ['\xff\xd8\xff', decodeJpeg],
  ['\x89PNG\r\n\x1a\n', decodePng],
  ['GIF8', decodeGif],
  ['BM', decodeBmp],
];

/**
 * Decodes a JPEG, PNG, GIF (its first frame) or BMP.
 *
 * @returns undefined if the file is none of these
 * @throws ServingError DATA_LOSS if the file is damaged
 */
export async function decodeImage(name: string, file: Buffer): Promise<Pixels | undefined> {
  const decode = formats.find(
    ([signature]) => file.toString('latin1', 0, signature.length) === signature,
  )?.[1];
  if (!decode) return undefined;
  const { width, height, rgba } = await decode(file).catch((error) => {
    throw new ServingError('DATA_LOSS', `${name} cannot be decoded: ${messageOf(error)}`);
  });
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = rgba[from] as number;
    rgb[to + 1] = rgba[from + 1] as number;
    rgb[to + 2] = rgba[from + 2] as number;
  }
  return { width, height, rgb };
}

async function decodeJpeg(file: Buffer): Promise<Decoded> {
  const { default: jpeg } = await import('jpeg-js');
  const { width, height, data } = jpeg.decode(file, { useTArray: true, tolerantDecoding: false });
  return { width, height, rgba: data };
}

async function decodePng(file: Buffer): Promise<Decoded> {
  const { PNG } = await import('pngjs');
  const { width, height, data } = PNG.sync.read(file);
  return { width, height, rgba: data };
}

async function decodeGif(file: Buffer): Promise<Decoded> {
  const { GifReader } = await import('omggif');
  const reader = new GifReader(file);
  const { width, height } = reader;
  const rgba = new Uint8Array(width * height * 4);
  reader.decodeAndBlitFrameRGBA(0, rgba);
  return { width, height, rgba };
}

async function decodeBmp(file: Buffer): Promise<Decoded> {
  const { decode } = await import('bmp-ts');
  const { width, height, data } = decode(file, { toRGBA: true });
  return { width, height: Math.abs(height), rgba: data };
}
