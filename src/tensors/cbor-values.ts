/**
 * Plain CBOR values as JavaScript has them: numbers, texts, byte strings, true and false, null and lists of these.
 *
 * For what {@link CborReader.skip} has found well-formed. Our own rather than a general decoder's: cbor-x
 * drops the byte order mark of a long text, reads a bignum of a megabyte for minutes and makes 0 of a bignum that is none.
 */

import { Meter, type Steps, toEnd } from '../flow/steps.js';
import { type CborReader, major, tags } from './cbor-reader.js';
import { bytesPerWork } from './limits.js';
import { ListBuilder } from './long-list.js';
import { LongText, longTextBytes } from './long-text.js';
import { decodeUtf8 } from './utf8.js';

/**
 * Reads one value. Integers that a double does not hold exactly are bigints; byte strings are views on the body, and so are
 * long texts. There must be no map in it.
 */
export function plainValue(reader: CborReader): unknown {
  return toEnd(plainInSteps(reader));
}

/** As {@link plainValue}. */
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
