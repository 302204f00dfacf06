/** Reads the size of an image file without decoding a pixel. A file of a few bytes can ask for gigabytes. */

import type { ImageFormat } from '../../engines/tensorflow/images.js';
import { invalidArgument, ServingError } from '../../errors.js';
import { type Claim, inOneStep, type Steps } from '../../flow/steps.js';
import { countBmp } from './bmp-header.js';
import type { ImageFacts } from './facts.js';
import { countGif } from './gif-header.js';
import { countJpeg } from './jpeg-header.js';
import { countPng } from './png-header.js';

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
 * Reads the header of an image.
 *
 * @param what names the image in errors
 * @param claim is called before a copy of the file is made
 * @throws ServingError INVALID_ARGUMENT if the file ends before it says its size, or if no decoder here makes the right
 * pixels of it
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

/** Formats that are not decoded, each with its signature and the position of that. */
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
  [0, '\xff\x0a', 'JPEG XL'],
  [0, 'qoif', 'QOI'],
  [0, '8BPS', 'PSD'],
  [0, 'v/1\x01', 'OpenEXR'],
];

/** The name of an image format that is not decoded here; undefined for anything else. */
export function foreignImage(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  const [, netpbm] = /^P([1-7])[ \t\r\n]/.exec(start) ?? [];
  if (netpbm !== undefined) return netpbmNames[Number(netpbm) - 1];
  return foreign.find(([at, signature]) => start.startsWith(signature, at))?.[2];
}

/** The names of P1 to P7: first the text forms, then the binary ones, then the one with any number of channels. */
const netpbmNames = ['PBM', 'PGM', 'PPM', 'PBM', 'PGM', 'PPM', 'PAM'];
