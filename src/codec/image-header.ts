/**
 * What an image file says of its size, read without decoding a pixel: a file of a few bytes can ask for gigabytes.
 */
import { invalidArgument } from '../errors.js';
import type { ImageFormat } from '../runtime/images.js';
import { bounds } from './limits.js';

export interface ImageHeader {
  readonly format: ImageFormat;
  /** Of all frames together: as many as a decoder will make room for. */
  readonly pixels: number;
  /** Bytes that a decoder takes besides the pixels. */
  readonly workspace: number;
  /** How often a decoder goes over the pixels. */
  readonly passes: number;
  /** Its opacity is no such thing, whatever TensorFlow's decoder gives for it. */
  readonly isOpaque?: boolean;
  /** Why there is no grey, or no colour with opacity, to be had of it. */
  readonly withoutGrey?: string;
  readonly withoutOpacity?: string;
}

type Facts = Omit<ImageHeader, 'format'>;

const plainFacts = (pixels: number): Facts => ({ pixels, workspace: 0, passes: 1 });

const formats: readonly [signature: string, format: ImageFormat, count: (file: Buffer) => Facts][] = [
  ['\xff\xd8\xff', 'jpeg', countJpeg],
  ['\x89PNG\r\n\x1a\n', 'png', countPng],
  ['GIF8', 'gif', countGif],
  ['BM', 'bmp', countBmp],
];

/**
 * The format and size of a JPEG, PNG, GIF or BMP.
 *
 * @param what names it in errors
 * @returns undefined if the bytes are none of these
 * @throws ServingError INVALID_ARGUMENT if they end before they say their size
 */
export function readImageHeader(what: string, bytes: Uint8Array): ImageHeader | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = formats.find(([signature]) => file.toString('latin1', 0, signature.length) === signature);
  if (!found) return undefined;
  const [, format, count] = found;
  try {
    return { format, ...count(file) };
  } catch (error) {
    if (error instanceof RangeError)
      throw invalidArgument(`${what}: the ${format.toUpperCase()} file ends too soon`);
    throw error;
  }
}

/** Each scan of a progressive JPEG is a pass over all pixels. Encoders make about ten. */
const maxScans = bounds.jpegScans.most;

/** ITU T.81, annex B: segments of a marker and a length; behind a start of scan, data until the next marker. */
function countJpeg(file: Buffer): Facts {
  let pixels: number | undefined;
  let withoutGrey: string | undefined;
  let scans = 0;
  let position = 2;
  for (;;) {
    // After damage or the end a decoder takes no more scans than there are markers.
    position = file.indexOf(0xff, position);
    if (position < 0 || position + 1 >= file.length) break;
    const marker = file[position + 1] as number;
    if (marker === 0xd9) break;
    if (isStandalone(marker)) {
      position += marker === 0xff ? 1 : 2;
      continue;
    }
    if (isStartOfFrame(marker)) withoutGrey ??= checkFrame(file, position, marker);
    if (isStartOfFrame(marker)) pixels ??= file.readUInt16BE(position + 5) * file.readUInt16BE(position + 7);
    if (marker === 0xda) scans += 1;
    if (scans > maxScans) throw invalidArgument(`the JPEG has more than ${maxScans} scans`);
    position += 2 + file.readUInt16BE(position + 2);
  }
  if (pixels === undefined) throw new RangeError();
  // Coefficients of all pixels are kept until the last scan: two bytes for each of three colours.
  return {
    pixels,
    workspace: scans > 1 ? 6 * pixels : 0,
    passes: Math.max(scans, 1),
    ...(withoutGrey ? { withoutGrey } : {}),
  };
}

/** @returns why it cannot be had in grey; empty if it can. @throws ServingError INVALID_ARGUMENT for frames that TensorFlow cannot decode */
function checkFrame(file: Buffer, position: number, marker: number): string {
  const kind = marker === 0xc3 ? 'lossless' : marker > 0xc2 && marker < 0xc9 ? 'hierarchical' : undefined;
  if (kind) throw invalidArgument(`expected a baseline or progressive JPEG, got a ${kind} one: send PNG`);
  const bits = file.readUInt8(position + 4);
  if (bits !== 8) throw invalidArgument(`expected a JPEG of 8 bits, got ${bits}: send PNG`);
  return file.readUInt8(position + 9) === 4 ? 'a CMYK JPEG' : '';
}

