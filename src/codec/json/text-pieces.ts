/** Turns many short texts into UTF-8, in pieces of bounded length. */
import { type EncodedBody, encodedBody } from '../infer-answer.js';

/**
 * The characters that are collected before they become bytes. They take a few milliseconds of work. The texts of
 * millions of elements would not fit into the heap.
 */
export const partLength = 2 ** 15;

/** Encodes all texts as UTF-8 at once. */
export function written(texts: Iterable<string>): EncodedBody {
  let whole = '';
  for (const text of texts) whole += text;
  return encodedBody([Buffer.from(whole)]);
}

const nothing = new Uint8Array();

/**
 * Encodes texts as UTF-8 in pieces of about {@link partLength}. A text that does not fill a piece gives an empty one.
 */
export function* utf8Pieces(texts: Iterable<string>): Generator<Uint8Array, void, void> {
  let gathered = '';
  for (const text of texts) {
    gathered += text;
    if (gathered.length < partLength) {
      yield nothing;
      continue;
    }
    yield Buffer.from(gathered);
    gathered = '';
  }
  if (gathered !== '') yield Buffer.from(gathered);
}

/** Collects text and turns it into parts of UTF-8. */
export class TextWriter {
  private readonly parts: Uint8Array[] = [];
  private text = '';

  write(text: string): void {
    this.text += text;
    if (this.text.length >= partLength) this.endPart();
  }

  finish(): readonly Uint8Array[] {
    this.endPart();
    return this.parts;
  }

  private endPart(): void {
    if (this.text !== '') this.parts.push(Buffer.from(this.text));
    this.text = '';
  }
}
