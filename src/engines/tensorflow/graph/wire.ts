/**
 * Reads protobuf messages in place, field by field. Only what is asked for is copied or made into an object, because a
 * graph may hold hundreds of megabytes of constants.
 */
import protobuf from 'protobufjs/minimal.js';
import type { Turns } from '../../../flow/turns.js';

/** The bytes of a message. It is a `Buffer`, so that its parts are views. */
export type Message = Buffer;

/** A view on the same memory. */
export function messageOf(bytes: Uint8Array): Message {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Calls back with each field of a message. The callback reads or skips the value. */
export function readFields(
  message: Message,
  field: (number: number, wireType: number, reader: protobuf.Reader) => void,
): void {
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    field(tag >>> 3, tag & 7, reader);
  }
}

/** The values of a field that holds strings, bytes or messages, as views. */
export function bytesFields(message: Message, number: number): Message[] {
  const values: Message[] = [];
  readFields(message, (field, wireType, reader) => {
    if (field === number && wireType === 2) values.push(messageOf(reader.bytes()));
    else reader.skipType(wireType);
  });
  return values;
}

/**
 * Does the same as {@link bytesFields} for messages with very many fields: it calls back with each, and gives the event
 * loop back now and then.
 *
 * @param visit gets the number of the field and its value
 */
export async function eachBytesField(
  message: Message,
  visit: (number: number, value: Message) => void,
  turns: Turns,
): Promise<void> {
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const pausing = turns.pause();
    if (pausing) await pausing;
    const tag = reader.uint32();
    if ((tag & 7) === 2) visit(tag >>> 3, messageOf(reader.bytes()));
    else reader.skipType(tag & 7);
  }
}

/**
 * Does the same as {@link bytesField} for messages with very many fields: it gives the event loop back now and then.
 */
export async function lastBytesField(
  message: Message,
  number: number,
  turns: Turns,
): Promise<Message | undefined> {
  let last: Message | undefined;
  const keep = (field: number, value: Message) => {
    if (field === number) last = value;
  };
  await eachBytesField(message, keep, turns);
  return last;
}

/** The last value of such a field, or undefined. */
export function bytesField(message: Message, number: number): Message | undefined {
  return bytesFields(message, number).at(-1);
}

/** The last value of a string field; an empty string if there is none. */
export function stringField(message: Message, number: number): string {
  return bytesField(message, number)?.toString('utf8') ?? '';
}

/** The values of a field of whole numbers, packed or not. They are doubles, which are exact for sizes and indices. */
export function integerFields(message: Message, number: number): number[] {
  const values: number[] = [];
  readFields(message, (field, wireType, reader) => {
    if (field !== number) {
      reader.skipType(wireType);
    } else if (wireType === 2) {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) values.push(Number(reader.int64().toString()));
    } else {
      values.push(Number(reader.int64().toString()));
    }
  });
  return values;
}

/** The last value of a whole number field; 0 if there is none. */
export function integerField(message: Message, number: number): number {
  return integerFields(message, number).at(-1) ?? 0;
}
