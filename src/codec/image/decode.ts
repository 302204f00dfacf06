/**
 * Decodes image files into tensors with as many channels as the signature asks for. An input of strings gets the file
 * itself.
 */

import { formatSpec, type TensorSpec } from '../../engines/signature.js';
import {
  type Channels,
  decodeImage,
  decodesOnThreads,
  type ImageFormat,
  type Pixels,
} from '../../engines/tensorflow/images.js';
import { invalidArgument } from '../../errors.js';
import { type Claim, inOneStep, type Steps, settled } from '../../flow/steps.js';
import { type Dtype, dtypes, type FixedDtype } from '../../tensors/dtypes.js';
import { pieceBytes } from '../../tensors/limits.js';
import { allocate, toBfloat16, toFloat16 } from '../../tensors/values.js';
import { takesAnyFile } from '../form/file-inputs.js';
import type { DeferredTensor, KnownTensor, WireLimits } from '../wire.js';
import type { ImageFacts } from './facts.js';
import { foreignImage, imageFormatOf, readImageHeader } from './header.js';
import { whereCut } from './png-header.js';

/**
 * An image as an input. It is decoded once the signature is known, into [height, width, channels], or into [height,
 * width] for an input without a dim for channels.
 *
 * @param claim is called with the bytes that the pixels take, before they are made; it throws if there is no room
 * @returns undefined if the bytes are no JPEG, PNG, GIF or BMP
 */
export function imageTensor(bytes: Uint8Array, claim: Claim): DeferredTensor | undefined {
  const format = imageFormatOf(bytes);
  if (!format) return undefined;
  return { kind: 'deferred', resolve: (spec, limits) => resolveImage(bytes, format, spec, limits, claim) };
}

/**
 * The most pixels, and pixels times scans, without the addon. Decoding then holds the event loop, and these take about
 * 50 ms.
 */
const mostHere = { pixels: 2 ** 21, passes: 2 ** 23 };

function* resolveImage(
  bytes: Uint8Array,
  format: ImageFormat,
  spec: TensorSpec,
  { maxImagePixels }: WireLimits,
  claim: Claim,
): Steps<KnownTensor> {
  const { name, dtype } = spec;
  if (dtype === 'string') return { kind: 'plain', value: bytes };
  const what = `input \`${name}\``;
  if (!holdsBytes(dtype)) throw invalidArgument(`${what}: expected ${formatSpec(spec)}, got an image`);
  const header = yield* readImageHeader(what, format, bytes, claim);
  const { pixels, workspace, passes } = header;
  if (pixels > maxImagePixels)
    throw invalidArgument(`${what} has ${pixels} pixels, more than ${maxImagePixels} (--max-image-pixels)`);
  if (!decodesOnThreads() && (pixels > mostHere.pixels || pixels * passes > mostHere.passes))
    throw invalidArgument(
      `${what} has ${pixels} pixels in ${passes} scans, more than is decoded with --runtime tfjs: send a smaller image`,
    );
  const channels = channelsOf(spec);
  if (channels === 4 && header.withoutOpacity)
    throw invalidArgument(
      `${what} takes colour with opacity, which ${header.withoutOpacity} is not decoded to: send a PNG of 8 bits`,
    );
  const wanted = channels ?? 1;
  const asked = askedOf(format, header, wanted);
  claim(pixels * wanted * dtypes[dtype].size, 'unpacked');
  // The decoder needs memory for its pixels and for its work.
  claim(pixels * (format === 'bmp' ? 4 : asked) + workspace);
  if (asked !== wanted) claim(pixels * wanted);
  const decoded = yield* decodedOf(what, format, header.decoded ?? bytes, asked);
  try {
    const { height, width } = decoded;
    checkSize(spec, channels === undefined ? 2 : 3, height, width);
    const isOpaque = header.isOpaque ?? false;
    const values = yield* withChannels(decoded, wanted, isOpaque);
    return {
      kind: 'typed',
      dtype,
      shape: channels === undefined ? [height, width] : [height, width, channels],
      data: yield* convert(values, dtype),
    };
  } finally {
    decoded.release();
  }
}

/** Decodes an image. @throws ServingError INVALID_ARGUMENT saying where a PNG is cut off, or what the decoder says */
function* decodedOf(what: string, format: ImageFormat, bytes: Uint8Array, channels: Channels): Steps<Pixels> {
  try {
    return yield* settled(decodeImage(what, bytes, format, channels));
  } catch (error) {
    const cut = format === 'png' ? yield* whereCut(bytes) : undefined;
    if (cut === undefined) throw error;
    throw invalidArgument(`${what}: the PNG is cut off: ${cut}`);
  }
}

