/**
 * CBOR answers. Tensors are written as RFC 8746 has them, in deterministic heads (RFC 8949, section 4.2.1); large ones
 * stay where they are and become parts of their own. Everything without tensors is left to cbor-x.
 */
import { Encoder } from 'cbor-x';
import type { Dtype } from '../runtime/dtypes.js';
import { type Tensor, viewTensor } from '../runtime/tensors.js';
import { major, tags } from './cbor-reader.js';
import { type EncodedBody, encodedBody, type InferAnswer } from './infer-answer.js';

const plainEncoder = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true });

/** Any JSON-like value. */
export function encodeCbor(value: unknown): EncodedBody {
  return encodedBody([plainEncoder.encode(value)]);
}

/** The little-endian typed arrays of RFC 8746; other dtypes are written as `{dtype, shape, data}`. */
const typedArrayTags: Partial<Record<Dtype, number>> = {
  uint8: 64,
  uint16: 69,
  uint32: 70,
  uint64: 71,
  int8: 72,
  int16: 77,
  int32: 78,
  int64: 79,
  float16: 84,
  float32: 85,
  float64: 86,
};

/** `{"status": "ok", "model", "version", "generation", "outputs": {name: tensor}}` */
export function encodeCborAnswer({ model, version, generation, outputs }: InferAnswer): EncodedBody {
  const writer = new CborWriter();
  writer.head(major.map, 5);
  writer.text('status');
  writer.text('ok');
  writer.text('model');
  writer.text(model);
  writer.text('version');
  writer.head(major.unsigned, version);
  writer.text('generation');
  writer.head(major.unsigned, generation);
  writer.text('outputs');
  writer.head(major.map, outputs.size);
  for (const [name, tensor] of outputs) {
    writer.text(name);
    writeTensor(writer, tensor);
  }
  return writer.finish();
}

function writeTensor(writer: CborWriter, tensor: Tensor): void {
  const { dtype, shape, data } = viewTensor(tensor);
  const tag = typedArrayTags[dtype];
  if (tag === undefined && dtype !== 'string') {
    writer.head(major.map, 3);
    writer.text('dtype');
    writer.text(dtype);
    writer.text('shape');
    writer.dims(shape);
    writer.text('data');
    writer.bytes(data as Uint8Array);
    return;
  }
  writer.head(major.tag, tags.multiDimensional);
  writer.head(major.array, 2);
  writer.dims(shape);
  if (tag === undefined) {
    writer.head(major.array, data.length);
    for (const string of data as readonly Uint8Array[]) writer.bytes(string);
  } else {
    writer.head(major.tag, tag);
    writer.bytes(data as Uint8Array);
  }
}

/** Longer byte strings are not copied but become parts of their own. */
const inlineBytes = 4096;

/** Writes heads and short strings into one growing buffer. */
class CborWriter {
  private readonly parts: Uint8Array[] = [];
  private buffer = Buffer.allocUnsafe(512);
  private start = 0;
  private position = 0;

  /** Major type and argument, in the shortest form. */
  head(type: number, argument: number): void {
    this.reserve(9);
    const initial = type << 5;
    if (argument < 24) {
      this.position = this.buffer.writeUInt8(initial | argument, this.position);
    } else if (argument < 0x100) {
      this.position = this.buffer.writeUInt8(initial | 24, this.position);
      this.position = this.buffer.writeUInt8(argument, this.position);
    } else if (argument < 0x10000) {
      this.position = this.buffer.writeUInt8(initial | 25, this.position);
      this.position = this.buffer.writeUInt16BE(argument, this.position);
    } else if (argument < 0x1_0000_0000) {
      this.position = this.buffer.writeUInt8(initial | 26, this.position);
      this.position = this.buffer.writeUInt32BE(argument, this.position);
    } else {
      this.position = this.buffer.writeUInt8(initial | 27, this.position);
      this.position = this.buffer.writeBigUInt64BE(BigInt(argument), this.position);
    }
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.head(major.text, length);
    this.reserve(length);
    this.position += this.buffer.write(value, this.position);
  }

  dims(shape: readonly number[]): void {
    this.head(major.array, shape.length);
    for (const dim of shape) this.head(major.unsigned, dim);
  }

  bytes(value: Uint8Array): void {
    this.head(major.bytes, value.length);
    if (value.length > inlineBytes) {
      this.endPart();
      this.parts.push(value);
      return;
    }
    this.reserve(value.length);
    this.buffer.set(value, this.position);
    this.position += value.length;
  }

  finish(): EncodedBody {
    this.endPart();
    return encodedBody(this.parts);
  }

  private endPart(): void {
    if (this.position > this.start) this.parts.push(this.buffer.subarray(this.start, this.position));
    this.start = this.position;
  }

  /** Makes room; what was written before stays where it is, as a part. */
  private reserve(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return;
    this.endPart();
    this.buffer = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, bytes + 512));
    this.start = 0;
    this.position = 0;
  }
}
