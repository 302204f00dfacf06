/**
 * Image files into pixels, by TensorFlow's own decoders.
 */
import { invalidArgument, messageOf } from '../errors.js';
import type { FixedDtype } from './dtypes.js';
import { tensorFlowJs } from './tensorflow.js';
import { type Tensor, viewTensor } from './tensors.js';
import { viewOf } from './values.js';

export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'bmp';

export type Channels = 1 | 3 | 4;

export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Row-major. */
  readonly data: Uint8Array;
}

/**
 * Decodes an image on the calling thread: of a GIF the first frame. How many pixels it asks for must have been checked.
 *
 * @param what names it in errors
 * @param wanted grey, colour, or colour and opacity, where the format can be decoded to it; a GIF is always colour, and a BMP
 * what it is
 * @throws ServingError INVALID_ARGUMENT if it is damaged
 */
export function decodeImage(what: string, bytes: Uint8Array, format: ImageFormat, wanted: Channels): Pixels {
  let decoded: Tensor | undefined;
  try {
    decoded = decode(bytes, format, wanted);
    const { dtype, shape, data } = viewTensor(decoded);
    const [height, width, channels] = shape.slice(-3) as [number, number, number];
    const values = viewOf(dtype as FixedDtype, data as Uint8Array);
    // tf.js has widened the bytes to int32; of several frames the first comes first.
    const pixels = new Uint8Array(values.subarray(0, height * width * channels) as Int32Array);
    return { height, width, channels, data: pixels };
  } catch (error) {
    throw invalidArgument(
      `${what} is a damaged ${format.toUpperCase()} file: ${firstLine(messageOf(error))}`,
    );
  } finally {
    decoded?.dispose();
  }
}

function decode(bytes: Uint8Array, format: ImageFormat, wanted: Channels): Tensor {
  const { node } = tensorFlowJs().tf;
  switch (format) {
    case 'jpeg':
      return node.decodeJpeg(bytes, wanted === 4 ? 3 : wanted);
    case 'png':
      return node.decodePng(bytes, wanted);
    case 'gif':
      return node.decodeGif(bytes);
    case 'bmp':
      return node.decodeBmp(bytes);
  }
}

/** TensorFlow adds where in its program it was. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}
