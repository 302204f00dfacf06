/**
 * Turns CBOR items into plain JavaScript values: numbers, texts, byte strings, true, false, null and lists of these.
 *
 * {@link CborReader.skip} must have found the item well-formed. We do not use cbor-x here: it drops the byte order mark
 * of a long text, takes minutes to read a bignum of a megabyte, and reads an invalid bignum as 0.
 */

import { Meter, type Steps, toEnd } from '../flow/steps.js';
import { type CborReader, major, tags } from './cbor-reader.js';
import { bytesPerWork } from './limits.js';
import { ListBuilder } from './long-list.js';
import { LongText, longTextBytes } from './long-text.js';
import { decodeUtf8 } from './utf8.js';

/**
 * Reads one value, which must hold no map. An integer that a double does not hold exactly becomes a bigint. A byte
 * string becomes a view on the body, and so does a long text.
 */
export function plainValue(reader: CborReader): unknown {
  return toEnd(plainInSteps(reader));
}

/** Does the same as {@link plainValue}, in steps. */
export function plainInSteps(reader: CborReader): Steps<unknown> {
  return readPlain(reader, new Meter());
}

function* readPlain(reader: CborReader, meter: Meter): Steps<unknown> {
  switch (reader.peekMajor()) {
    case major.array: {
      const { argument } = reader.head();
      const list = new ListBuilder<unknown>();
      while (!reader.atEnd(argument, list.length)) {
        const type = reader.peekMajor();
        const start = reader.position;
        list.push(
          type === major.array || type === major.tag ? yield* readPlain(reader, meter) : scalar(reader),
        );
        if (meter.isDue(1 + (reader.position - start) / bytesPerWork)) yield;
      }
      if (meter.isDue()) yield;
      return list.finish();
    }
    case major.tag: {
      const { argument } = reader.head();
      const content = yield* readPlain(reader, meter);
      if (argument === tags.positiveBignum) return bignum(content as Uint8Array);
      return argument === tags.negativeBignum ? -1n - bignum(content as Uint8Array) : content;
    }
    default:
      return scalar(reader);
  }
}

function scalar(reader: CborReader): unknown {
  const start = reader.position;
  const { major: type, argument } = reader.head();
  switch (type) {
    case major.unsigned:
      return Number.isSafeInteger(argument) ? argument : reader.wideArgument(start);
    case major.negative:
      return Number.isSafeInteger(-1 - (argument as number))
        ? -1 - (argument as number)
        : -1n - reader.wideArgument(start);
    case major.bytes:
      return reader.take(argument ?? 0);
    case major.text:
      if (argument !== null && argument > longTextBytes) return new LongText(reader.take(argument));
      return argument === 0 ? '' : decodeUtf8(reader.take(argument ?? 0));
    default:
      return reader.simpleOrFloat(start);
  }
}

function bignum(bytes: Uint8Array): bigint {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  return BigInt(`0x0${digits.join('')}`);
}
