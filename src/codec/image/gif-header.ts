/** Reads the size, the frames and the transparency of a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt). */
import { invalidArgument } from '../../errors.js';
import { type Claim, Meter, type Steps } from '../../flow/steps.js';
import { bounds, pieceBytes } from '../../tensors/limits.js';
import { type ImageFacts, plainFacts } from './facts.js';

/**
 * Reads a GIF89a file (sections 18 to 26).
 *
 * Its size counts every frame as large as the screen, because some decoders make all of them. Our decoder gets only the
 * first frame, and without its transparency, which TensorFlow would turn black.
 *
 * @param claim is called before the copy of the first frame is made
 * @throws ServingError INVALID_ARGUMENT if the file is damaged, has too many blocks, or its first frame does not cover
 * the screen
 */
export function* countGif(file: Buffer, claim: Claim): Steps<ImageFacts> {
  const screen = file.readUInt16LE(6) * file.readUInt16LE(8);
  const head = file.subarray(0, 13 + colourTableBytes(file.readUInt8(10)));
  let pixels = 0;
  let first: Buffer | undefined;
  let isTransparent = false;
  const blocks = new Blocks(file);
  let position = head.length;
  for (;;) {
    const introducer = file.readUInt8(position);
    if (introducer === 0x3b) break;
    if (introducer === 0x21) {
      if (!first && file.readUInt8(position + 1) === graphicControl)
        isTransparent = (file.readUInt8(position + 3) & 1) === 1;
      position = yield* blocks.skip(position + 2);
    } else if (introducer === 0x2c) {
      const end = yield* blocks.skip(position + 11 + colourTableBytes(file.readUInt8(position + 9)));
      if (!first) checkFirstFrame(file, position);
      first ??= file.subarray(position, end);
      pixels += Math.max(screen, file.readUInt16LE(position + 5) * file.readUInt16LE(position + 7));
      position = end;
    } else {
      throw invalidArgument('the GIF is damaged');
    }
  }
  return {
    ...plainFacts(Math.max(pixels, screen)),
    decoded: yield* joined([head, ...(first ? [first] : []), Buffer.of(0x3b)], claim),
    ...(isTransparent ? { withoutOpacity: 'a GIF with transparency' } : {}),
  };
}

function* joined(parts: readonly Buffer[], claim: Claim): Steps<Buffer> {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  if (size > pieceBytes) claim(size);
  const whole = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length; from += pieceBytes) {
      at += part.copy(whole, at, from, from + pieceBytes);
      yield;
    }
  }
  return whole;
}

const graphicControl = 0xf9;

/** Checks that the first frame covers the screen: TensorFlow takes its size for that of the image. */
function checkFirstFrame(file: Buffer, at: number): void {
  const [left, top] = [file.readUInt16LE(at + 1), file.readUInt16LE(at + 3)];
  const [width, height] = [file.readUInt16LE(at + 5), file.readUInt16LE(at + 7)];
  if (left > 0 || top > 0 || width < file.readUInt16LE(6) || height < file.readUInt16LE(8))
    throw invalidArgument(
      'expected a GIF whose first frame fills it, got one that leaves an edge free: send PNG',
    );
}

/** @param flags say in the highest bit whether there is a table, and in the lowest three its size */
function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Steps over blocks and counts them. Writers fill sub-blocks, which have up to 255 bytes, so a good file has few. */
class Blocks {
  private count = 0;
  private readonly meter = new Meter();

  constructor(private readonly file: Buffer) {}

  /**
   * @param from is where the first sub-block begins
   * @returns where the next block begins
   */
  *skip(from: number): Steps<number> {
    const { file, meter } = this;
    let position = from;
    for (;;) {
      this.count += 1;
      if (this.count > bounds.gifBlocks.most)
        throw invalidArgument(`the GIF has more than ${bounds.gifBlocks.most} blocks`);
      if (meter.isDue()) yield;
      const length = file.readUInt8(position);
      position += length + 1;
      if (length === 0) return position;
    }
  }
}
