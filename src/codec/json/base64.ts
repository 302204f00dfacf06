/** Reads `{"b64": "…"}`, which stands for bytes in JSON. */
import { invalidArgument } from '../../errors.js';
import type { Claim, Steps } from '../../flow/steps.js';
import { pieceBytes } from '../../tensors/limits.js';
import { LongText } from '../../tensors/long-text.js';
import { asciiText } from './ascii.js';

/**
 * The bytes that an object stands for; undefined for any object but `{"b64": "…"}`.
 *
 * @throws ServingError INVALID_ARGUMENT
 */
export function* bytesOfBase64(value: unknown, claim: Claim): Steps<Uint8Array | undefined> {
  if (!(value instanceof Map) || value.size !== 1) return undefined;
  const content: unknown = value.get('b64');
  const text = content instanceof LongText ? content.bytes : content;
  if (typeof text !== 'string' && !(text instanceof Uint8Array)) return undefined;
  const partOf = (start: number, end?: number) =>
    typeof text === 'string' ? text.slice(start, end) : asciiText(text.subarray(start, end));
  if (text.length % 4 !== 0) throw damaged();
  const last = partOf(Math.max(0, text.length - 2));
  const padding = last === '==' ? 2 : last.endsWith('=') ? 1 : 0;
  const size = (text.length / 4) * 3 - padding;
  if (size > pieceBytes) claim(size);
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let at = 0; at < text.length; at += pieceBytes) {
    const isLast = at + pieceBytes >= text.length;
    const piece = partOf(at, at + pieceBytes);
    if (!(isLast ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9+/]*$/).test(piece)) throw damaged();
    bytes.write(piece, (at / 4) * 3, 'base64');
    if (!isLast) yield;
  }
  return bytes;
}

function damaged() {
  return invalidArgument('what `b64` holds is no base64 with its padding');
}