/**
 * @param rank of the pixels
 * @throws ServingError INVALID_ARGUMENT if the signature has another size
 */
function checkSize({ name, shape }: TensorSpec, rank: number, height: number, width: number): void {
  // The input is no image. Matching its shape later refuses it, if need be.
  if (shape === null || shape.length < 3) return;
  const [rows = null, columns = null] = shape.slice(-rank);
  if ((rows ?? height) === height && (columns ?? width) === width) return;
  const wanted = `a height of ${rows ?? 'any size'} and a width of ${columns ?? 'any size'}`;
  throw invalidArgument(
    `input \`${name}\`: expected an image with ${wanted}, got ${height} and ${width}. Images are not resized here. Resize it ` +
      'before you send it, or serve the model with a handler that does (docs/handlers.md, examples/handlers/resize)',
  );
}

/**
 * The channels to ask the decoder for. We do not ask for the opacity of an opaque PNG, nor for grey that the decoder
 * makes in its own way.
 */
function askedOf(format: ImageFormat, { isOpaque, givesGrey }: ImageFacts, wanted: Channels): Channels {
  if (wanted === 4 && isOpaque && format === 'png') return 3;
  return wanted === 1 && !givesGrey ? 3 : wanted;
}

/** A file of an image format that is not decoded here. An input of strings or bytes takes it as it is. */
export function foreignTensor(name: string, bytes: Uint8Array): DeferredTensor | undefined {
  const format = foreignImage(bytes);
  if (format === undefined) return undefined;
  return {
    kind: 'deferred',
    resolve: (spec) =>
      inOneStep(() => {
        if (takesAnyFile(spec, bytes.length)) return { kind: 'plain', value: bytes };
        throw invalidArgument(
          `input \`${name || spec.name}\`: expected JPEG, PNG, GIF or BMP, got ${format}`,
        );
      }),
  };
}

/**
 * The number of channels that the input has room for. It is undefined if the input has no dim for channels: it gets
 * grey.
 */
function channelsOf({ shape }: TensorSpec): Channels | undefined {
  if (shape === null) return 3;
  const last = shape.at(-1);
  if (shape.length < 3 || last === undefined) return undefined;
  if (last === null) return 3;
  return last === 1 || last === 3 || last === 4 ? last : undefined;
}

/** True for a dtype that holds every byte exactly. */
function holdsBytes(
  dtype: Dtype,
): dtype is Exclude<FixedDtype, 'bool' | 'int8' | 'complex64' | 'complex128'> {
  return !['bool', 'int8', 'complex64', 'complex128', 'string'].includes(dtype);
}

/** Converts the bytes to another dtype. uint8 gets a copy, because the decoder's memory is released. */
function* convert(bytes: Uint8Array, dtype: FixedDtype): Steps<Uint8Array> {
  const converted = allocate(dtype, bytes.length);
  const { values } = converted;
  const codes = codesOf(dtype);
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const end = Math.min(from + pieceBytes, bytes.length);
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      for (let i = from; i < end; i++) values[i] = BigInt(bytes[i] as number);
    } else if (codes) {
      for (let i = from; i < end; i++) values[i] = codes[bytes[i] as number] as number;
    } else {
      values.set(bytes.subarray(from, end), from);
    }
    yield;
  }
  return converted.bytes;
}

/** The bits of a half float for each byte. */
function codesOf(dtype: FixedDtype): Uint16Array | undefined {
  if (dtype !== 'float16' && dtype !== 'bfloat16') return undefined;
  const codeOf = dtype === 'float16' ? toFloat16 : toBfloat16;
  return Uint16Array.from({ length: 256 }, (_, byte) => codeOf(byte));
}

/**
 * Makes the wanted channels where the decoder gives others: grey from colour, colour from grey, opacity removed or
 * added.
 */
function* withChannels(pixels: Pixels, wanted: Channels, isOpaque: boolean): Steps<Uint8Array> {
  const { channels, height, width, data } = pixels;
  if (channels === wanted && !(wanted === 4 && isOpaque)) return data;
  const made = new Uint8Array(height * width * wanted).fill(255);
  const count = Math.min(wanted, 3);
  for (let from = 0, to = 0; to < made.length; from += channels, to += wanted) {
    if (wanted === 1) made[to] = greyOf(data, from);
    else for (let c = 0; c < count; c++) made[to + c] = data[from + (channels === 1 ? 0 : c)] as number;
    if (from % pieceBytes < channels) yield;
  }
  return made;
}

/**
 * The grey of a pixel by ITU-R BT.601 (0.299 red, 0.587 green, 0.114 blue) in 16 bits, rounded to the nearest, as
 * Pillow computes it.
 */
function greyOf(data: Uint8Array, at: number): number {
  const [red, green, blue] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}
