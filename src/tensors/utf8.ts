/** Converts between UTF-8 and strings, in Node and in browsers. */
import { pieceBytes } from './limits.js';

const encoder = new TextEncoder();
// A byte order mark is kept, like any other character.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this length, a loop is faster than a call of the decoder. */
const shortText = 32;

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of bytes, or undefined if they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length <= shortText && isAscii(bytes)) return String.fromCharCode(...bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

export function isUtf8(bytes: Uint8Array): boolean {
  return (bytes.length <= shortText && isAscii(bytes)) || decodeUtf8(bytes) !== undefined;
}

/** Checks a long text piece by piece. */
export class Utf8Check {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private position = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** Checks the next piece. @returns whether the text is UTF-8, or undefined if there are more pieces */
  next(): boolean | undefined {
    const { bytes, position } = this;
    this.position = position + pieceBytes;
    const isLast = this.position >= bytes.length;
    try {
      this.decoder.decode(bytes.subarray(position, this.position), { stream: !isLast });
    } catch {
      return false;
    }
    return isLast ? true : undefined;
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return false;
  return true;
}
