/**
 * Image files as tensors: pixels of as many channels as the signature asks for, or the file itself where it asks for a
 * string.
 */
import { invalidArgument } from '../errors.js';
import { type Dtype, dtypes, type FixedDtype } from '../runtime/dtypes.js';
import { type Channels, decodeImage, type Pixels } from '../runtime/images.js';
import { formatSpec, type TensorSpec } from '../runtime/signature.js';
import { allocate, toBfloat16, toFloat16 } from '../runtime/values.js';
import { type ImageHeader, readImageHeader } from './image-header.js';
import type { DeferredTensor, KnownTensor, WireLimits } from './wire.js';

/**
 * An image as an input. It is decoded once its signature is known, and then as [height, width, channels], or [height, width]
 * for an input that has no place for channels.
 *
 * @param what names it in errors
 * @param claim is told how many bytes the pixels take, before they are made; throws if there is no room
 * @returns undefined if the bytes are no JPEG, PNG, GIF or BMP
 */
export function imageTensor(
  what: string,
  bytes: Uint8Array,
  claim: (bytes: number) => void,
): DeferredTensor | undefined {
  const header = readImageHeader(what, bytes);
  if (!header) return undefined;
  return { kind: 'deferred', resolve: (spec, limits) => resolveImage(bytes, header, spec, limits, claim) };
}

function resolveImage(
  bytes: Uint8Array,
  { format, pixels }: ImageHeader,
  spec: TensorSpec,
  { maxImagePixels }: WireLimits,
  claim: (bytes: number) => void,
): KnownTensor {
  const { name, dtype } = spec;
  if (dtype === 'string') return { kind: 'plain', value: bytes };
  const what = `input \`${name}\``;
  if (!holdsBytes(dtype)) throw invalidArgument(`${what} takes ${formatSpec(spec)}, and an image came`);
  if (pixels > maxImagePixels)
    throw invalidArgument(`${what} has ${pixels} pixels, more than ${maxImagePixels} (--max-image-pixels)`);
  const channels = channelsOf(spec);
  claim(pixels * (channels ?? 1) * dtypes[dtype].size);
  const decoded = withChannels(what, decodeImage(what, bytes, format, channels ?? 1), channels ?? 1);
  const { height, width } = decoded;
  return {
    kind: 'typed',
    dtype,
    shape: channels === undefined ? [height, width] : [height, width, channels],
    data: dtype === 'uint8' ? decoded.data : convert(decoded.data, dtype),
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

/** True for the dtypes that hold every byte exactly. */
function holdsBytes(
  dtype: Dtype,
): dtype is Exclude<FixedDtype, 'bool' | 'int8' | 'complex64' | 'complex128'> {
  return !['bool', 'int8', 'complex64', 'complex128', 'string'].includes(dtype);
}

function convert(bytes: Uint8Array, dtype: FixedDtype): Uint8Array {
  const converted = allocate(dtype, bytes.length);
  const { values } = converted;
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const codeOf = dtype === 'float16' ? toFloat16 : toBfloat16;
    const codes = Uint16Array.from({ length: 256 }, (_, byte) => codeOf(byte));
    for (let i = 0; i < bytes.length; i++) values[i] = codes[bytes[i] as number] as number;
  } else if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    for (let i = 0; i < bytes.length; i++) values[i] = BigInt(bytes[i] as number);
  } else {
    values.set(bytes);
  }
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
