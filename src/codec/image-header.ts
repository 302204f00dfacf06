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
    if (isStartOfFrame(marker)) pixels ??= file.readUInt16BE(position + 5) * file.readUInt16BE(position + 7);
    if (marker === 0xda) scans += 1;
    if (scans > maxScans) throw invalidArgument(`the JPEG has more than ${maxScans} scans`);
    position += 2 + file.readUInt16BE(position + 2);
  }
  if (pixels === undefined) throw new RangeError();
  // Coefficients of all pixels are kept until the last scan: two bytes for each of three colours.
  return { pixels, workspace: scans > 1 ? 6 * pixels : 0, passes: Math.max(scans, 1) };
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
  return plainFacts(file.readUInt32BE(16) * file.readUInt32BE(20));
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
  return plainFacts(Math.abs(file.readInt32LE(18)) * Math.abs(file.readInt32LE(22)));
}
