/** Writes values as CBOR, in the one form that the server and all its clients use. */
import { major } from '../tensors/cbor-reader.js';
import { CborWriter } from '../tensors/cbor-writer.js';
import { isMapOfParts } from './composites.js';
import { bytesOf, dtypeOfArray, isTensor, rawData, type Tensor } from './tensor.js';

/** The values that {@link dictToBinary} writes. */
export type Encodable =
  | Tensor
  | ArrayBufferView
  | number
  | bigint
  | boolean
  | string
  | null
  | readonly Encodable[]
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable };

/** Values by name. A Map keeps the order of keys that are numbers, which objects put first. */
export type EncodableDict = { readonly [key: string]: Encodable } | ReadonlyMap<string, Encodable>;

/**
 * Writes named values as CBOR.
 *
 * A typed array becomes a tensor of rank 1. A Uint8Array becomes a byte string, as everywhere in CBOR; the server also
 * takes one for the elements of a uint8 input. Whole numbers below 2^53 and bigints become integers, and other numbers
 * float64. So a larger integer must be a bigint. Lists of numbers take the dtype of the model's signature.
 *
 * @throws TypeError for a value without a CBOR form here, for example undefined
 * @throws RangeError for a tensor whose shape does not fit its data, or an integer beyond ±2^64
 */
export function dictToBinary(dict: EncodableDict): Uint8Array<ArrayBuffer> {
  const writer = new CborWriter();
  write(writer, dict);
  return joined(writer.finish());
}

/**
 * Makes the body of an inference request. It is an envelope only if one is needed or asked for. Within an envelope,
 * inputs named dtype, shape and data would be one tensor. Without an envelope, an input named inputs could not be
 * sparse or ragged.
 */
export function inferBody(
  inputs: EncodableDict,
  { signature, outputs, envelope = false }: InferBodyOptions = {},
): Uint8Array<ArrayBuffer> {
  const { inputs: ownInputs } = inputs instanceof Map ? Object.fromEntries(inputs) : inputs;
  const isNeeded = signature !== undefined || outputs !== undefined || isMapOfParts(ownInputs);
  if (!isNeeded && !envelope) return dictToBinary(inputs);
  const request = new Map<string, Encodable>([['inputs', inputs]]);
  if (signature !== undefined) request.set('signature', signature);
  if (outputs) request.set('outputs', outputs);
  return dictToBinary(request);
}

export interface InferBodyOptions {
  readonly signature?: string | undefined;
  /** The outputs to return; all by default. */
  readonly outputs?: readonly string[] | undefined;
  /** Asks for an envelope even without the two above. */
  readonly envelope?: boolean | undefined;
}

function write(writer: CborWriter, value: Encodable): void {
  switch (typeof value) {
    case 'number':
      // -0 is a safe integer, but CBOR has no integer for it.
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) writeInteger(writer, value);
      else writer.float64(value);
      return;
    case 'bigint':
      writeInteger(writer, value);
      return;
    case 'boolean':
      writer.simple(value ? 21 : 20);
      return;
    case 'string':
      writer.text(value);
      return;
    case 'object':
      if (value === null) writer.simple(22);
      else writeObject(writer, value);
      return;
    default:
      throw new TypeError(`${typeof value} cannot be sent`);
  }
}

function writeInteger(writer: CborWriter, value: number | bigint): void {
  if (value >= 2n ** 64n || value < -(2n ** 64n)) throw new RangeError(`${value} is beyond 64 bits`);
  if (value >= 0) writer.head(major.unsigned, value);
  else writer.head(major.negative, typeof value === 'bigint' ? -1n - value : -1 - value);
}

function writeObject(writer: CborWriter, value: Encodable & object): void {
  if (value instanceof Uint8Array) writer.bytes(value);
  else if (ArrayBuffer.isView(value)) writeArray(writer, value);
  else if (Array.isArray(value)) {
    writer.head(major.array, value.length);
    for (const element of value) write(writer, element);
  } else if (isTensor(value)) writer.tensor(value.dtype, value.shape, rawData(value));
  else writeEntries(writer, value instanceof Map ? [...value] : Object.entries(value));
}

function writeArray(writer: CborWriter, array: ArrayBufferView): void {
  const { length } = array as ArrayBufferView & ArrayLike<number>;
  writer.tensor(dtypeOfArray(array), [length], bytesOf(array));
}

function writeEntries(writer: CborWriter, entries: readonly (readonly [string, Encodable])[]): void {
  writer.head(major.map, entries.length);
  for (const [key, value] of entries) {
    writer.text(key);
    write(writer, value);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
