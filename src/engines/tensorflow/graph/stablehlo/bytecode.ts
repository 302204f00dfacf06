/**
 * Reads the tables of an MLIR bytecode file: strings, names of operations, and where each attribute and type lies. An
 * entry is read when it is first asked for, and constants are not copied.
 *
 * The format is MLIR's "Bytecode Format" (mlir/docs/BytecodeFormat.md), versions 0 to 6: JAX 0.4.30 wrote version 0,
 * and JAX 0.10 writes version 6. The bytecode of a module begins with the four bytes of `magic`.
 */
import { type Message, messageOf } from '../wire.js';
import { Cursor, Malformed } from './cursor.js';

const magic = Buffer.from([0x4d, 0x4c, 0xef, 0x52]);

/** The versions of the format that introduced a feature. */
export const since = {
  dialectVersions: 1,
  isolatedSections: 2,
  useOrders: 3,
  optionalLocations: 4,
  properties: 5,
} as const;

const newest = 6;

const sections = {
  strings: 0,
  dialects: 1,
  attributes: 2,
  offsets: 3,
  ir: 4,
  dialectVersion: 7,
  properties: 8,
} as const;

/** An attribute or type that has not been read yet. */
export interface Entry {
  readonly dialect: string;
  readonly bytes: Message;
  /** True if its dialect encodes it, false if it is a text. */
  readonly isEncoded: boolean;
}

/** The name of an operation, for example `vhlo` `add_v1`. */
export interface OperationName {
  readonly dialect: string;
  readonly name: string;
  /** True if its properties are encoded as its dialect says. */
  readonly isRegistered: boolean;
}

export interface Bytecode {
  /** The version of the format. */
  readonly version: number;
  readonly strings: Strings;
  readonly operations: readonly OperationName[];
  readonly attributes: readonly Entry[];
  readonly types: readonly Entry[];
  readonly properties: readonly Message[];
  readonly ir: Message;
}

/** @throws Malformed */
export function readBytecode(bytes: Message): Bytecode {
  const cursor = new Cursor(bytes);
  if (cursor.left < magic.length || !cursor.take(magic.length).equals(magic))
    throw new Malformed('expected MLIR bytecode');
  const version = cursor.varint();
  if (version > newest) throw new Malformed(`expected bytecode of version ${newest} at most, got ${version}`);
  cursor.text();
  const found = new Map<number, Message>();
  while (cursor.left > 0) {
    const { id, bytes } = cursor.section();
    if (found.has(id)) throw new Malformed(`expected one section ${id}, got two`);
    found.set(id, bytes);
  }
  const need = (id: number) => {
    const section = found.get(id);
    if (!section) throw new Malformed(`expected a section ${id}`);
    return section;
  };
  const strings = new Strings(need(sections.strings));
  const { dialects, operations } = readDialects(need(sections.dialects), strings, version);
  const properties = found.get(sections.properties) ?? messageOf(new Uint8Array([1]));
  return {
    version,
    strings,
    operations,
    ...readEntries(need(sections.offsets), need(sections.attributes), dialects),
    properties: readProperties(properties),
    ir: need(sections.ir),
  };
}

/** The table of strings. */
export class Strings {
  private readonly ends: number[] = [];
  private readonly data: Message;

  constructor(section: Message) {
    const cursor = new Cursor(section);
    const lengths = Array.from({ length: cursor.count() }, () => cursor.varint());
    let end = 0;
    for (const length of lengths.reverse()) {
      end += length;
      this.ends.push(end);
    }
    this.data = cursor.take(end);
  }

  /** A string without the zero at its end. */
  at(i: number): string {
    const end = this.ends[i];
    if (end === undefined) throw new Malformed(`expected a string ${i}`);
    const start = this.ends[i - 1] ?? 0;
    return this.data.subarray(start, Math.max(start, end - 1)).toString('utf8');
  }
}

function readDialects(section: Message, strings: Strings, version: number) {
  const cursor = new Cursor(section);
  const dialects = Array.from({ length: cursor.count() }, () => {
    if (version < since.dialectVersions) return strings.at(cursor.varint());
    const { value, flag: isVersioned } = cursor.flagged();
    if (isVersioned && cursor.section().id !== sections.dialectVersion)
      throw new Malformed("expected a dialect's version");
    return strings.at(value);
  });
  const operations: OperationName[] = [];
  // The number of them.
  if (version >= since.optionalLocations) cursor.varint();
  while (cursor.left > 0)
    readGroup(cursor, dialects, (dialect) => {
      if (version < since.properties) {
        operations.push({ dialect, name: strings.at(cursor.varint()), isRegistered: true });
        return;
      }
      const { value, flag: isRegistered } = cursor.flagged();
      operations.push({ dialect, name: strings.at(value), isRegistered });
    });
  return { dialects, operations };
}

/** Reads entries of one dialect, which is named once. */
function readGroup(cursor: Cursor, dialects: readonly string[], readOne: (dialect: string) => void): void {
  const dialect = dialects[cursor.varint()];
  if (dialect === undefined) throw new Malformed('expected a dialect of the table');
  for (let left = cursor.count(); left > 0; left--) readOne(dialect);
}

function readEntries(offsets: Message, data: Message, dialects: readonly string[]) {
  const cursor = new Cursor(offsets);
  const counts = [cursor.count(), cursor.count()];
  const rest = new Cursor(data);
  const [attributes = [], types = []] = counts.map((count) => {
    const entries: Entry[] = [];
    while (entries.length < count)
      readGroup(cursor, dialects, (dialect) => {
        const { value: size, flag: isEncoded } = cursor.flagged();
        entries.push({ dialect, bytes: rest.take(size), isEncoded });
      });
    return entries;
  });
  return { attributes, types };
}

function readProperties(section: Message): Message[] {
  const cursor = new Cursor(section);
  return Array.from({ length: cursor.count() }, () => cursor.take(cursor.varint()));
}
