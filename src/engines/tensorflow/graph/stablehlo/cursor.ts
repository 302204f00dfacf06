/**
 * Reads the numbers of MLIR's bytecode in place. Reading past the end is an error, so a reader that takes counts from
 * the bytes cannot run longer than the bytes allow.
 */
import type { Message } from '../wire.js';

/** The bytes are malformed. The message says what was expected. */
export class Malformed extends Error {}

export class Cursor {
  private position = 0;

  constructor(private readonly bytes: Message) {}

  get left(): number {
    return this.bytes.length - this.position;
  }

  byte(): number {
    return this.take(1).readUInt8(0);
  }

  /** A view on the next bytes. */
  take(count: number): Message {
    if (count > this.left) throw new Malformed(`expected ${count} bytes more, there are ${this.left}`);
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }

  /** The bytes up to a zero, without it. */
  text(): string {
    const end = this.bytes.indexOf(0, this.position);
    if (end < 0) throw new Malformed('expected a zero at the end of a text');
    const text = this.take(end - this.position).toString('utf8');
    this.position += 1;
    return text;
  }

  /**
   * Reads a PrefixVarInt: the number of zeros at the end of the first byte is the number of bytes that follow.
   *
   * @returns a double, which is exact up to 2^53
   */
  varint(): number {
    const first = this.byte();
    const more = first === 0 ? 8 : 31 - Math.clz32(first & -first);
    if (more === 0) return first >>> 1;
    const rest = this.take(more);
    if (more < 6) return (first + 256 * rest.readUIntLE(0, more) - 2 ** more) / 2 ** (more + 1);
    return Number(wide(first, rest));
  }

  /** Reads a number with its sign in the lowest bit. */
  signed(): number {
    const first = this.byte();
    const more = first === 0 ? 8 : 31 - Math.clz32(first & -first);
    const value = more === 0 ? BigInt(first >>> 1) : wide(first, this.take(more));
    return Number((value >> 1n) ^ -(value & 1n));
  }

  /** Reads a number with a flag in its lowest bit. */
  flagged(): { readonly value: number; readonly flag: boolean } {
    const encoded = this.varint();
    return { value: Math.floor(encoded / 2), flag: encoded % 2 === 1 };
  }

  /** Reads how many entries follow, each of which takes at least a byte. */
  count(): number {
    const count = this.varint();
    if (count > this.left) throw new Malformed(`expected ${count} things, there are ${this.left} bytes`);
    return count;
  }

  /** Reads a count, and as many numbers. */
  varints(): number[] {
    return Array.from({ length: this.count() }, () => this.varint());
  }

  signedVarints(): number[] {
    return Array.from({ length: this.count() }, () => this.signed());
  }

  /** Reads a section: its number and its bytes. */
  section(): { readonly id: number; readonly bytes: Message } {
    const head = this.byte();
    const length = this.varint();
    if (head >= 128) {
      const alignment = this.varint();
      while (this.left > 0 && this.bytes[this.position] === padding && this.position % alignment !== 0)
        this.position += 1;
    }
    return { id: head & 127, bytes: this.take(length) };
  }
}

const padding = 0xcb;

/** Reads a number with six or more further bytes. With eight of them, the first byte has no bits of the number. */
function wide(first: number, rest: Message): bigint {
  let value = 0n;
  for (let i = rest.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(rest[i] ?? 0);
  return rest.length === 8 ? value : ((value << 8n) | BigInt(first)) >> BigInt(rest.length + 1);
}
