/**
 * `{"b64": "…"}`, which stands for bytes in JSON.
 */
import { invalidArgument } from '../errors.js';
import { pieceBytes } from './limits.js';
import type { Claim, Steps } from './steps.js';

/**
 * The bytes that an object stands for; undefined for every other object than `{"b64": "…"}`.
 *
 * @throws ServingError INVALID_ARGUMENT
 */
export function* bytesOfBase64(value: unknown, claim: Claim): Steps<Uint8Array | undefined> {
  if (!(value instanceof Map) || value.size !== 1) return undefined;
  const text: unknown = value.get('b64');
  if (typeof text !== 'string') return undefined;
  if (text.length % 4 !== 0) throw damaged();
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const size = (text.length / 4) * 3 - padding;
  if (size > pieceBytes) claim(size);
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let at = 0; at < text.length; at += pieceBytes) {
    const isLast = at + pieceBytes >= text.length;
    const piece = text.slice(at, at + pieceBytes);
    if (!(isLast ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9+/]*$/).test(piece)) throw damaged();
    bytes.write(piece, (at / 4) * 3, 'base64');
    if (!isLast) yield;
  }
  return bytes;
}

function damaged() {
  return invalidArgument('what `b64` holds is no base64 with its padding');
}
