/** Reads texts that are known to be ASCII. */
import { decodeUtf8 } from '../../tensors/utf8.js';

/** The text of ASCII bytes. The decoder reads short ones, for which it has a fast way. */
export function asciiText(bytes: Uint8Array): string {
  const { buffer, byteOffset, length } = bytes;
  const short = length < 1024 ? decodeUtf8(bytes) : undefined;
  return short ?? Buffer.from(buffer, byteOffset, length).toString('latin1');
}
