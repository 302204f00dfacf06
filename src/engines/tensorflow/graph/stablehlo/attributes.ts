/**
 * Reads the attributes of a VHLO operation by name.
 *
 * They are encoded one after another in the order of their names, as numbers of the file's table and without the names.
 * Before version 5 of the format they are a dictionary with names.
 */
import type { Message } from '../wire.js';
import { attributeNames } from './attribute-names.js';
import type { Bytecode } from './bytecode.js';
import { Cursor, Malformed } from './cursor.js';
import { type Element, elementAt, type TensorType, typeAt, widths } from './types.js';

/** The codes of attributes in StableHLO's VhloBytecode.cpp. */
const codes = {
  array: 1,
  boolean: 2,
  comparison: 3,
  fft: 7,
  integer: 9,
  string: 14,
  tensor: 15,
} as const;

/** The codes of MLIR's own attributes, which the dictionaries of older files use. */
const builtin = { dictionary: 1, string: 2 } as const;

/** A constant. */
export interface TensorAttribute {
  readonly type: TensorType;
  /** A view on its elements, or on one that stands for all. A byte holds eight bools, if there are so few bytes. */
  readonly bytes: Message;
}

/** The most elements of a constant that are read. */
const maxNumbers = 256;

export class Attributes {
  private constructor(
    private readonly bytecode: Bytecode,
    /** The number of each attribute in the file's table. */
    private readonly indices: ReadonlyMap<string, number>,
  ) {}

  /**
   * @param operation includes the version, for example `gather_v2`
   * @param properties are undefined if it has none
   */
  static ofProperties(bytecode: Bytecode, operation: string, properties: Message | undefined): Attributes {
    const names = attributeNames.get(operation) ?? [];
    const cursor = properties && new Cursor(properties);
    const indices = new Map(names.map((name) => [name, cursor?.varint() ?? -1]));
    if (names.length > 0 && cursor?.left !== 0)
      throw new Malformed(`expected the ${names.length} attributes of ${operation}`);
    return new Attributes(bytecode, indices);
  }

  /** @param index of a dictionary; undefined if it has none */
  static ofDictionary(bytecode: Bytecode, index: number | undefined): Attributes {
    const indices = new Map<string, number>();
    if (index !== undefined) {
      const cursor = entryOf(bytecode, index, 'builtin', builtin.dictionary);
      for (let left = cursor.count(); left > 0; left--) {
        const name = entryOf(bytecode, cursor.varint(), 'builtin', builtin.string);
        indices.set(bytecode.strings.at(name.varint()), cursor.varint());
      }
    }
    return new Attributes(bytecode, indices);
  }

  has(name: string): boolean {
    return this.indices.has(name);
  }

  integer(name: string): number {
    const cursor = this.read(name, codes.integer);
    const element = elementAt(this.bytecode, cursor.varint());
    if (widths[element] === 1) return (cursor.byte() << 24) >> 24;
    return cursor.signed();
  }

  flag(name: string): boolean {
    return this.read(name, codes.boolean).varint() !== 0;
  }

  /** The number of a comparison in `EQ NE GE GT LE LT`. */
  comparison(): number {
    return this.read('comparison_direction', codes.comparison).varint();
  }

  string(name: string): string {
    return this.bytecode.strings.at(this.read(name, codes.string).varint());
  }

  tensor(name: string): TensorAttribute {
    const cursor = this.read(name, codes.tensor);
    const type = typeAt(this.bytecode, cursor.varint());
    if (type.kind !== 'tensor' || type.dims.includes(null))
      throw new Malformed(`expected a tensor \`${name}\``);
    return { type, bytes: cursor.take(cursor.varint()) };
  }

  /** Whole numbers of any shape, possibly none. */
  integers(name: string): number[] {
    const numbers = numbersOf(this.tensor(name));
    if (!numbers) throw new Malformed(`expected whole numbers \`${name}\``);
    return numbers;
  }

  private read(name: string, code: number): Cursor {
    return entryOf(this.bytecode, this.indices.get(name) ?? -1, 'vhlo', code);
  }
}

/** What follows the code of an attribute. */
function entryOf({ attributes }: Bytecode, index: number, dialect: string, code: number): Cursor {
  const entry = attributes[index];
  if (!entry?.isEncoded || entry.dialect !== dialect)
    throw new Malformed(`expected an attribute of ${dialect}`);
  const cursor = new Cursor(entry.bytes);
  if (cursor.varint() !== code) throw new Malformed(`expected an attribute of ${dialect} with code ${code}`);
  return cursor;
}

/** @returns undefined if the elements are no whole numbers, too many, or not exact here */
export function numbersOf({ type: { dims, element }, bytes }: TensorAttribute): number[] | undefined {
  const count = dims.reduce<number>((product, dim) => product * (dim ?? 0), 1);
  if (!isWhole(element) || count > maxNumbers) return undefined;
  const numbers = Array.from({ length: count });
  if (element === 'i1') return boolsOf(bytes, count);
  const size = widths[element];
  if (bytes.length !== size && bytes.length !== count * size)
    throw new Malformed(`expected ${count * size} bytes of a constant, got ${bytes.length}`);
  const step = bytes.length === size ? 0 : size;
  const read = numbers.map((_, i) =>
    size === 8 ? Number(bytes.readBigInt64LE(i * step)) : bytes.readIntLE(i * step, size),
  );
  return read.every(Number.isSafeInteger) ? read : undefined;
}

function isWhole(element: Element): boolean {
  return element === 'i1' || element === 'i32' || element === 'i64';
}

/**
 * Reads bools. A byte with all bits set stands for any number of them. Otherwise a byte holds eight, or in the older
 * form one.
 */
function boolsOf(bytes: Message, count: number): number[] {
  const isPacked = bytes.length === Math.ceil(count / 8) && bytes.length !== count;
  const isSplat = bytes.length === 1 && (bytes[0] === 0xff || bytes[0] === 0);
  if (!isPacked && !isSplat && bytes.length !== count) throw new Malformed(`expected ${count} bools`);
  return Array.from({ length: count }, (_, i) => {
    if (isSplat) return bytes[0] === 0 ? 0 : 1;
    const byte = bytes[isPacked ? i >> 3 : i] ?? 0;
    return isPacked ? (byte >> (i & 7)) & 1 : Number(byte !== 0);
  });
}
