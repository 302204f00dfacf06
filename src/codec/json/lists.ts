/** Writes tensors as nested lists, row-major, in texts of bounded length. */
import { formatShape } from '../../engines/signature.js';
import { ServingError } from '../../errors.js';
import { elementCount } from '../../tensors/dtypes.js';
import type { Texts } from './element-texts.js';
import { partLength, type TextWriter } from './text-pieces.js';

/**
 * Writes nested lists of texts, row-major.
 *
 * @param what names them in errors
 * @throws ServingError NOT_ACCEPTABLE if there would be many lists with hardly any elements
 */
export function writeJsonLists(
  writer: TextWriter,
  what: string,
  shape: readonly number[],
  textAt: Texts,
): void {
  checkListCount(what, shape);
  for (const text of listTexts(shape, textAt)) writer.write(text);
}

/**
 * The lists that one output may have in addition to 16 for each element. A few bytes of shape could ask for billions.
 */
const maxLists = 2 ** 16;

export function checkListCount(what: string, shape: readonly number[]): void {
  let lists = 0;
  let inEach = 1;
  for (const dim of dimsWithin(shape)) {
    lists += inEach;
    inEach *= dim;
  }
  if (lists <= maxLists + 16 * elementCount(shape)) return;
  throw new ServingError(
    'NOT_ACCEPTABLE',
    `${what} of shape ${formatShape(shape)} would be ${lists} lists in JSON: ask for CBOR by accept: application/cbor`,
  );
}

/** The dims that nested lists can express. Lists cannot express the dims within an empty list. */
function dimsWithin(shape: readonly number[]): readonly number[] {
  const firstZero = shape.indexOf(0);
  return firstZero < 0 ? shape : shape.slice(0, firstZero + 1);
}

/**
 * Writes nested lists, row-major, in texts of at most {@link textElements} elements and about {@link partLength}
 * characters.
 *
 * @param longAt gives the pieces of an element that is too long for one text
 */
export function* listTexts(
  shape: readonly number[],
  textAt: Texts,
  longAt?: (index: number) => Iterable<string> | undefined,
): Generator<string, void, void> {
  const outer = dimsWithin(shape).slice(0, -1);
  const width = dimsWithin(shape).at(-1);
  /** For each outer dim, the number of innermost lists within one of its lists. */
  const spans = outer.map((_, depth) => elementCount(outer.slice(depth)));
  const bordersAt = (row: number) => spans.reduce((count, span) => count + (row % span === 0 ? 1 : 0), 0);
  const rows = elementCount(outer);
  let text = '';
  let index = 0;
  for (let row = 0; row < rows; row++) {
    if (row > 0) text += ',';
    if (width !== undefined) text += '['.repeat(bordersAt(row) + 1);
    for (let i = 0; i < (width ?? 1); i++) {
      if (i > 0) text += ',';
      const long = longAt?.(index);
      if (long) {
        yield text;
        yield* long;
        text = '';
      } else {
        text += textAt(index);
      }
      index += 1;
      if (text.length >= partLength || index % textElements === 0) {
        yield text;
        text = '';
      }
    }
    if (width !== undefined) text += ']'.repeat(bordersAt(row + 1) + 1);
    // Lists without elements are text, too.
    if (text.length >= partLength) {
      yield text;
      text = '';
    }
  }
  yield text;
}

/** Writing this many elements takes a millisecond or two. */
const textElements = 1024;
