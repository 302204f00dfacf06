/**
 * Long texts of a body. They stay the bytes that they came as, because a JavaScript string would be a copy that is made
 * in one go.
 */

/** A text of more bytes is long. */
export const longTextBytes = 2 ** 16;

/** A text as UTF-8 bytes, which have been checked. */
export class LongText {
  /** @param bytes is a view on the body */
  constructor(readonly bytes: Uint8Array) {}
}
