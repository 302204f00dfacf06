/**
 * Memory for request bodies, used again and again.
 *
 * V8 counts what buffers take and collects garbage when it has grown by so much: with a buffer of its own for each image of
 * 922 kB, a third of a server's CPU went into that. The pieces of 64 kB in which Node hands out a body count as well, and
 * at times kept V8 in one full collection after another (2 or 54 in four seconds under the same load): see
 * docs/performance.md.
 */

/** Below this many bytes a new buffer costs less than to keep one. */
const smallBody = 32 * 1024;

/** Sizes are rounded up by at most an eighth, so that bodies of about one size share memory. */
const steps = 8;

export class BodyMemory {
  /** By size; those used least recently first. */
  private readonly unused = new Map<number, Buffer[]>();
  private unusedBytes = 0;

  /**
   * @param keepBytes of memory that nobody uses
   * @param free detaches a buffer and frees its memory, sooner than the collector would
   */
  constructor(
    private readonly keepBytes: number,
    private readonly free: (buffer: ArrayBuffer) => void = () => {},
  ) {}

  /** Memory for a body, with whatever was in it before. */
  take(bytes: number): Buffer {
    // Not from Node's shared pool: tensors are views on this memory, and its start is aligned for every dtype.
    if (bytes < smallBody) return Buffer.allocUnsafeSlow(bytes);
    const size = roundUp(bytes);
    const found = this.unused.get(size)?.pop();
    if (found === undefined) return Buffer.allocUnsafeSlow(size).subarray(0, bytes);
    this.unusedBytes -= size;
    return found.subarray(0, bytes);
  }

  /** Copies a piece of a body to its place, and frees the piece: nobody may look at that afterwards. */
  move(piece: Buffer, body: Buffer, position: number): void {
    body.set(piece, position);
    const { buffer } = piece;
    // Not if it is part of something larger.
    if (buffer.byteLength === piece.length && buffer instanceof ArrayBuffer) this.free(buffer);
  }

  /** Gives it back, once nothing reads it any more. */
  giveBack(memory: Buffer): void {
    const size = memory.buffer.byteLength;
    if (size < smallBody || size > this.keepBytes) return;
    const sameSize = this.unused.get(size) ?? [];
    sameSize.push(Buffer.from(memory.buffer));
    this.unusedBytes += size;
    this.unused.delete(size);
    this.unused.set(size, sameSize);
    for (const [least, buffers] of this.unused) {
      while (this.unusedBytes > this.keepBytes && buffers.pop()) this.unusedBytes -= least;
      if (this.unusedBytes <= this.keepBytes) break;
      this.unused.delete(least);
    }
  }
}

function roundUp(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes)) / steps;
  return Math.ceil(bytes / step) * step;
}
