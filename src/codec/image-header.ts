/**
 * What an image file says of its size, read without decoding a pixel: a file of a few bytes can ask for gigabytes.
 */
import { invalidArgument, ServingError } from '../errors.js';
import type { ImageFormat } from '../runtime/images.js';
import { countBmp } from './bmp-header.js';
import { countGif } from './gif-header.js';
import { type ImageFacts, plainFacts } from './image-facts.js';
import { countJpeg } from './jpeg-header.js';
import { bounds } from './limits.js';
import { type Claim, inOneStep, Meter, type Steps } from './steps.js';

const signatures: readonly (readonly [start: string, format: ImageFormat])[] = [
  ['\xff\xd8\xff', 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['GIF8', 'gif'],
  ['BM', 'bmp'],
];

const readers: Readonly<Record<ImageFormat, (file: Buffer, claim: Claim) => Steps<ImageFacts>>> = {
  jpeg: countJpeg,
  png: countPng,
  gif: countGif,
  bmp: (file) => inOneStep(() => countBmp(file)),
};

/** The format of a JPEG, PNG, GIF or BMP by its first bytes; undefined for anything else. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 8));
  return signatures.find(([signature]) => start.startsWith(signature))?.[1];
}

/**
 * What the header of an image says.
 *
 * @param what names it in errors
 * @param claim is told what a copy of the file takes, before it is made
 * @throws ServingError INVALID_ARGUMENT if the file ends before it says its size, or is of a kind that no decoder here makes the
 * right pixels of
 */
export function* readImageHeader(
  what: string,
  format: ImageFormat,
  bytes: Uint8Array,
  claim: Claim,
): Steps<ImageFacts> {
  try {
    return yield* readers[format](Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), claim);
  } catch (error) {
    if (error instanceof RangeError)
      throw invalidArgument(`${what}: the ${format.toUpperCase()} file ends too soon`);
    if (error instanceof ServingError && error.code === 'INVALID_ARGUMENT')
      throw invalidArgument(`${what}: ${error.message}`);
    throw error;
  }
}

/** https://www.w3.org/TR/png-3/#11IHDR */
function* countPng(file: Buffer): Steps<ImageFacts> {
  const first = file.toString('latin1', 12, 16);
  if (first === 'CgBI') throw invalidArgument("expected a PNG, got Apple's variant of it: send PNG");
  if (first !== 'IHDR') throw invalidArgument('the PNG is damaged: it does not begin with its size');
  // Of colour TensorFlow makes a grey that depends on what the file says of its gamma.
  const isGrey = (file.readUInt8(25) & pngColour) === 0;
  const facts = { ...plainFacts(file.readUInt32BE(16) * file.readUInt32BE(20)), givesGrey: isGrey };
  // TensorFlow takes the greatest value of so few bits for full opacity.
  if (file.readUInt8(24) >= 8) return facts;
  return (yield* hasTransparency(file))
    ? { ...facts, withoutOpacity: 'a PNG of less than 8 bits with transparency' }
    : { ...facts, isOpaque: true };
}

/** The bit of the colour type that stands for colour. */
const pngColour = 2;

/** Looks for the chunk tRNS, which stands before the pixels. */
function* hasTransparency(file: Buffer): Steps<boolean> {
  const meter = new Meter();
  let chunks = 0;
  for (let at = 8; at + 8 <= file.length; at += 12 + file.readUInt32BE(at)) {
    chunks += 1;
    if (chunks > bounds.imageSegments.most)
      throw invalidArgument(`the PNG has more than ${bounds.imageSegments.most} chunks before its pixels`);
    if (meter.isDue()) yield;
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'tRNS') return true;
    if (type === 'IDAT') return false;
  }
  return false;
}

/** Formats that are not decoded, by what stands at a place of the file. */
const foreign: readonly (readonly [at: number, signature: string, name: string])[] = [
  [8, 'WEBP', 'WebP'],
  [4, 'ftypavif', 'AVIF'],
  [4, 'ftypavis', 'AVIF'],
  [4, 'ftyphei', 'HEIC'],
  [4, 'ftypmif1', 'HEIC'],
  [4, 'jP  ', 'JPEG 2000'],
  [4, 'JXL ', 'JPEG XL'],
  [0, 'II*', 'TIFF'],
  [0, 'MM\0*', 'TIFF'],
  [0, '<svg', 'SVG'],
  [0, '\0\0\x01\0', 'ICO'],
];

/** The name of an image format that is not decoded here; undefined for anything else. */
export function foreignImage(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return foreign.find(([at, signature]) => start.startsWith(signature, at))?.[2];
}