/** Markers without a segment: fill bytes, stuffed zeros, restarts, starts of images. */
function isStandalone(marker: number): boolean {
  return marker === 0xff || marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8);
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which lie between them. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** https://www.w3.org/TR/png-3/#11IHDR */
function countPng(file: Buffer): Facts {
  const facts = plainFacts(file.readUInt32BE(16) * file.readUInt32BE(20));
  // TensorFlow takes the greatest value of so few bits for full opacity.
  if (file.readUInt8(24) >= 8) return facts;
  return hasTransparency(file)
    ? { ...facts, withoutOpacity: 'a PNG of less than 8 bits with transparency' }
    : { ...facts, isOpaque: true };
}

/** Looks for the chunk tRNS, which stands before the pixels. */
function hasTransparency(file: Buffer): boolean {
  for (let at = 8; at + 8 <= file.length; at += 12 + file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'tRNS') return true;
    if (type === 'IDAT') return false;
  }
  return false;
}

/** GIF89a, sections 18 to 26: decoders make every frame, each as large as the screen. */
function countGif(file: Buffer): Facts {
  const screen = file.readUInt16LE(6) * file.readUInt16LE(8);
  let pixels = 0;
  let position = 13 + colourTableBytes(file.readUInt8(10));
  for (;;) {
    const introducer = file.readUInt8(position);
    if (introducer === 0x3b) return plainFacts(Math.max(pixels, screen));
    if (introducer === 0x21) {
      position = skipSubBlocks(file, position + 2);
    } else if (introducer === 0x2c) {
      pixels += Math.max(screen, file.readUInt16LE(position + 5) * file.readUInt16LE(position + 7));
      position = skipSubBlocks(file, position + 11 + colourTableBytes(file.readUInt8(position + 9)));
    } else {
      throw invalidArgument('the GIF is damaged');
    }
  }
}

/** @param flags of which the highest says that there is a table, and the lowest three its size */
function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

function skipSubBlocks(file: Buffer, from: number): number {
  let position = from;
  for (let length = file.readUInt8(position); length > 0; length = file.readUInt8(position))
    position += length + 1;
  return position + 1;
}

/** BITMAPINFOHEADER; the height is negative where rows go from the top down. */
function countBmp(file: Buffer): Facts {
  const facts = plainFacts(Math.abs(file.readInt32LE(18)) * Math.abs(file.readInt32LE(22)));
  const [bits, compression] = [file.readUInt16LE(28), file.readUInt32LE(30)];
  const refuse = (what: string) => invalidArgument(`expected a BMP of 24 or 32 bits, got ${what}: send PNG`);
  if (file.readUInt32LE(14) < 40) throw refuse('one for OS/2');
  if (compression === bitFields && bits === 32) {
    if (!standardMasks.every((mask, i) => file.readUInt32LE(54 + 4 * i) === mask))
      throw refuse('one whose colours lie elsewhere');
    return file.readUInt32LE(14) >= 56 && file.readUInt32LE(66) === 0xff000000
      ? facts
      : { ...facts, isOpaque: true };
  }
  if (compression !== 0) throw refuse('a compressed one');
  if (bits === 8 && !isGreyPalette(file)) throw refuse('one with a palette');
  if (bits !== 8 && bits !== 24 && bits !== 32) throw refuse(`${bits} bits`);
  return bits === 32 ? { ...facts, isOpaque: true } : facts;
}

/** BI_BITFIELDS, with the masks of red, green and blue behind the header. */
const bitFields = 3;
const standardMasks = [0xff0000, 0xff00, 0xff];

/** TensorFlow gives the numbers of colours as grey, which they are if each colour is the grey of its number. */
function isGreyPalette(file: Buffer): boolean {
  const start = 14 + file.readUInt32LE(14);
  const count = file.readUInt32LE(46) || 256;
  if (count > 256) return false;
  for (let i = 0; i < count; i++) {
    const at = start + 4 * i;
    if ([0, 1, 2].some((channel) => file.readUInt8(at + channel) !== i)) return false;
  }
  return true;
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
];

/** The name of an image format that is not decoded here; undefined for anything else. */
export function foreignImage(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return foreign.find(([at, signature]) => start.startsWith(signature, at))?.[2];
}
