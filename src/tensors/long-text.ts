/**
 * Long texts of a body, which stay the bytes that they came as: a string of one would be a copy, made in one go.
 */

/** Texts of more bytes are long. */
export const longTextBytes = 2 ** 16;

/** A text as its UTF-8, which was checked. */
export class LongText {
  /** @param bytes a view on the body */
  constructor(readonly bytes: Uint8Array) {}
}
