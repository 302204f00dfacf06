/**
 * The elements of string tensors: byte strings.
 *
 * A few of them are an array. Many of them are packed into one piece of memory. An object for each string took longer
 * than the run that made them, and more memory than most strings hold.
 */
import { Meter, type Steps } from '../flow/steps.js';
import { bytesPerWork, pieceBytes } from './limits.js';

/** What an array of byte strings and packed strings have in common. */
export interface Strings extends Iterable<Uint8Array> {
  readonly length: number;
  /** @param index counts from 0 */
  at(index: number): Uint8Array | undefined;
  slice(start: number, end: number): Strings;
}

/** More strings than this are packed. The value equals `Run::kFewStrings` in native/run.h. */
export const fewStrings = 256;

const utf8 = new TextEncoder();

/**
 * Many strings in one piece of memory, or a contiguous part of them. Each element is a view.
 *
 * The addon reads and writes the same memory. It begins with float64 numbers: how many strings there are, and where the
 * bytes of each one end. The bytes of all strings follow.
 */
export class PackedStrings implements Strings {
  private constructor(
    private readonly packed: Uint8Array,
    private readonly ends: Float64Array,
    private readonly bytes: Uint8Array,
    private readonly first: number,
    readonly length: number,
  ) {}

  /** @param packed begins at a multiple of 8 in its buffer */
  static over(packed: Uint8Array): PackedStrings {
    const { buffer, byteOffset, byteLength } = packed;
    const [count = 0] = new Float64Array(buffer, byteOffset, 1);
    const ends = new Float64Array(buffer, byteOffset + 8, count);
    const bytes = new Uint8Array(buffer, byteOffset + 8 * (count + 1), byteLength - 8 * (count + 1));
    return new PackedStrings(packed, ends, bytes, 0, count);
  }

  at(index: number): Uint8Array | undefined {
    if (index >= this.length) return undefined;
    return this.bytes.subarray(this.startOf(index), this.startOf(index + 1));
  }

  slice(start: number, end: number): PackedStrings {
    const { packed, ends, bytes, first } = this;
    const length = Math.max(0, Math.min(end, this.length) - start);
    return new PackedStrings(packed, ends, bytes, first + start, length);
  }

  *[Symbol.iterator](): Generator<Uint8Array, void, void> {
    for (let i = 0; i < this.length; i++) yield this.at(i) as Uint8Array;
  }

  /** Where a string begins, which is where the string before it ends. */
  private startOf(index: number): number {
    const at = this.first + index;
    return at === 0 ? 0 : (this.ends[at - 1] as number);
  }

  /** The memory in the form that {@link over} takes. A part of the strings is copied. */
  pack(): Uint8Array {
    return this.length === this.ends.length ? this.packed : packAll([this]).pack();
  }

  /** The bytes of all strings together. It does not look at each one. */
  get bytesOfAll(): number {
    return this.startOf(this.length) - this.startOf(0);
  }

  /** Measures all strings without making an object for each. */
  measure(): Measures {
    let [longest, start] = [0, this.startOf(0)];
    const bytes = this.bytesOfAll;
    let endsWithZero = false;
    for (let i = 1; i <= this.length; i++) {
      const end = this.startOf(i);
      longest = Math.max(longest, end - start);
      endsWithZero ||= end > start && this.bytes[end - 1] === 0;
      start = end;
    }
    return { bytes, longest, endsWithZero };
  }

  /** Copies the strings to a place in other packed memory. @returns the position after the last byte */
  copyTo(ends: Float64Array, bytes: Uint8Array, at: number, position: number): number {
    const start = this.startOf(0);
    bytes.set(this.bytes.subarray(start, this.startOf(this.length)), position);
    for (let i = 0; i < this.length; i++) ends[at + i] = this.startOf(i + 1) - start + position;
    return this.startOf(this.length) - start + position;
  }
}

export interface Measures {
  /** The bytes of all strings together. */
  readonly bytes: number;
  readonly longest: number;
  /** True if at least one of the strings ends with a zero byte. */
  readonly endsWithZero: boolean;
}

export function measureStrings(strings: Strings): Measures {
  if (strings instanceof PackedStrings) return strings.measure();
  let [bytes, longest, endsWithZero] = [0, 0, false];
  for (const string of strings) {
    bytes += string.length;
    longest = Math.max(longest, string.length);
    endsWithZero ||= string.at(-1) === 0;
  }
  return { bytes, longest, endsWithZero };
}

/** The bytes of all strings together. It takes no time for packed strings, however many they are. */
export function bytesOfStrings(strings: Strings): number {
  return strings instanceof PackedStrings ? strings.bytesOfAll : measureStrings(strings).bytes;
}

/** The strings of several tensors, one after another. */
export function joinStrings(parts: readonly Strings[]): Strings {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const count = parts.reduce((sum, { length }) => sum + length, 0);
  return count > fewStrings ? packAll(parts) : parts.flatMap((part) => [...part]);
}

/** The strings in the form that the addon takes: many are packed. */
export function feedOf(strings: Strings): Uint8Array | readonly Uint8Array[] {
  if (strings instanceof PackedStrings) return strings.pack();
  return strings.length > fewStrings ? packAll([strings]).pack() : [...strings];
}

