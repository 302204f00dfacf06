/**
 * Writes CBOR with deterministic heads (RFC 8949, section 4.2.1), and tensors as RFC 8746 describes them.
 *
 * The server and the clients share it, so it also runs in browsers.
 */

import { major, tags } from './cbor-reader.js';
import type { Dtype } from './dtypes.js';
import type { Strings } from './strings.js';
import { typedArrayTags } from './typed-arrays.js';
import { encodeUtf8 } from './utf8.js';
import type { TensorData } from './values.js';

/** A byte string of more bytes is not copied. It becomes a part of its own. */
const inlineBytes = 4096;

/** The most bytes that the buffer for heads and short strings grows to. */
const longestBuffer = 2 ** 20;

/** Writes heads and short strings into one growing buffer. */
export class CborWriter {
  private parts: Uint8Array[] = [];
  private buffer: Uint8Array;
  private view: DataView;
  private start = 0;
  private position = 0;

  /** @param allocate returns memory of so many bytes, which need not be zero */
  constructor(private readonly allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes)) {
    this.buffer = allocate(512);
    this.view = viewOf(this.buffer);
  }

  /** Writes a major type and its argument in the shortest form. An argument beyond 2^53 comes as a bigint. */
  head(type: number, argument: number | bigint): void {
    this.reserve(9);
    const { view, position } = this;
    const initial = type << 5;
    if (argument < 24) {
      this.byte(initial | Number(argument));
    } else if (argument < 0x100) {
      view.setUint16(position, ((initial | 24) << 8) | Number(argument));
      this.position += 2;
    } else if (argument < 0x10000) {
      view.setUint8(position, initial | 25);
      view.setUint16(position + 1, Number(argument));
      this.position += 3;
    } else if (argument < 0x1_0000_0000) {
      view.setUint8(position, initial | 26);
      view.setUint32(position + 1, Number(argument));
      this.position += 5;
    } else {
      view.setUint8(position, initial | 27);
      view.setBigUint64(position + 1, BigInt(argument));
      this.position += 9;
    }
  }

  /** Writes a simple value below 24, for example true (21). */
  simple(value: number): void {
    this.reserve(1);
    this.byte((major.simple << 5) | value);
  }

  float64(value: number): void {
    this.reserve(9);
    this.byte((major.simple << 5) | 27);
    this.view.setFloat64(this.position, value);
    this.position += 8;
  }

  text(value: string): void {
    if (isAscii(value)) {
      this.head(major.text, value.length);
      this.reserve(value.length);
      for (let i = 0; i < value.length; i++) this.byte(value.charCodeAt(i));
    } else {
      const bytes = encodeUtf8(value);
      this.head(major.text, bytes.length);
      this.raw(bytes);
    }
  }

  dims(shape: readonly number[]): void {
    this.head(major.array, shape.length);
    for (const dim of shape) this.head(major.unsigned, dim);
  }

  bytes(value: Uint8Array): void {
    this.head(major.bytes, value.length);
    this.raw(value);
  }

  /** @param data row-major little-endian bytes, or for strings one byte string per element */
  tensor(dtype: Dtype, shape: readonly number[], data: TensorData): void {
    const tag = typedArrayTags[dtype];
    if (tag === undefined && dtype !== 'string') {
      this.head(major.map, 3);
      this.text('dtype');
      this.text(dtype);
      this.text('shape');
      this.dims(shape);
      this.text('data');
      this.bytes(data as Uint8Array);
      return;
    }
    if (tag === undefined) {
      this.stringsHead(shape, data.length);
      for (const string of data as Strings) this.bytes(string);
    } else {
      this.head(major.tag, tags.multiDimensional);
      this.head(major.array, 2);
      this.dims(shape);
      this.head(major.tag, tag);
      this.bytes(data as Uint8Array);
    }
  }

  /** Writes what stands before the strings of a tensor. */
  stringsHead(shape: readonly number[], count: number): void {
    this.head(major.tag, tags.multiDimensional);
    this.head(major.array, 2);
    this.dims(shape);
    this.head(major.array, count);
  }

  /** The number of bytes that were written and not yet taken. */
  get length(): number {
    return this.parts.reduce((sum, part) => sum + part.length, this.position - this.start);
  }

  /** All that was written, as parts to be sent one after another. */
  finish(): readonly Uint8Array[] {
    this.endPart();
    return this.parts;
  }

  /** The parts that were written since the last call. */
  take(): readonly Uint8Array[] {
    this.endPart();
    const { parts } = this;
    this.parts = [];
    return parts;
  }

  private byte(value: number): void {
    this.buffer[this.position++] = value;
  }

  private raw(value: Uint8Array): void {
    if (value.length > inlineBytes) {
      this.endPart();
      this.parts.push(value);
      return;
    }
    this.reserve(value.length);
    this.buffer.set(value, this.position);
    this.position += value.length;
  }

  private endPart(): void {
    if (this.position > this.start) this.parts.push(this.buffer.subarray(this.start, this.position));
    this.start = this.position;
  }

  /** Makes room in the buffer. What was written before stays where it is and becomes a part. */
  private reserve(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return;
    this.endPart();
    this.buffer = this.allocate(Math.max(Math.min(2 * this.buffer.length, longestBuffer), bytes + 512));
    this.view = viewOf(this.buffer);
    this.start = 0;
    this.position = 0;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}
