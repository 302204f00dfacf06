/** Reads the size, the depth and the masks of a BMP. */
import { invalidArgument } from '../../errors.js';
import { type ImageFacts, plainFacts } from './facts.js';

/** Reads the BITMAPINFOHEADER. A negative height means that the rows go from the top down. */
export function countBmp(file: Buffer): ImageFacts {
  const pixels = Math.abs(file.readInt32LE(18)) * Math.abs(file.readInt32LE(22));
  const facts = { ...plainFacts(pixels), ...withoutRest(file) };
  const [bits, compression] = [file.readUInt16LE(28), file.readUInt32LE(30)];
  const refuse = (what: string) => invalidArgument(`expected a BMP of 24 or 32 bits, got ${what}: send PNG`);
  const header = file.readUInt32LE(14);
  if (header < 40) throw refuse('one for OS/2');
  if (!bmpHeaders.includes(header)) throw refuse(`one with a header of ${header} bytes`);
  if (compression === bitFields && bits === 32 && header !== 64) {
    if (!standardMasks.every((mask, i) => file.readUInt32LE(54 + 4 * i) === mask))
      throw refuse('one whose colours lie elsewhere');
    return header >= 56 && file.readUInt32LE(66) === 0xff000000 ? facts : { ...facts, isOpaque: true };
  }
  if (compression !== 0) throw refuse('a compressed one');
  if (bits === 8 && !isGreyPalette(file)) throw refuse('one with a palette');
  if (bits !== 8 && bits !== 24 && bits !== 32) throw refuse(`one of ${bits} ${bits === 1 ? 'bit' : 'bits'}`);
  return bits === 32 ? { ...facts, isOpaque: true } : facts;
}

/** The file up to the end of its pixels. Jimp writes more bytes, and TensorFlow refuses them. */
function withoutRest(file: Buffer): Pick<ImageFacts, 'decoded'> {
  const [start, bits] = [file.readUInt32LE(10), file.readUInt16LE(28)];
  const rowBytes = Math.ceil((bits * Math.abs(file.readInt32LE(18))) / 32) * 4;
  const end = start + rowBytes * Math.abs(file.readInt32LE(22));
  const isPlaced = start >= 14 + file.readUInt32LE(14);
  return isPlaced && file.length > end ? { decoded: file.subarray(0, end) } : {};
}

/** The sizes of Windows' headers (no masks, three, four, version 4 and version 5). 64 is the second version of OS/2. */
const bmpHeaders = [40, 52, 56, 64, 108, 124];

/** BI_BITFIELDS: the masks of red, green and blue follow the header. */
const bitFields = 3;
const standardMasks = [0xff0000, 0xff00, 0xff];

/**
 * TensorFlow returns the number of each colour as grey. That is right only if each colour is the grey of its number.
 */
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
