/**
 * One pass over the heads of a CBOR body (RFC 8949, appendix C), in front of everything that builds objects from it.
 *
 * It bounds what a body may ask for before anything is allocated (a count is never larger than the bytes that are
 * left, nesting never deeper than the limit), refuses tags that would make programs out of data, and finds the byte
 * ranges of typed arrays, so that tensors become views on the body and never pass through an object.
 */
import { isUtf8 } from 'node:buffer';
import { invalidArgument, type ServingError } from '../errors.js';

/** RFC 8949, section 3.1. */
export const major = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;

/** The only tags a body may hold; all others are refused, whatever a decoder would make of them. */
export const tags = {
  positiveBignum: 2,
  negativeBignum: 3,
  multiDimensional: 40,
  homogeneous: 41,
  /** First and last of the typed arrays of RFC 8746, section 2.1. */
  firstTypedArray: 64,
  lastTypedArray: 87,
  columnMajor: 1040,
  selfDescribed: 55799,
} as const;

/** An item's place in the body. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A head: major type and argument. An argument of `null` is an indefinite length. */
export interface Head {
  readonly major: number;
  readonly argument: number | null;
}

const breakByte = 0xff;

export class CborReader {
  private readonly view: DataView;

  /**
   * @param bytes the body
   * @param position where to start
   */
  constructor(
    readonly bytes: Uint8Array,
    public position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The major type of the next item, without moving. */
  peekMajor(): number {
    if (this.position >= this.bytes.length) throw this.cutShort();
    return (this.bytes[this.position] as number) >> 5;
  }

  /** Reads a head and checks that what it announces can be there. */
  head(): Head {
    if (this.position >= this.bytes.length) throw this.cutShort();
    const initial = this.bytes[this.position++] as number;
    const type = initial >> 5;
    const argument = this.argument(initial & 31, type);
    const left = this.bytes.length - this.position;
    const needed = type === major.map ? 2 : 1;
    if (argument !== null && type >= major.bytes && type <= major.map && argument * needed > left)
      throw this.cutShort();
    return { major: type, argument };
  }

  private argument(info: number, type: number): number | null {
    if (info < 24) return info;
    const at = this.position;
    const width = info <= 27 ? 1 << (info - 24) : 0;
    if (at + width > this.bytes.length) throw this.cutShort();
    this.position += width;
    if (info === 24) return this.view.getUint8(at);
    if (info === 25) return this.view.getUint16(at);
    if (info === 26) return this.view.getUint32(at);
    // Integers beyond 2^53 lose digits here, and are then read by cbor-x; lengths that large are cut short anyway.
    if (info === 27) return Number(this.view.getBigUint64(at));
    const isContainer = type === major.array || type === major.map;
    if (info === 31 && isContainer) return null;
    if (info === 31 && (type === major.bytes || type === major.text)) {
      throw invalidArgument('the CBOR body has a string of indefinite length: send strings in one piece');
    }
    throw invalidArgument(`the CBOR body has an invalid byte at ${at - 1}`);
  }

  /** Moves past `count` bytes of a string and returns them as a view. */
  take(count: number): Uint8Array {
    const taken = this.bytes.subarray(this.position, this.position + count);
    this.position += count;
    return taken;
  }

  /** True at the end of a container of `length` items of which `seen` were read; steps over the break of an indefinite one. */
  atEnd(length: number | null, seen: number): boolean {
    if (length !== null) return seen >= length;
    if (this.bytes[this.position] !== breakByte) return false;
    this.position += 1;
    return true;
  }

  /**
   * Checks one whole item and moves past it.
   *
   * @param depth how many levels of nesting are left
   * @returns its range, and whether it holds tags that make arrays (40, 41, 64–87, 1040)
   */
  skip(depth: number): Range & { readonly hasArrayTags: boolean } {
    const start = this.position;
    const hasArrayTags = this.check(depth);
    return { start, end: this.position, hasArrayTags };
  }

  private check(depth: number): boolean {
    if (depth < 0) throw invalidArgument('the CBOR body is nested too deeply (--max-depth)');
    const { major: type, argument } = this.head();
    switch (type) {
      case major.bytes:
        this.take(argument ?? 0);
        return false;
      case major.text:
        if (!isUtf8(this.take(argument ?? 0))) {
          throw invalidArgument('the CBOR body has a text that is not UTF-8: send it as a byte string');
        }
        return false;
      case major.array:
      case major.map: {
        const each = type === major.map ? 2 : 1;
        let found = false;
        for (let seen = 0; !this.atEnd(argument, seen); seen++) {
          for (let i = 0; i < each; i++) found = this.check(depth - 1) || found;
        }
        return found;
      }
      case major.tag: {
        const isArray = this.checkTag(argument ?? 0);
        return this.check(depth - 1) || isArray;
      }
      default:
        return false;
    }
  }

  /** @returns true for a tag that makes an array */
  private checkTag(tag: number): boolean {
    if (tag >= tags.firstTypedArray && tag <= tags.lastTypedArray) return true;
    if (tag === tags.multiDimensional || tag === tags.homogeneous || tag === tags.columnMajor) return true;
    if (tag === tags.positiveBignum || tag === tags.negativeBignum || tag === tags.selfDescribed)
      return false;
    throw invalidArgument(`the CBOR body has a tag that is not allowed here: ${tag}`);
  }

  /**
   * Reads a map with text keys, without its values.
   *
   * @param what names the map in errors
   * @throws ServingError INVALID_ARGUMENT for another kind of key, or the same one twice
   */
  map(what: string, depth: number): Map<string, Range & { readonly hasArrayTags: boolean }> {
    const { argument: length } = this.head();
    const entries = new Map<string, Range & { readonly hasArrayTags: boolean }>();
    for (let seen = 0; !this.atEnd(length, seen); seen++) {
      const key = this.text(`a key of ${what}`);
      if (entries.has(key)) throw invalidArgument(`${what} has the key \`${key}\` twice`);
      entries.set(key, this.skip(depth - 1));
    }
    return entries;
  }

  /** Reads a text string. */
  text(what: string): string {
    const type = this.peekMajor();
    if (type !== major.text) throw invalidArgument(`${what} must be a text string`);
    const { argument } = this.head();
    const bytes = this.take(argument ?? 0);
    if (!isUtf8(bytes)) throw invalidArgument(`${what} is not UTF-8`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  cutShort(): ServingError {
    return invalidArgument(
      `the CBOR body is cut short: ${this.bytes.length} bytes came, and it announces more`,
    );
  }
}
