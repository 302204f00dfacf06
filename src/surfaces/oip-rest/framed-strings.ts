/**
 * BYTES in binary: each element is its length in 4 little-endian bytes, and then its bytes.
 */

import { invalidArgument } from '../../errors.js';
import type { Claim, Steps } from '../../flow/steps.js';
import { bounds, pieceBytes } from '../../tensors/limits.js';
import { checkStrings } from '../../tensors/plain-values.js';
import { measureStrings, StringGatherer, type Strings } from '../../tensors/strings.js';

const lengthBytes = 4;

/** Between two pauses. */
const manyStrings = 1024;

/**
 * The elements of a tensor. A few are views on the bytes; many are copied into one piece of memory, which is claimed before.
 *
 * @param what names the tensor in errors
 * @param count how many its shape has
 * @throws ServingError INVALID_ARGUMENT if the bytes are not just these elements
 */
export function* readFramedStrings(
  what: string,
  bytes: Uint8Array,
  count: number,
  claim: Claim,
): Steps<Strings> {
  checkStrings(what, count);
  // Before room is made for what the shape says.
  if (count * lengthBytes > bytes.length)
    throw invalidArgument(
      `${what}: ${count} elements take ${lengthBytes} bytes of length each at least, and ${bytes.length} bytes came`,
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
    throw invalidArgument(`${what}: its ${count} elements take ${at} bytes, and ${bytes.length} came`);
  return yield* strings.finish();
}

/** How many elements the bytes are, as their lengths say; more than a tensor may have are not counted on. */
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

/** Bytes that strings take with their lengths. */
export function framedLength(strings: Strings): number {
  return measureStrings(strings).bytes + lengthBytes * strings.length;
}

/** The strings with their lengths: pieces of a bounded number of them, and long ones as they lie. */
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
