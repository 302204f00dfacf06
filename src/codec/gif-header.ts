/**
 * Size, frames and transparency of a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt).
 */
import { invalidArgument } from '../errors.js';
import { type ImageFacts, plainFacts } from './image-facts.js';

/**
 * GIF89a, sections 18 to 26. Its size counts every frame, each as large as the screen, as some decoders make all of them. The
 * first alone is given to ours, and without its transparency, of which TensorFlow makes black.
 *
 * @throws ServingError INVALID_ARGUMENT if it is damaged, or its first frame leaves an edge of the screen free
 */
export function countGif(file: Buffer): ImageFacts {
  const screen = file.readUInt16LE(6) * file.readUInt16LE(8);
  const head = file.subarray(0, 13 + colourTableBytes(file.readUInt8(10)));
  let pixels = 0;
  let first: Buffer | undefined;
  let isTransparent = false;
  let position = head.length;
  for (;;) {
    const introducer = file.readUInt8(position);
    if (introducer === 0x3b) break;
    if (introducer === 0x21) {
      if (!first && file.readUInt8(position + 1) === graphicControl)
        isTransparent = (file.readUInt8(position + 3) & 1) === 1;
      position = skipSubBlocks(file, position + 2);
    } else if (introducer === 0x2c) {
      const end = skipSubBlocks(file, position + 11 + colourTableBytes(file.readUInt8(position + 9)));
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
    decoded: Buffer.concat([head, ...(first ? [first] : []), Buffer.of(0x3b)]),
    ...(isTransparent ? { withoutOpacity: 'a GIF with transparency' } : {}),
  };
}

const graphicControl = 0xf9;

/** TensorFlow takes the frame's size for the image's. */
function checkFirstFrame(file: Buffer, at: number): void {
  const [left, top] = [file.readUInt16LE(at + 1), file.readUInt16LE(at + 3)];
  const [width, height] = [file.readUInt16LE(at + 5), file.readUInt16LE(at + 7)];
  if (left > 0 || top > 0 || width < file.readUInt16LE(6) || height < file.readUInt16LE(8))
    throw invalidArgument(
      'expected a GIF whose first frame fills it, got one that leaves an edge free: send PNG',
    );
}

/** @param flags of which the highest says that there is a table, and the lowest three its size */
function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

function skipSubBlocks(file: Buffer, from: number): number {
  let position = from;
  for (let length = file.readUInt8(position); length > 0; length = file.readUInt8(position))
    position += length + 1;
  return position + 1;
}
