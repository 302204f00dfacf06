/**
 * Reads JSON as tensors need it: integers are exact at any size, NaN and infinities are bare words, nesting is bounded,
 * and no key comes twice.
 *
 * No other parser that keeps integers exact also accepts those words, bounds the nesting, and reads `__proto__` as a
 * key. This one reads the bytes as they came, so it makes no text of the whole body, and it pauses between pieces.
 */
import { invalidArgument, quoted, type ServingError } from '../../errors.js';
import { type Claim, claimNothing, type Steps, toEnd } from '../../flow/steps.js';
import type { Decimal } from '../../tensors/decimal.js';
import { bounds, valueBytes } from '../../tensors/limits.js';
import { ListBuilder, type LongList } from '../../tensors/long-list.js';
import { LongText, longTextBytes } from '../../tensors/long-text.js';
import { decodeUtf8, encodeUtf8, Utf8Check } from '../../tensors/utf8.js';
import { adviceForMaps } from '../other-protocols.js';
import { asciiText } from './ascii.js';
import { bytesOfBase64 } from './base64.js';
import { NumberReader } from './number.js';

/** A JSON value. An integer beyond 2^53 is a bigint. In a list, `{"b64": …}` has been turned into its bytes. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | Decimal
  | string
  | LongText
  | Uint8Array
  | Json[]
  | LongList<Json>
  | Map<string, Json>;

/**
 * Reads one value: RFC 8259 and the words `NaN`, `Infinity` and `-Infinity`. Fractions become doubles.
 *
 * @param maxDepth is the most levels of lists and objects
 * @throws ServingError INVALID_ARGUMENT with line and column
 */
export function parseJson(text: string, maxDepth: number): Json {
  return toEnd(
    new JsonReader(encodeUtf8(text), {
      maxDepth,
      claim: claimNothing,
      isBody: false,
      mostInLists: 0,
    }).whole(),
  );
}

/**
 * Reads one value from UTF-8 bytes, which may begin with a byte order mark.
 *
 * @param claim is called before values take memory
 * @param mostInLists is the most objects in the lists under one key of the outermost object, besides `{"b64": …}`
 * @throws ServingError INVALID_ARGUMENT with line and column
 */
export function readJson(bytes: Uint8Array, maxDepth: number, claim: Claim, mostInLists = 0): Steps<Json> {
  return new JsonReader(bytes, { maxDepth, claim, isBody: true, mostInLists }).whole();
}

