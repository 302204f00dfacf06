/**
 * Decodes image files into pixels with TensorFlow's own decoders: on the threads of the addon, or without the addon on
 * this thread.
 */
import { fileURLToPath } from 'node:url';
import { invalidArgument, messageOf } from '../../errors.js';
import { Permits } from '../../flow/permits.js';
import { dtypes, type FixedDtype } from '../../tensors/dtypes.js';
import { viewOf } from '../../tensors/values.js';
import { tensorFlowJs } from '../../tfjs/open.js';
import { type Tensor, viewTensor } from '../../tfjs/tensors.js';
import type { CallHandle, NativeBinding, SessionHandle } from './native.js';

export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'bmp';

export type Channels = 1 | 3 | 4;

export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** The pixels, row-major. */
  readonly data: Uint8Array;
  /** Releases the memory of `data`. */
  release(): void;
}

/** The graph with a tensor for each decoder. `scripts/make_image_graph.py` writes it. */
const graph = fileURLToPath(new URL('../../../native/images', import.meta.url));

/** Decodes on threads of the addon. */
class NativeImages {
  private session: Promise<SessionHandle> | undefined;
  private readonly calls = new Map<string, CallHandle>();

  private readonly permits: Permits;

  constructor(
    private readonly binding: NativeBinding,
    private readonly config: Uint8Array,
    atOnce: number,
  ) {
    this.permits = new Permits(atOnce);
  }

  decode(bytes: Uint8Array, decoder: string): Promise<Pixels> {
    return this.permits.run(() => this.decodeNow(bytes, decoder));
  }

  private async decodeNow(bytes: Uint8Array, decoder: string): Promise<Pixels> {
    const { binding } = this;
    this.session ??= binding.loadSession(graph, ['serve'], this.config);
    const session = await this.session;
    let call = this.calls.get(decoder);
    call ??= binding.prepare(session, ['file'], [decoder]);
    this.calls.set(decoder, call);
    const [[output]] = await binding.run(session, call, [[dtypes.string.tf, [], [bytes]]], null);
    const [, shape = [], data] = output ?? [];
    if (!(data instanceof Uint8Array)) throw new Error('an image decoder gave no bytes');
    const [height, width, channels] = shape.slice(-3) as [number, number, number];
    return {
      height,
      width,
      channels,
      // The first of several frames comes first.
      data: data.subarray(0, height * width * channels),
      release: () => {
        if (data.length >= binding.exposedBytes) binding.free(data.buffer);
      },
    };
  }
}

let native: NativeImages | undefined;

/**
 * Uses the addon to decode images from now on.
 *
 * @param config is used to open its session
 * @param atOnce is the most images that are decoded at a time: the other threads of the addon run models
 */
export function decodeImagesBy(binding: NativeBinding, config: Uint8Array, atOnce: number): void {
  native ??= new NativeImages(binding, config, atOnce);
}

/** True if decoding does not hold this thread. */
export function decodesOnThreads(): boolean {
  return native !== undefined;
}

/**
 * Decodes an image; of a GIF the first frame. The caller must have checked the number of pixels.
 *
 * @param what names the image in errors
 * @param wanted is grey, colour, or colour with opacity, if the format can be decoded to it. A GIF always gives colour,
 * and a BMP gives what it has
 * @throws ServingError (rejects) INVALID_ARGUMENT if the image is damaged
 */
export async function decodeImage(
  what: string,
  bytes: Uint8Array,
  format: ImageFormat,
  wanted: Channels,
): Promise<Pixels> {
  try {
    return await (native
      ? native.decode(bytes, decoderOf(format, wanted))
      : decodeHere(bytes, format, wanted));
  } catch (error) {
    throw invalidArgument(
      `${what} is a damaged ${format.toUpperCase()} file: ${firstLine(messageOf(error))}`,
    );
  }
}

function decoderOf(format: ImageFormat, wanted: Channels): string {
  switch (format) {
    case 'jpeg':
      return `jpeg_${jpegChannels(wanted)}`;
    case 'png':
      return `png_${wanted}`;
    case 'gif':
      return 'gif_3';
    case 'bmp':
      return 'bmp_0';
  }
}

/** The channels of a JPEG, which has no opacity. */
function jpegChannels(wanted: Channels): 1 | 3 {
  return wanted === 1 ? 1 : 3;
}

function decodeHere(bytes: Uint8Array, format: ImageFormat, wanted: Channels): Pixels {
  const decoded = openHere(bytes, format, wanted);
  try {
    const { dtype, shape, data } = viewTensor(decoded);
    const [height, width, channels] = shape.slice(-3) as [number, number, number];
    const values = viewOf(dtype as FixedDtype, data as Uint8Array);
    // tf.js has widened the bytes to int32. The first of several frames comes first.
    const pixels = new Uint8Array(values.subarray(0, height * width * channels) as Int32Array);
    return { height, width, channels, data: pixels, release: () => {} };
  } finally {
    decoded.dispose();
  }
}

function openHere(bytes: Uint8Array, format: ImageFormat, wanted: Channels): Tensor {
  const { node } = tensorFlowJs().tf;
  switch (format) {
    case 'jpeg':
      return node.decodeJpeg(bytes, jpegChannels(wanted), 1, true, false, 1, 'INTEGER_ACCURATE');
    case 'png':
      return node.decodePng(bytes, wanted);
    case 'gif':
      return node.decodeGif(bytes);
    case 'bmp':
      return node.decodeBmp(bytes);
  }
}

/** The first line. TensorFlow adds the place in its program after it. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}
