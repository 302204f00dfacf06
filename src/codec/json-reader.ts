/**
 * JSON as tensors need it: integers exact at any size, NaN and infinities as bare words, nesting bounded, no key twice.
 *
 * Our own, as no parser that keeps integers also takes those words, bounds the nesting and has `__proto__` be a key.
 */
import { invalidArgument } from '../errors.js';

/** Integers beyond 2^53 are bigints. Within a list `{"b64": …}` is its bytes already. */
export type Json = null | boolean | number | bigint | string | Uint8Array | Json[] | Map<string, Json>;

/** Keys of one object: each takes far more memory than its few characters in the body. */
const maxKeys = 2 ** 16;

/** Digits of an integer that is kept exact. No dtype has more than 20; to read a million of them takes seconds. */
const maxExactDigits = 40;

/**
 * Reads one value, RFC 8259 and the words `NaN`, `Infinity` and `-Infinity`.
 *
 * @param maxDepth levels of lists and objects
 * @throws ServingError INVALID_ARGUMENT with line and column
 */
export function parseJson(text: string, maxDepth: number): Json {
  return new JsonReader(text, maxDepth).whole();
}

/** The bytes that `{"b64": "…"}` stands for; undefined for every other object. */
export function bytesOfBase64(value: Json | undefined): Uint8Array | undefined {
  if (!(value instanceof Map) || value.size !== 1) return undefined;
  const text = value.get('b64');
  if (typeof text !== 'string') return undefined;
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
    throw invalidArgument('what `b64` holds is no base64 with its padding');
  return Buffer.from(text, 'base64');
}

const words: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

const [quote, backslash, minus, comma, colon] = [0x22, 0x5c, 0x2d, 0x2c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

class JsonReader {
  private position = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  whole(): Json {
    const value = this.value();
    if (!Number.isNaN(this.next())) throw this.wrong('something follows the end of the JSON');
    return value;
  }

  /** Moves to the next character that is no space, and gives its code; NaN at the end. */
  private next(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.position += 1;
    }
  }

  private value(): Json {
    const code = this.next();
    if (isDigit(code) || code === minus) return this.number();
    switch (code) {
      case quote:
        return this.string();
      case openList:
        return this.nested(() => this.list());
      case openObject:
        return this.nested(() => this.object());
      default:
        return this.word();
    }
  }

  private nested<Value>(read: () => Value): Value {
    this.depth += 1;
    if (this.depth > this.maxDepth)
      throw this.wrong(`the body is nested more than ${this.maxDepth} levels deep (--max-depth)`);
    this.position += 1;
    const value = read();
    this.depth -= 1;
    return value;
  }

  private list(): Json[] {
    const list: Json[] = [];
    if (this.ends(closeList)) return list;
    do list.push(this.element());
    while (this.goesOn(closeList));
    return list;
  }

  private element(): Json {
    const value = this.value();
    if (!(value instanceof Map)) return value;
    const bytes = bytesOfBase64(value);
    if (!bytes)
      throw this.wrong('a list holds numbers, texts, true, false and {"b64": …}, and no other objects');
    return bytes;
  }

  private object(): Map<string, Json> {
    const entries = new Map<string, Json>();
    if (this.ends(closeObject)) return entries;
    do {
      if (this.next() !== quote) throw this.wrong('a key in quotes must be here');
      const key = this.string();
      if (entries.has(key)) throw this.wrong(`the key ${JSON.stringify(key.slice(0, 80))} comes twice`);
      if (entries.size === maxKeys) throw this.wrong(`an object has more than ${maxKeys} keys`);
      if (this.next() !== colon) throw this.wrong('a colon must be here');
      this.position += 1;
      entries.set(key, this.value());
    } while (this.goesOn(closeObject));
    return entries;
  }

  private ends(close: number): boolean {
    if (this.next() !== close) return false;
    this.position += 1;
    return true;
  }

  /** Past a comma, or past the end. */
  private goesOn(close: number): boolean {
    const code = this.next();
    if (code !== comma && code !== close)
      throw this.wrong(`a comma or ${String.fromCharCode(close)} must be here`);
    this.position += 1;
    return code === comma;
  }

  private string(): string {
    const start = this.position;
    let end = start + 1;
    let plain = true;
    for (; ; end++) {
      const code = this.text.charCodeAt(end);
      if (code === quote) break;
      if (code === backslash) {
        plain = false;
        end += 1;
      } else if (!(code >= 0x20)) {
        this.position = Math.min(end, this.text.length);
        throw this.wrong('a text has no end, or a control character within');
      }
    }
    this.position = end + 1;
    return plain ? this.text.slice(start + 1, end) : this.unescaped(start, end + 1);
  }

  private unescaped(start: number, end: number): string {
    let text: string;
    try {
      text = JSON.parse(this.text.slice(start, end));
    } catch {
      this.position = start;
      throw this.wrong('a text has an escape that there is not');
    }
    // It has no UTF-8: it would silently become another letter.
    if (/\p{Surrogate}/u.test(text)) {
      this.position = start;
      throw this.wrong('a text has half of a surrogate pair');
    }
    return text;
  }

  private number(): number | bigint {
    const { text, position: start } = this;
    const isNegative = text.charCodeAt(start) === minus;
    const first = isNegative ? start + 1 : start;
    let end = first;
    let value = 0;
    // Most numbers are short integers, and exact on the way.
    for (let code = text.charCodeAt(end); isDigit(code) && end - first < 15; code = text.charCodeAt(++end)) {
      value = value * 10 + code - 0x30;
    }
    const after = text.charCodeAt(end);
    const isShort = end > first && !isDigit(after) && after !== 0x2e && after !== 0x65 && after !== 0x45;
    if (!isShort || (end - first > 1 && text.charCodeAt(first) === 0x30)) return this.longNumber();
    this.position = end;
    return isNegative ? -value : value;
  }

  private longNumber(): number | bigint {
    if (this.text.startsWith('-Infinity', this.position)) return this.word() as number;
    const pattern = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
    pattern.lastIndex = this.position;
    const [digits, fraction, exponent] = pattern.exec(this.text) ?? [];
    if (digits === undefined || isDigit(this.text.charCodeAt(pattern.lastIndex)))
      throw this.wrong('this is no number');
    const value = Number(digits);
    if (!Number.isFinite(value)) throw this.wrong('a number is larger than any dtype holds');
    this.position = pattern.lastIndex;
    const isInteger = fraction === undefined && exponent === undefined;
    return isInteger && !Number.isSafeInteger(value) && digits.length <= maxExactDigits
      ? BigInt(digits)
      : value;
  }

  private word(): Json {
    const pattern = /-?[A-Za-z]+/y;
    pattern.lastIndex = this.position;
    const word = pattern.exec(this.text)?.[0] ?? '';
    const value = words.get(word);
    if (value === undefined) throw this.wrong('a value must be here');
    this.position = pattern.lastIndex;
    return value;
  }

  private wrong(what: string) {
    const before = this.text.slice(0, this.position);
    const line = before.split('\n').length;
    const column = this.position - before.lastIndexOf('\n');
    return invalidArgument(`${what}: line ${line}, column ${column} of the JSON`);
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
