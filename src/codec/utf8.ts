/**
 * UTF-8 and strings, wherever this runs.
 */
const encoder = new TextEncoder();
// A byte order mark is a letter like any other.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this length a loop is faster than a call of the decoder. */
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

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return false;
  return true;
}