/** Copies the strings into memory of their own, so that they outlive the memory they came from. */
export function copyStrings(strings: Strings): Strings {
  if (strings instanceof PackedStrings) return packAll([strings]);
  return Array.from(strings, (string) => new Uint8Array(string));
}

function packAll(parts: readonly Strings[]): PackedStrings {
  const count = parts.reduce((sum, { length }) => sum + length, 0);
  const size = parts.reduce((sum, part) => sum + measureStrings(part).bytes, 0);
  const packed = new Uint8Array(8 * (count + 1) + size);
  const ends = new Float64Array(packed.buffer, 8, count);
  const bytes = packed.subarray(8 * (count + 1));
  new Float64Array(packed.buffer, 0, 1)[0] = count;
  let [at, position] = [0, 0];
  for (const part of parts) {
    if (part instanceof PackedStrings) {
      position = part.copyTo(ends, bytes, at, position);
      at += part.length;
      continue;
    }
    for (const string of part) {
      bytes.set(string, position);
      position += string.length;
      ends[at++] = position;
    }
  }
  return PackedStrings.over(packed);
}

/** Collects strings one by one. The result is an array, or packed strings if there are many. */
export class StringGatherer {
  private readonly few: Uint8Array[] = [];
  /** The bytes of many strings, one after another. */
  private readonly chunks: Uint8Array[] = [];
  /** The chunk that is being filled, and how many of its bytes are in use. */
  private chunk = new Uint8Array(0);
  private filled = 0;
  private readonly ends: Float64Array;
  private at = 0;
  private size = 0;

  /**
   * @param count is the most strings that will come
   * @param claim is called before memory is taken
   */
  constructor(
    private readonly count: number,
    private readonly claim: (bytes: number) => void,
  ) {
    if (this.isPacked) claim(8 * count);
    this.ends = new Float64Array(this.isPacked ? count : 0);
  }

  get length(): number {
    return this.at;
  }

  /** The bytes of all strings so far. */
  get bytes(): number {
    return this.size;
  }

  /** Adds a byte string. The result keeps a view of it if there are few strings, or if it is long. */
  add(string: Uint8Array): void {
    if (!this.isPacked) this.few.push(string);
    else if (string.length > longString) this.addChunk(string);
    else {
      this.reserve(string.length);
      this.chunk.set(string, this.filled);
      this.filled += string.length;
    }
    this.end(string.length);
  }

  addText(text: string): void {
    // UTF-8 needs at most three bytes for each UTF-16 unit of a text.
    const most = 3 * text.length;
    if (!this.isPacked || most > longString) {
      if (most > longString) this.claim(most);
      this.add(utf8.encode(text));
      return;
    }
    this.reserve(most);
    const { written } = utf8.encodeInto(text, this.chunk.subarray(this.filled));
    this.filled += written;
    this.end(written);
  }

  /** Claims the memory that TensorFlow takes as well: it copies each string for the run. */
  *finish(): Steps<Strings> {
    const { size: bytes, count } = this;
    if (bytes > pieceBytes) this.claim(bytes);
    if (!this.isPacked) return this.few;
    if (this.at < count) throw new RangeError(`${this.at} of ${count} strings came`);
    this.endChunk();
    const start = 8 * (count + 1);
    this.claim(start + bytes);
    const packed = new Uint8Array(start + bytes);
    new Float64Array(packed.buffer, 0, 1)[0] = count;
    new Float64Array(packed.buffer, 8, count).set(this.ends);
    yield* copyInSteps(this.chunks, packed, start);
    return PackedStrings.over(packed);
  }

  private get isPacked(): boolean {
    return this.count > fewStrings;
  }

  private end(length: number): void {
    this.size += length;
    this.ends[this.at] = this.size;
    this.at += 1;
  }

  private reserve(bytes: number): void {
    if (this.filled + bytes <= this.chunk.length) return;
    this.endChunk();
    // The first chunks are small, because most bodies have few bytes.
    const size = Math.max(bytes, Math.min(largestChunk, Math.max(smallestChunk, this.size)));
    this.claim(size);
    this.chunk = new Uint8Array(size);
  }

  private endChunk(): void {
    if (this.filled > 0) this.chunks.push(this.chunk.subarray(0, this.filled));
    this.chunk = this.chunk.subarray(this.filled);
    this.filled = 0;
  }

  private addChunk(string: Uint8Array): void {
    this.endChunk();
    this.chunks.push(string);
  }
}

/** The sizes in bytes of the smallest and the largest chunk. */
const [smallestChunk, largestChunk] = [2 ** 12, 2 ** 20];

/** A string of more bytes is not copied into a chunk. */
const longString = 2 ** 16;

/** Copies the parts, one after another, to a place in other memory. */
function* copyInSteps(parts: readonly Uint8Array[], to: Uint8Array, start: number): Steps<void> {
  const meter = new Meter();
  let at = start;
  for (const part of parts) {
    for (let from = 0; from < part.length; from += pieceBytes) {
      const piece = part.subarray(from, from + pieceBytes);
      to.set(piece, at);
      at += piece.length;
      if (meter.isDue(piece.length / bytesPerWork)) yield;
    }
  }
}
