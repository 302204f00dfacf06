/**
 * Plain CBOR values as JavaScript has them: numbers, texts, byte strings, true and false, null and lists of these.
 *
 * For what {@link CborReader.skip} has found well-formed. Our own rather than a general decoder's: cbor-x
 * drops the byte order mark of a long text, reads a bignum of a megabyte for minutes and makes 0 of a bignum that is none.
 */
import { type CborReader, major, tags, textOf } from './cbor-reader.js';

/**
 * Reads one value. Integers that a double does not hold exactly are bigints; byte strings are views on the body. There
 * must be no map in it.
 */
export function plainValue(reader: CborReader): unknown {
  const start = reader.position;
  const { major: type, argument } = reader.head();
  switch (type) {
    case major.unsigned:
      return Number.isSafeInteger(argument) ? argument : reader.wideArgument(start);
    case major.negative:
      return Number.isSafeInteger(argument) ? -1 - (argument as number) : -1n - reader.wideArgument(start);
    case major.bytes:
      return reader.take(argument ?? 0);
    case major.text:
      return textOf(reader.take(argument ?? 0));
    case major.array: {
      const list: unknown[] = [];
      while (!reader.atEnd(argument, list.length)) list.push(plainValue(reader));
      return list;
    }
    case major.tag: {
      const content = plainValue(reader);
      if (argument === tags.positiveBignum) return bignum(content as Uint8Array);
      return argument === tags.negativeBignum ? -1n - bignum(content as Uint8Array) : content;
    }
    default:
      return reader.simpleOrFloat(start);
  }
}

function bignum(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`);
}
