/** Reads the size, the channels and the scans of a JPEG (ITU T.81). */
import { invalidArgument } from '../../errors.js';
import { Meter, type Steps } from '../../flow/steps.js';
import { bounds } from '../../tensors/limits.js';
import type { ImageFacts } from './facts.js';

/** The most scans. Each scan of a progressive JPEG is a pass over all pixels, and encoders make about ten. */
const maxScans = bounds.jpegScans.most;

/**
 * Reads a JPEG (ITU T.81, annex B). A segment has a marker and a length. Data follows a start of scan, up to the next
 * marker.
 */
export function* countJpeg(file: Buffer): Steps<ImageFacts> {
  let frame: JpegFrame | undefined;
  let hasAdobe = false;
  let scans = 0;
  let segments = 0;
  const meter = new Meter();
  let position = 2;
  for (;;) {
    if (meter.isDue()) yield;
    // After damage or the end, a decoder makes no more scans than there are markers.
    if (file[position] !== 0xff) position = file.indexOf(0xff, position);
    if (position < 0 || position + 1 >= file.length) break;
    const marker = file[position + 1] as number;
    if (marker === 0xd9) break;
    if (isStandalone(marker)) {
      position += marker === 0xff ? 1 : 2;
      continue;
    }
    segments += 1;
    if (segments > bounds.imageSegments.most)
      throw invalidArgument(`the JPEG has more than ${bounds.imageSegments.most} segments`);
    if (marker === 0xf7) throw invalidArgument('expected a JPEG, got JPEG-LS: send PNG');
    if (isStartOfFrame(marker)) frame ??= readFrame(file, position, marker);
    if (marker === 0xee && file.toString('latin1', position + 4, position + 9) === 'Adobe') hasAdobe = true;
    if (marker === 0xda) scans += 1;
    if (scans > maxScans) throw invalidArgument(`the JPEG has more than ${maxScans} scans`);
    position += 2 + file.readUInt16BE(position + 2);
  }
  if (!frame) throw new RangeError();
  const { pixels, channels } = frame;
  if (channels === 4 && !hasAdobe)
    throw invalidArgument(
      'expected a JPEG in grey or colour, got one in CMYK that does not say which way its inks count: send PNG',
    );
  // The coefficients of all pixels are kept until the last scan: two bytes for each of three colours.
  return {
    pixels,
    workspace: scans > 1 ? 6 * pixels : 0,
    passes: Math.max(scans, 1),
    givesGrey: channels !== 4,
  };
}

interface JpegFrame {
  readonly pixels: number;
  readonly channels: number;
}

/** @throws ServingError INVALID_ARGUMENT for frames that TensorFlow cannot decode */
function readFrame(file: Buffer, position: number, marker: number): JpegFrame {
  const kind = marker === 0xc3 ? 'lossless' : marker > 0xc2 && marker < 0xc9 ? 'hierarchical' : undefined;
  if (kind) throw invalidArgument(`expected a baseline or progressive JPEG, got a ${kind} one: send PNG`);
  const bits = file.readUInt8(position + 4);
  if (bits !== 8) throw invalidArgument(`expected a JPEG of 8 bits, got ${bits}: send PNG`);
  return {
    pixels: file.readUInt16BE(position + 5) * file.readUInt16BE(position + 7),
    channels: file.readUInt8(position + 9),
  };
}

/** True for markers without a segment: fill bytes, stuffed zeros, restarts, starts of images. */
function isStandalone(marker: number): boolean {
  return marker === 0xff || marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8);
}

/** True for SOF0 to SOF15. DHT, JPG and DAC lie between them and are no frames. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
