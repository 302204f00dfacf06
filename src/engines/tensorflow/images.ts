/**
 * Image files into pixels, by TensorFlow's own decoders: on the addon's threads, or where there is no addon on this one.
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
  /** Row-major. */
  readonly data: Uint8Array;
  /** Gives the memory of `data` back. */
  release(): void;
}

/** The graph with a tensor for each decoder: `scripts/make_image_graph.py` writes it. */
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
      // Of several frames the first comes first.
      data: data.subarray(0, height * width * channels),
      release: () => {
        if (data.length >= binding.exposedBytes) binding.free(data.buffer);
      },
    };
  }
}

let native: NativeImages | undefined;

/**
 * From now on images are decoded by the addon.
 *
 * @param config under which its session is opened
 * @param atOnce images that are decoded at once: the addon's other threads are for runs of models
 */
export function decodeImagesBy(binding: NativeBinding, config: Uint8Array, atOnce: number): void {
  native ??= new NativeImages(binding, config, atOnce);
}

/** True if decoding leaves this thread to others. */
export function decodesOnThreads(): boolean {
  return native !== undefined;
}

/**
 * Decodes an image: of a GIF the first frame. How many pixels it asks for must have been checked.
 *
 * @param what names it in errors
 * @param wanted grey, colour, or colour and opacity, where the format can be decoded to it; a GIF is always colour, and a BMP
 * what it is
 * @throws ServingError (rejects) INVALID_ARGUMENT if it is damaged
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

/** It has no opacity. */
function jpegChannels(wanted: Channels): 1 | 3 {
  return wanted === 1 ? 1 : 3;
}

function decodeHere(bytes: Uint8Array, format: ImageFormat, wanted: Channels): Pixels {
  const decoded = openHere(bytes, format, wanted);
  try {
    const { dtype, shape, data } = viewTensor(decoded);
    const [height, width, channels] = shape.slice(-3) as [number, number, number];
    const values = viewOf(dtype as FixedDtype, data as Uint8Array);
    // tf.js has widened the bytes to int32; of several frames the first comes first.
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

/** TensorFlow adds where in its program it was. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}
