/**
 * Image files as tensors: pixels of as many channels as the signature asks for, or the file itself where it asks for a
 * string.
 */
import { invalidArgument } from '../errors.js';
import type { Dtype, FixedDtype } from '../runtime/dtypes.js';
import { type Channels, decodeImage, type Pixels } from '../runtime/images.js';
import { formatSpec, type TensorSpec } from '../runtime/signature.js';
import { allocate, toBfloat16, toFloat16 } from '../runtime/values.js';
import { readImageHeader } from './image-header.js';
import type { DeferredTensor, KnownTensor, WireLimits } from './wire.js';

/**
 * An image as an input. It is decoded once its signature is known, and then as [height, width, channels], or [height, width]
 * for an input that has no place for channels.
 *
 * @param claim is told how many bytes the pixels take, before they are made; throws if there is no room
 * @returns undefined if the bytes are no JPEG, PNG, GIF or BMP
 */
export function imageTensor(bytes: Uint8Array, claim: (bytes: number) => void): DeferredTensor | undefined {
  if (!readImageHeader('the image', bytes)) return undefined;
  return { kind: 'deferred', resolve: (spec, limits) => resolveImage(bytes, spec, limits, claim) };
}

function resolveImage(
  bytes: Uint8Array,
  spec: TensorSpec,
  { maxImagePixels }: WireLimits,
  claim: (bytes: number) => void,
): KnownTensor {
  if (spec.dtype === 'string') return { kind: 'plain', value: bytes };
  const what = `input \`${spec.name}\``;
  const code = codeOf(spec.dtype);
  if (!code) throw invalidArgument(`${what} takes ${formatSpec(spec)}, and an image came`);
  const header = readImageHeader(what, bytes);
  if (!header) throw invalidArgument(`${what} is no image`);
  const { format, pixels } = header;
  if (pixels > maxImagePixels)
    throw invalidArgument(`${what} has ${pixels} pixels, more than ${maxImagePixels} (--max-image-pixels)`);
  const channels = channelsOf(spec);
  claim(pixels * (channels ?? 1));
  const decoded = withChannels(what, decodeImage(what, bytes, format, channels ?? 1), channels ?? 1);
  const { height, width } = decoded;
  return {
    kind: 'typed',
    dtype: spec.dtype,
    shape: channels === undefined ? [height, width] : [height, width, channels],
    data: spec.dtype === 'uint8' ? decoded.data : convert(decoded.data, spec.dtype, code),
  };
}

/** The channels that the input has room for; undefined if it has no dim for them, and takes grey. */
function channelsOf({ shape }: TensorSpec): Channels | undefined {
  if (shape === null) return 3;
  const last = shape.at(-1);
  if (shape.length < 3 || last === undefined) return undefined;
  if (last === null) return 3;
  return last === 1 || last === 3 || last === 4 ? last : undefined;
}

/** What stands for a byte in an array of the dtype; undefined for those that hold no bytes. */
function codeOf(dtype: Dtype): ((byte: number) => number | bigint) | undefined {
  switch (dtype) {
    case 'float16':
      return toFloat16;
    case 'bfloat16':
      return toBfloat16;
    case 'int64':
    case 'uint64':
      return BigInt;
    case 'bool':
    case 'int8':
    case 'complex64':
    case 'complex128':
    case 'string':
      return undefined;
    default:
      return (byte) => byte;
  }
}

function convert(bytes: Uint8Array, dtype: Dtype, code: (byte: number) => number | bigint): Uint8Array {
  const codes = Array.from({ length: 256 }, (_, byte) => code(byte));
  const converted = allocate(dtype as FixedDtype, bytes.length);
  for (const [i, byte] of bytes.entries()) converted.values[i] = codes[byte] as number;
  return converted.bytes;
}

/** Where the decoder could not give what is wanted: grey as colour, and opacity left out or full. */
function withChannels(what: string, pixels: Pixels, wanted: Channels): Pixels {
  const { channels, height, width, data } = pixels;
  if (channels === wanted) return pixels;
  if (wanted === 1)
    throw invalidArgument(`${what} takes grey, and a file in colour of this format stays so: send PNG`);
  const made = new Uint8Array(height * width * wanted).fill(255);
  const count = Math.min(wanted, 3);
  for (let from = 0, to = 0; to < made.length; from += channels, to += wanted) {
    for (let c = 0; c < count; c++) made[to + c] = data[from + (channels === 1 ? 0 : c)] as number;
  }
  return { height, width, channels: wanted, data: made };
}
