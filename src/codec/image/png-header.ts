/** Reads the size and the depth of a PNG, and finds where a damaged one ends. */
import { invalidArgument } from '../../errors.js';
import { Meter, type Steps } from '../../flow/steps.js';
import { bounds } from '../../tensors/limits.js';
import { type ImageFacts, plainFacts } from './facts.js';

/** Reads the chunk IHDR (https://www.w3.org/TR/png-3/#11IHDR). */
export function* countPng(file: Buffer): Steps<ImageFacts> {
  const first = file.toString('latin1', 12, 16);
  if (first === 'CgBI') throw invalidArgument("expected a PNG, got Apple's variant of it: send PNG");
  if (first !== 'IHDR') throw invalidArgument('the PNG is damaged: it does not begin with its size');
  // TensorFlow makes grey from colour in a way that depends on the file's gamma.
  const isGrey = (file.readUInt8(25) & pngColour) === 0;
  const facts = { ...plainFacts(file.readUInt32BE(16) * file.readUInt32BE(20)), givesGrey: isGrey };
  // With fewer than 8 bits, TensorFlow takes the greatest value for full opacity.
  if (file.readUInt8(24) >= 8) return facts;
  return (yield* hasTransparency(file))
    ? { ...facts, withoutOpacity: 'a PNG of less than 8 bits with transparency' }
    : { ...facts, isOpaque: true };
}

/** The bit of the colour type that means colour. */
const pngColour = 2;

/** Looks for the chunk tRNS, which comes before the pixels. */
function* hasTransparency(file: Buffer): Steps<boolean> {
  const meter = new Meter();
  let chunks = 0;
  for (let at = 8; at + 8 <= file.length; at += 12 + file.readUInt32BE(at)) {
    chunks += 1;
    if (chunks > bounds.imageSegments.most)
      throw invalidArgument(`the PNG has more than ${bounds.imageSegments.most} chunks before its pixels`);
    if (meter.isDue()) yield;
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'tRNS') return true;
    if (type === 'IDAT') return false;
  }
  return false;
}

/** Says which part of a refused PNG is missing; undefined if all its chunks are there. */
export function* whereCut(bytes: Uint8Array): Steps<string | undefined> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const meter = new Meter();
  let chunks = 0;
  for (let at = 8; ; chunks += 1) {
    if (meter.isDue()) yield;
    if (chunks > bounds.imageSegments.most) return undefined;
    const type = at + 8 <= file.length ? file.toString('latin1', at + 4, at + 8) : '';
    // Some encoders write zeros at the end.
    if (!/^[A-Za-z]{4}$/.test(type)) return 'its end, the chunk IEND, is missing';
    if (type === 'IEND') return undefined;
    const [size, left] = [file.readUInt32BE(at), file.length - at - 8];
    if (size > left) return `its chunk ${type} has ${size} bytes, and ${left} are there`;
    at += 12 + size;
  }
}
