/** Turns big-endian values into little-endian ones. */

import type { Claim, Steps } from '../flow/steps.js';
import { pieceBytes } from '../tensors/limits.js';
import { swapBytes } from '../tensors/values.js';

/** Reverses the bytes of every `width`-byte word, into new memory. The memory is claimed before it is taken. */
export function* swappedInSteps(bytes: Uint8Array, width: number, claim: Claim): Steps<Uint8Array> {
  if (width === 1) return bytes;
  if (bytes.length <= pieceBytes) return swapBytes(bytes, width);
  claim(bytes.length);
  const swapped = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    swapped.set(swapBytes(bytes.subarray(at, at + pieceBytes), width), at);
    yield;
  }
  return swapped;
}
