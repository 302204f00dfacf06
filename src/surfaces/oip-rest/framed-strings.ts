/** Reads and writes BYTES in binary: each element has its length in 4 little-endian bytes, and then its bytes. */

import { invalidArgument } from '../../errors.js';
import type { Claim, Steps } from '../../flow/steps.js';
import { bounds, pieceBytes } from '../../tensors/limits.js';
import { checkStrings } from '../../tensors/plain-values.js';
import { measureStrings, StringGatherer, type Strings } from '../../tensors/strings.js';

const lengthBytes = 4;

/** The strings between two pauses. */
const manyStrings = 1024;

/**
 * Reads the elements of a tensor. A few are views on the bytes. Many are copied into one piece of memory, which is
 * claimed first.
 *
 * @param what names the tensor in errors
 * @param count is the number of elements in its shape
 * @throws ServingError INVALID_ARGUMENT if the bytes are not exactly these elements
 */
export function* readFramedStrings(
  what: string,
  bytes: Uint8Array,
  count: number,
  claim: Claim,
): Steps<Strings> {
  checkStrings(what, count);
  // This is checked before memory is taken for the shape.
  if (count * lengthBytes > bytes.length)
    throw invalidArgument(
      `${what}: expected at least ${count * lengthBytes} bytes for the lengths of ${count} elements, got ${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const strings = new StringGatherer(count, claim);
  let [at, work] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (at + lengthBytes > bytes.length) throw tooShort(what, i, count);
    const start = at + lengthBytes;
    at = start + view.getUint32(at, true);
    if (at > bytes.length) throw tooShort(what, i, count);
    strings.add(bytes.subarray(start, at));
    work += pieceBytes / manyStrings + at - start;
    if (work < pieceBytes) continue;
    work = 0;
    yield;
  }
  if (at !== bytes.length)
    throw invalidArgument(`${what}: expected ${at} bytes for its ${count} elements, got ${bytes.length}`);
  return yield* strings.finish();
}

/** Counts the elements by their lengths. It stops when there are more than a tensor may have. */
export function countFramedStrings(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [at, count] = [0, 0];
  while (at < bytes.length && count <= bounds.strings.most) {
    count += 1;
    at += lengthBytes + (at + lengthBytes > bytes.length ? 0 : view.getUint32(at, true));
  }
  return count;
}

function tooShort(what: string, index: number, count: number): Error {
  return invalidArgument(`${what}: its bytes end within element ${index} of ${count}`);
}

/** The bytes of strings with their lengths. */
export function framedLength(strings: Strings): number {
  return measureStrings(strings).bytes + lengthBytes * strings.length;
}

/** Writes strings with their lengths, in pieces of a bounded number of them. Long ones are not copied. */
export function* framedPieces(strings: Strings): Generator<Uint8Array, void, void> {
  for (let start = 0; start < strings.length; start += manyStrings) {
    const end = Math.min(start + manyStrings, strings.length);
    let gathered: Uint8Array[] = [];
    let size = 0;
    for (let i = start; i < end; i++) {
      const string = strings.at(i) as Uint8Array;
      const length = Buffer.allocUnsafe(lengthBytes);
      length.writeUInt32LE(string.length);
      gathered.push(length);
      size += lengthBytes;
      if (string.length <= pieceBytes) {
        gathered.push(string);
        size += string.length;
        if (size < pieceBytes) continue;
      }
      yield Buffer.concat(gathered, size);
      gathered = [];
      size = 0;
      if (string.length > pieceBytes) yield string;
    }
    if (size > 0) yield Buffer.concat(gathered, size);
  }
}