const words: readonly (readonly [word: string, value: Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];

const [quote, apostrophe, backslash, minus, comma, colon] = [0x22, 0x27, 0x5c, 0x2d, 0x2c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Stands for the end of the bytes. No byte has this code. */
const end = -1;

/** The bytes of a text, and of anything else, between two pauses. */
const [textPiece, bytesPerPiece] = [2 ** 16, 2 ** 14];

const mostInShortList = 64;

/** The bytes in which an error counts lines. */
const mostCounted = 2 ** 20;

/** What stands between the quotes of a text. */
interface TextContent {
  readonly bytes: Uint8Array;
  /** The position of the opening quote. */
  readonly start: number;
  /** True if there are no escapes. */
  readonly isPlain: boolean;
  /** True if there are no escapes and all characters are ASCII. */
  readonly isAsIs: boolean;
}

interface JsonReaderOptions {
  /** The most levels of lists and objects. */
  readonly maxDepth: number;
  /** Is called before values take memory. */
  readonly claim: Claim;
  /** For the body of a request, numbers that no double holds are kept as they came, and so are long texts without escapes. */
  readonly isBody: boolean;
  /** The most objects in the lists under one key of the outermost object, besides `{"b64": …}`. */
  readonly mostInLists: number;
}

class JsonReader {
  private position = 0;
  private depth = 0;
  private values = 0;
  private lists = 0;
  /** The objects in the lists under the current key of the outermost object. */
  private objectsInLists = 0;
  /** Where the last pause was. */
  private paused = 0;
  private readonly reader: NumberReader;
  /** The current key of the outermost object. */
  private name: string | undefined;

  private readonly maxDepth: number;
  private readonly claim: Claim;
  private readonly isBody: boolean;
  private readonly mostInLists: number;

  constructor(
    private readonly bytes: Uint8Array,
    { maxDepth, claim, isBody, mostInLists }: JsonReaderOptions,
  ) {
    this.maxDepth = maxDepth;
    this.claim = claim;
    this.isBody = isBody;
    this.mostInLists = mostInLists;
    this.reader = new NumberReader(bytes, isBody);
  }

  *whole(): Steps<Json> {
    const { bytes } = this;
    // Some editors write a byte order mark at the start of a file.
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.position = 3;
    const value = yield* this.value();
    if (this.next() !== end) throw this.wrong('something follows the end of the JSON');
    return value;
  }

  /** Moves to the next byte that is no space, and returns it. */
  private next(): number {
    const { bytes, position: start } = this;
    for (;;) {
      const code = bytes[this.position] ?? end;
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.position += 1;
      if (this.position - start > bounds.jsonSpaces.most)
        throw this.wrong(`more than ${bounds.jsonSpaces.most} spaces stand in a row`);
    }
  }

  /** True once in so many bytes. */
  private isDue(): boolean {
    if (this.position - this.paused < bytesPerPiece) return false;
    this.paused = this.position;
    return true;
  }

  private *value(): Steps<Json> {
    const code = this.next();
    if (isDigit(code) || code === minus) return this.number();
    switch (code) {
      case quote:
        return yield* this.string();
      case openList:
        return yield* this.list();
      case openObject:
        return yield* this.object();
      default:
        return this.word();
    }
  }

  private open(): void {
    this.depth += 1;
    this.lists += 1;
    if (this.depth > this.maxDepth)
      throw this.wrong(`the body is nested more than ${this.maxDepth} levels deep (--max-depth)`);
    if (this.lists > bounds.jsonLists.most)
      throw this.wrong(`there are more than ${bounds.jsonLists.most} lists: send the tensor as CBOR or .npz`);
    if ((this.lists & 1023) === 0) this.claim(1024 * valueBytes.list);
    this.position += 1;
  }

  private count(): void {
    this.values += 1;
    if ((this.values & 1023) !== 0) return;
    this.claim(1024 * valueBytes.number);
    if (this.values > bounds.jsonValues.most)
      throw this.wrong(
        `there are more than ${bounds.jsonValues.most} values: send the tensor as CBOR or .npz`,
      );
  }

  private *list(): Steps<Json> {
    this.open();
    const list = new ListBuilder<Json>();
    if (!this.ends(closeList)) {
      do {
        // A run of numbers has no pauses within.
        const isOver = this.numbers(list);
        if (this.isDue()) yield;
        if (isOver) break;
        list.push(this.shortList() ?? (yield* this.element()));
        if (this.isDue()) yield;
      } while (this.goesOn(closeList));
    }
    this.depth -= 1;
    return list.finish();
  }

  /** Reads numbers up to the next pause. @returns true at the end of the list */
  private numbers(list: ListBuilder<Json>): boolean {
    const pause = this.position + bytesPerPiece;
    for (;;) {
      const code = this.next();
      if (!isDigit(code) && code !== minus) return false;
      list.push(this.number());
      // The caller reads what follows the last number.
      if (this.next() !== comma) return !this.goesOn(closeList);
      this.position += 1;
      if (this.position >= pause) return false;
    }
  }

  /**
   * Reads a list of a few numbers, for example a pixel, without the cost of work that may pause. It returns undefined
   * for anything else.
   */
  private shortList(): Json[] | undefined {
    const { position, values, lists, depth } = this;
    if (this.next() !== openList) return undefined;
    this.open();
    const list: Json[] = [];
    for (let code = this.next(); isDigit(code) || code === minus; code = this.next()) {
      list.push(this.number());
      const after = this.next();
      if (after === closeList) {
        this.position += 1;
        this.depth = depth;
        return list;
      }
      if (after !== comma || list.length === mostInShortList) break;
      this.position += 1;
    }
    Object.assign(this, { position, values, lists, depth });
    return undefined;
  }

  private *element(): Steps<Json> {
    const value = yield* this.value();
    if (!(value instanceof Map)) return value;
    const bytes = yield* bytesOfBase64(value, this.claim);
    if (bytes) return bytes;
    this.objectsInLists += 1;
    if (this.objectsInLists <= this.mostInLists) return value;
    if (this.mostInLists > 0) {
      const what = this.name === undefined ? 'the body' : quoted(this.name);
      throw this.wrong(`${what} holds more than ${this.mostInLists} objects`);
    }
    throw this.wrong(
      adviceForMaps(this.name, value) ??
        'a list holds numbers, texts, true, false and {"b64": …}, and no other objects',
    );
  }

  private *object(): Steps<Map<string, Json>> {
    this.open();
    const entries = new Map<string, Json>();
    if (!this.ends(closeObject)) {
      do {
        if (this.next() !== quote) throw this.wrong(this.wantsKey());
        const key = yield* this.key();
        if (this.depth === 1) {
          this.name = key;
          this.objectsInLists = 0;
        }
        if (entries.has(key)) throw this.wrong(`the key ${JSON.stringify(key.slice(0, 80))} comes twice`);
        if (entries.size === bounds.names.most)
          throw this.wrong(`an object has more than ${bounds.names.most} keys`);
        if (this.next() !== colon) throw this.wrong('a colon must be here');
        this.position += 1;
        entries.set(key, yield* this.value());
        if (this.isDue()) yield;
      } while (this.goesOn(closeObject));
    }
    this.depth -= 1;
    return entries;
  }

  private *key(): Steps<string> {
    const content = yield* this.content();
    if (content.bytes.length > bounds.nameBytes.most)
      throw this.wrong(`a key has more than ${bounds.nameBytes.most} bytes`);
    return this.text(content);
  }

  private wantsKey(): string {
    return this.bytes[this.position] === apostrophe
      ? 'JSON has its texts in double quotes, and this key is in single ones'
      : 'a key in quotes must be here';
  }

  private ends(close: number): boolean {
    if (this.next() !== close) return false;
    this.position += 1;
    return true;
  }

  /** Moves past a comma or past the end. @returns true after a comma */
  private goesOn(close: number): boolean {
    const code = this.next();
    if (code !== comma && code !== close)
      throw this.wrong(`a comma or ${String.fromCharCode(close)} must be here`);
    this.position += 1;
    return code === comma;
  }

  private *string(): Steps<string | LongText> {
    const content = yield* this.content();
    const { bytes, start, isPlain, isAsIs } = content;
    if (!this.isBody || !isPlain || bytes.length <= longTextBytes) return this.text(content);
    if (!isAsIs) yield* this.checkUtf8(bytes, start);
    return new LongText(bytes);
  }

  private *checkUtf8(bytes: Uint8Array, start: number): Steps<void> {
    const check = new Utf8Check(bytes);
    for (let isUtf8 = check.next(); isUtf8 !== true; isUtf8 = check.next()) {
      if (isUtf8 === false) throw this.notUtf8(start);
      yield;
    }
  }

  private notUtf8(start: number): ServingError {
    this.position = start;
    return this.wrong('a text is not UTF-8');
  }

  /** Moves past a text. */
  private *content(): Steps<TextContent> {
    const { bytes, position: start } = this;
    this.count();
    let at = start + 1;
    let isPlain = true;
    let seen = 0;
    for (; bytes[at] !== quote; at++) {
      const code = bytes[at] ?? end;
      seen |= code;
      if (code === backslash) {
        isPlain = false;
        at += 1;
      } else if (code < 0x20) {
        this.position = Math.min(at, bytes.length);
        throw this.wrong('a text has no end, or a control character within');
      }
      if (((at - start) & (textPiece - 1)) === 0) yield;
    }
    if (!isPlain && at - start > bounds.jsonText.most)
      throw this.wrong(
        `a text with escapes has more than ${bounds.jsonText.most} bytes. A string of a tensor may come as {"b64": …}`,
      );
    this.position = at + 1;
    return { bytes: bytes.subarray(start + 1, at), start, isPlain, isAsIs: isPlain && seen < 0x80 };
  }

  private text({ bytes, start, isPlain, isAsIs }: TextContent): string {
    if (bytes.length > textPiece) this.claim(2 * bytes.length);
    const text = isAsIs ? asciiText(bytes) : decodeUtf8(bytes);
    if (text === undefined) throw this.notUtf8(start);
    return isPlain ? text : this.unescaped(text, start);
  }

  private unescaped(text: string, start: number): string {
    const after = this.position;
    this.position = start;
    let plain: string;
    try {
      plain = JSON.parse(`"${text}"`);
    } catch {
      throw this.wrong('a text has an escape that there is not');
    }
    // It has no UTF-8 form, and would silently become another character.
    if (/\p{Surrogate}/u.test(plain)) throw this.wrong('a text has half of a surrogate pair');
    this.position = after;
    return plain;
  }

  private number(): Json {
    const { bytes, position } = this;
    this.count();
    if (bytes[position] === minus && bytes[position + 1] === 0x49) return this.word();
    const number = this.reader.read(position);
    if (number === undefined) throw this.wrong(this.reader.problem);
    this.position = this.reader.end;
    return number;
  }

  private word(): Json {
    const { bytes, position } = this;
    this.count();
    const text = String.fromCharCode(...bytes.subarray(position, position + 10));
    const found = words.find(([word]) => text.startsWith(word) && !/[A-Za-z]/.test(text.charAt(word.length)));
    if (!found) throw this.wrong(this.wantsValue(text));
    this.position += found[0].length;
    return found[1];
  }

  private wantsValue(text: string): string {
    if (text.startsWith("'")) return 'JSON has its texts in double quotes, and this one is in single ones';
    const [, python] = /^(True|False|None)\b/.exec(text) ?? [];
    if (python === undefined) return 'a value must be here';
    return `JSON writes ${python === 'None' ? 'null' : python.toLowerCase()} for Python's ${python}: send json.dumps(…)`;
  }

  private wrong(what: string): ServingError {
    return invalidArgument(`${what}: ${this.place()}`);
  }

  /**
   * The place of an error. Lines are counted only near the beginning: counting takes long further on, where nobody
   * looks for a line.
   */
  private place(): string {
    const { bytes, position } = this;
    if (position > mostCounted) return `byte ${position + 1} of the JSON`;
    let [line, start] = [1, 0];
    for (let at = 0; at < position; at++) {
      if (bytes[at] !== 0x0a) continue;
      line += 1;
      start = at + 1;
    }
    const inLine = decodeUtf8(bytes.subarray(start, position))?.length ?? position - start;
    return `line ${line}, column ${inLine + 1} of the JSON`;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
