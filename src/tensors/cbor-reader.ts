/**
 * Reads the heads of a CBOR body in one pass (RFC 8949, appendix C). Every decoder uses it before it builds objects.
 *
 * It bounds what a body may ask for before anything is allocated: a count is never larger than the number of bytes that
 * are left, and nesting is never deeper than the limit. It refuses tags that would turn data into programs. It finds
 * the byte ranges of typed arrays, so that a tensor becomes a view on the body and never passes through an object.
 * Clients read answers with it, so it also runs in browsers.
 */
import { invalidArgument, quoted, type ServingError } from '../errors.js';
import { type Steps, toEnd } from '../flow/steps.js';
import { bounds, pieceBytes } from './limits.js';
import { decodeUtf8, isUtf8, Utf8Check } from './utf8.js';
import { fromFloat16 } from './values.js';

/** The major types of RFC 8949, section 3.1. */
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

/** The tag by which cbor-x marks a record. Its encoder writes every object as one by default. */
const cborXRecord = 0xdfff;

/** Describes a tag that is refused, and says what to do about it where that is known. */
export function describeTag(tag: number): string {
  return tag === cborXRecord
    ? `${tag}, a record of cbor-x: encode with new Encoder({ useRecords: false })`
    : String(tag);
}

/** The only tags that a body may hold. All others are refused. */
export const tags = {
  positiveBignum: 2,
  negativeBignum: 3,
  multiDimensional: 40,
  homogeneous: 41,
  /** The first and the last typed array of RFC 8746, section 2.1. */
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

/** An item that has been checked. */
export interface Item extends Range {
  /** True if the item is or holds more than a plain list: an array with a tag (40, 64–87, 1040), or a map. */
  readonly holdsArrays: boolean;
  /** The number of items, this one and all within it. */
  readonly heads: number;
}

/** How far a check has come. */
interface Scan {
  /** How many levels of nesting the item may have. */
  readonly depth: number;
  /** The number of items left in each open container, outermost first. */
  readonly open: number[];
  holdsArrays: boolean;
  /** The long text that is being checked. */
  text: Utf8Check | undefined;
}

/** What `open` holds for a list of indefinite length, and for such a map before a key and before a value. */
const [endless, endlessMap, endlessValue] = [-1, -2, -3];

/** The number of heads that are checked between two pauses. */
const headsPerPiece = 4096;

/**
 * The most items in one body. Each may become an object of some hundred bytes, so a body of 64 MiB could take
 * gigabytes. An image of 480 × 640 × 3 as nested lists has 1.2 million items. The elements of typed arrays are not
 * counted.
 */
const maxItems = bounds.cborValues.most;

/** The most bytes of a bignum: the largest float64 has as many. */
const maxBignumBytes = 128;

/** A head: its major type and its argument. The argument is `null` for an indefinite length. */
export interface Head {
  readonly major: number;
  readonly argument: number | null;
}

const breakByte = 0xff;

export class CborReader {
  private readonly view: DataView;
  private items = 0;

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

  /** The major type of the next item. Does not move. */
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
    if (type === major.simple && !isSimpleOrFloat(initial & 31)) {
      throw invalidArgument(`the CBOR body has an invalid byte at ${this.position - 1}`);
    }
    this.items += 1;
    if (this.items > maxItems) {
      throw invalidArgument(`the CBOR body holds more than ${maxItems} values: send them as typed arrays`);
    }
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
    // An integer beyond 2^53 loses digits here; wideArgument reads it exactly. A length that large exceeds the body and
    // is refused.
    if (info === 27) return Number(this.view.getBigUint64(at));
    const isContainer = type === major.array || type === major.map;
    if (info === 31 && isContainer) return null;
    if (info === 31 && (type === major.bytes || type === major.text)) {
      throw invalidArgument('the CBOR body has a string of indefinite length: send strings in one piece');
    }
    throw invalidArgument(`the CBOR body has an invalid byte at ${at - 1}`);
  }

  /** The exact value of the eight argument bytes of the head at `start`. */
  wideArgument(start: number): bigint {
    return this.view.getBigUint64(start + 1);
  }

  /** The value of the head at `start`, which has major type 7. */
  simpleOrFloat(start: number): boolean | number | null | undefined {
    switch ((this.bytes[start] as number) & 31) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return fromFloat16(this.view.getUint16(start + 1));
      case 26:
        return this.view.getFloat32(start + 1);
      case 27:
        return this.view.getFloat64(start + 1);
      default:
        return undefined;
    }
  }

  /** Moves past the `count` bytes of a string and returns a view of them. */
  take(count: number): Uint8Array {
    const taken = this.bytes.subarray(this.position, this.position + count);
    this.position += count;
    return taken;
  }

  /**
   * True at the end of a container of `length` items after `seen` of them. Steps over the break of a container of
   * indefinite length.
   */
  atEnd(length: number | null, seen: number): boolean {
    if (length !== null) return seen >= length;
    if (this.bytes[this.position] !== breakByte) return false;
    this.position += 1;
    return true;
  }

  /**
   * Checks one whole item and moves past it.
   *
   * @param depth the number of levels of nesting that are left
   */
  skip(depth: number): Item {
    return toEnd(this.skipInSteps(depth));
  }

  /** Does the same as {@link skip}, in steps. */
  *skipInSteps(depth: number): Steps<Item> {
    const start = this.position;
    const before = this.items;
    const scan: Scan = { depth, open: [1], holdsArrays: false, text: undefined };
    while (!this.scan(scan)) yield;
    return { start, end: this.position, holdsArrays: scan.holdsArrays, heads: this.items - before };
  }

  /** Checks some heads and the lengths that they announce. @returns true at the end of the item */
  private scan(scan: Scan): boolean {
    const { open } = scan;
    if (scan.text) scan.text = this.checkText(scan.text);
    if (scan.text) return false;
    const start = this.position;
    for (let seen = 0; seen < headsPerPiece && this.position - start < pieceBytes; ) {
      const top = open.length - 1;
      const left = open[top] as number;
      const isOver =
        left === 0 || ((left === endless || left === endlessMap) && this.bytes[this.position] === breakByte);
      if (isOver) {
        if (left !== 0) this.position += 1;
        open.pop();
        if (top === 0) return true;
        continue;
      }
      open[top] =
        left > 0 ? left - 1 : left === endlessMap ? endlessValue : left === endlessValue ? endlessMap : left;
      if (top > scan.depth) throw invalidArgument('the CBOR body is nested too deeply (--max-depth)');
      this.check(scan);
      if (scan.text) return false;
      seen += 1;
    }
    return false;
  }

  private check(scan: Scan): void {
    const { major: type, argument } = this.head();
    switch (type) {
      case major.bytes:
        this.position += argument ?? 0;
        return;
      case major.text:
        if (argument !== null && argument > pieceBytes) scan.text = new Utf8Check(this.take(argument));
        else if (argument !== 0 && !isUtf8(this.take(argument ?? 0))) throw notUtf8();
        return;
      case major.array:
        scan.open.push(argument ?? endless);
        return;
      case major.map:
        scan.holdsArrays = true;
        if (argument !== null && argument > bounds.names.most) throw this.tooManyNames('a map');
        scan.open.push(argument === null ? endlessMap : 2 * argument);
        return;
      case major.tag:
        if (this.checkTag(argument ?? 0)) scan.holdsArrays = true;
        if (argument === tags.positiveBignum || argument === tags.negativeBignum) this.checkBignum();
        scan.open.push(1);
        return;
      default:
    }
  }

  /** Checks a piece of a long text. @returns the rest, or undefined at its end */
  private checkText(text: Utf8Check): Utf8Check | undefined {
    const isUtf8 = text.next();
    if (isUtf8 === false) throw notUtf8();
    return isUtf8 ? undefined : text;
  }

  private tooManyNames(what: string): ServingError {
    return invalidArgument(`${what} of the CBOR body has more than ${bounds.names.most} keys`);
  }

  /** Checks that a tag may stand here. @returns true for a tag that makes an array */
  private checkTag(tag: number): boolean {
    if (tag >= tags.firstTypedArray && tag <= tags.lastTypedArray) return true;
    if (tag === tags.multiDimensional || tag === tags.columnMajor) return true;
    if (tag === tags.homogeneous || tag === tags.selfDescribed) return false;
    if (tag === tags.positiveBignum || tag === tags.negativeBignum) return false;
    throw invalidArgument(`the CBOR body has a tag that is not allowed here: ${describeTag(tag)}`);
  }

  /** Looks ahead, and checks that a bignum is a byte string of no more bytes than a number can have. */
  private checkBignum(): void {
    const { position } = this;
    const { major: type, argument } = this.head();
    if (type !== major.bytes || (argument ?? 0) > maxBignumBytes) {
      throw invalidArgument(
        `the CBOR body has a bignum (tag 2 or 3) that is no byte string of up to ${maxBignumBytes} bytes`,
      );
    }
    this.position = position;
  }

  /**
   * Reads the keys of a map and moves past its values. The keys must be texts.
   *
   * @param what names the map in errors
   * @throws ServingError INVALID_ARGUMENT for a key that is no text, or that comes twice
   */
  *map(what: string, depth: number): Steps<Map<string, Item>> {
    const { argument: length } = this.head();
    const entries = new Map<string, Item>();
    let paused = this.position;
    for (let seen = 0; !this.atEnd(length, seen); seen++) {
      const key = this.name(`a key of ${what}`);
      if (entries.has(key)) throw invalidArgument(`${what} has the key ${quoted(key)} twice`);
      if (entries.size === bounds.names.most) throw this.tooManyNames(what);
      entries.set(key, yield* this.skipInSteps(depth - 1));
      if (this.position - paused < pieceBytes) continue;
      paused = this.position;
      yield;
    }
    return entries;
  }

  /** Reads a text that is a name, and therefore short. */
  name(what: string): string {
    return this.text(what, bounds.nameBytes.most);
  }

  /** Reads a text of at most `most` bytes. */
  text(what: string, most = Number.POSITIVE_INFINITY): string {
    const type = this.peekMajor();
    if (type !== major.text) throw invalidArgument(`${what} must be a text string`);
    const length = this.head().argument ?? 0;
    if (length > most) throw invalidArgument(`${what} has ${length} bytes: a name has at most ${most}`);
    const text = decodeUtf8(this.take(length));
    if (text === undefined) throw invalidArgument(`${what} is not UTF-8`);
    return text;
  }

  cutShort(): ServingError {
    return invalidArgument(
      `the CBOR body is cut short: ${this.bytes.length} bytes came, and it announces more`,
    );
  }
}

function notUtf8(): ServingError {
  return invalidArgument('the CBOR body has a text that is not UTF-8: send it as a byte string');
}

/**
 * True for false, true, null, undefined, and floats of two, four and eight bytes. False for a break, which may not
 * stand here.
 */
function isSimpleOrFloat(info: number): boolean {
  return (info >= 20 && info <= 23) || (info >= 25 && info <= 27);
}
