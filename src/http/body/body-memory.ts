/**
 * Keeps the memory of request bodies and uses it again.
 *
 * V8 counts the bytes of buffers, and collects garbage when they have grown by some amount. With a new buffer for each
 * image of 922 kB, a third of a server's CPU time went into that. The pieces of 64 kB in which Node delivers a body
 * count as well. At times they kept V8 in one full collection after another (2 or 54 in four seconds under the same
 * load): see docs/performance.md.
 */

/** A body of fewer bytes gets a new buffer, which costs less than keeping one. */
const smallBody = 32 * 1024;

/** Sizes are rounded up by at most an eighth, so that bodies of about one size share memory. */
const steps = 8;

export class BodyMemory {
  /** The unused buffers by size. Sizes that were used least recently come first. */
  private readonly unused = new Map<number, Buffer[]>();
  private unusedBytes = 0;

  /**
   * @param keepBytes is the most memory to keep unused
   * @param free detaches a buffer and frees its memory, before the garbage collector would
   */
  constructor(
    private readonly keepBytes: number,
    private readonly free: (buffer: ArrayBuffer) => void = () => {},
  ) {}

  /** Returns memory for a body. Its content is arbitrary. */
  take(bytes: number): Buffer {
    // Node's shared pool would not do: tensors are views on this memory, and its start must be aligned for every dtype.
    if (bytes < smallBody) return Buffer.allocUnsafeSlow(bytes);
    const size = roundUp(bytes);
    const found = this.unused.get(size)?.pop();
    if (found === undefined) return Buffer.allocUnsafeSlow(size).subarray(0, bytes);
    this.unusedBytes -= size;
    return found.subarray(0, bytes);
  }

  /** Copies a piece of a body to its place and frees the piece, which nobody may use afterwards. */
  move(piece: Buffer, body: Buffer, position: number): void {
    body.set(piece, position);
    const { buffer } = piece;
    // A piece that is part of a larger buffer is not freed.
    if (buffer.byteLength === piece.length && buffer instanceof ArrayBuffer) this.free(buffer);
  }

  /** Returns the memory, once nothing reads it any more. */
  giveBack(memory: Buffer): void {
    const { buffer } = memory;
    const size = buffer.byteLength;
    if (size < smallBody) return;
    if (size > this.keepBytes) {
      this.drop(buffer);
      return;
    }
    const sameSize = this.unused.get(size) ?? [];
    sameSize.push(Buffer.from(buffer));
    this.unusedBytes += size;
    this.unused.delete(size);
    this.unused.set(size, sameSize);
    for (const [least, buffers] of this.unused) {
      while (this.unusedBytes > this.keepBytes) {
        const dropped = buffers.pop();
        if (!dropped) break;
        this.unusedBytes -= least;
        this.drop(dropped.buffer);
      }
      if (this.unusedBytes <= this.keepBytes) break;
      this.unused.delete(least);
    }
  }

  /** Frees memory at once. The collector would leave it until the next garbage, which a quiet server hardly makes. */
  private drop(buffer: ArrayBufferLike): void {
    if (buffer instanceof ArrayBuffer) this.free(buffer);
  }
}

function roundUp(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes)) / steps;
  return Math.ceil(bytes / step) * step;
}
