/** Reads the header of a .npy file: a Python literal, which NumPy reads with `ast.literal_eval`. */
import { invalidArgument, quoted } from '../../errors.js';

export interface NpyHeader {
  /** The type, for example `<f4`. */
  readonly descr: string;
  readonly isColumnMajor: boolean;
  readonly dims: readonly number[];
}

type Literal = string | number | boolean | Sequence | Map<string, Literal>;

/** A tuple or a list. */
class Sequence {
  constructor(
    readonly isTuple: boolean,
    readonly items: readonly Literal[],
  ) {}
}

/**
 * Reads a header.
 *
 * @param what names the file in errors
 * @throws ServingError INVALID_ARGUMENT for anything but a dict with `descr`, `fortran_order` and `shape`, once each
 */
export function parseNpyHeader(what: string, text: string): NpyHeader {
  const damaged = () =>
    invalidArgument(
      `${what} has a .npy header that cannot be read: expected {'descr': …, 'fortran_order': …, 'shape': …}, got ${quoted(text.trim())}`,
    );
  const dict = new LiteralReader(text).whole();
  if (!(dict instanceof Map) || dict.size !== 3) throw damaged();
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => dict.get(key));
  if (descr instanceof Sequence) throw invalidArgument(`${what} is a structured array: send its fields`);
  if (typeof descr !== 'string' || typeof order !== 'boolean') throw damaged();
  if (!(shape instanceof Sequence) || !shape.isTuple) throw damaged();
  const dims = shape.items.filter((dim) => typeof dim === 'number');
  if (dims.length !== shape.items.length) throw damaged();
  return { descr, isColumnMajor: order, dims };
}

/** Reads Python literals. It returns undefined where the text is none. */
class LiteralReader {
  private position = 0;

  constructor(private readonly text: string) {}

  whole(): Literal | undefined {
    const value = this.value(8);
    return this.token(/\s*$/y) === undefined ? undefined : value;
  }

  private value(depth: number): Literal | undefined {
    if (depth === 0) return undefined;
    if (this.takes('{')) return this.dict(depth - 1);
    if (this.takes('(')) return this.sequence(')', depth - 1);
    if (this.takes('[')) return this.sequence(']', depth - 1);
    const string = this.token(/\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)")/y);
    if (string) return string[1] ?? string[2];
    // Python 2 wrote an L after a long integer.
    const number = this.token(/\s*(0|[1-9]\d*)L?(?![\w.])/y);
    if (number) return Number(number[1]);
    const word = this.token(/\s*(True|False)\b/y);
    return word && word[1] === 'True';
  }

  private dict(depth: number): Map<string, Literal> | undefined {
    const entries = new Map<string, Literal>();
    while (!this.takes('}')) {
      const key = this.value(depth);
      if (typeof key !== 'string' || entries.has(key) || !this.takes(':')) return undefined;
      const value = this.value(depth);
      if (value === undefined) return undefined;
      entries.set(key, value);
      if (this.takes('}')) break;
      if (!this.takes(',')) return undefined;
    }
    return entries;
  }

  private sequence(close: ')' | ']', depth: number): Literal | undefined {
    const items: Literal[] = [];
    let commas = 0;
    while (!this.takes(close)) {
      const item = this.value(depth);
      if (item === undefined) return undefined;
      items.push(item);
      if (this.takes(close)) break;
      if (!this.takes(',')) return undefined;
      commas += 1;
    }
    // One value in parentheses is the value itself.
    if (close === ')' && items.length === 1 && commas === 0) return items[0];
    return new Sequence(close === ')', items);
  }

  private takes(character: string): boolean {
    return this.token(new RegExp(`\\s*\\${character}`, 'y')) !== undefined;
  }

  private token(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text);
    if (!found) return undefined;
    this.position = pattern.lastIndex;
    return found;
  }
}
