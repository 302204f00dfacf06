/**
 * Writes JSON answers: nested lists, in which every number reads back as the same value.
 *
 * An integer is exact at any size. A float has the shortest form of its own dtype. NaN and the infinities are bare
 * words, as in TensorFlow Serving and Python's json; in strict JSON they are texts. Bytes that are not UTF-8 are
 * `{"b64": …}`. A complex number is [re, im].
 */
import { isUtf8 } from 'node:buffer';
import { formatShape } from '../../engines/signature.js';
import { ServingError } from '../../errors.js';
import { elementCount, type FixedDtype } from '../../tensors/dtypes.js';
import { bytesOfStrings, type Strings } from '../../tensors/strings.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16, viewOf } from '../../tensors/values.js';
import { type TensorView, viewTensor } from '../../tfjs/tensors.js';
import {
  type AnswerBody,
  callerOutputsOf,
  type EncodedBody,
  encodedBody,
  type InferAnswer,
  type Output,
} from '../infer-answer.js';

/** Writes any JSON value and a line end, as people see it in a terminal. */
export function encodeJson(value: unknown): EncodedBody {
  return encodedBody([Buffer.from(`${JSON.stringify(value)}\n`)]);
}

/** Writes `{"status": "ok", "model", "version", "generation", "outputs": {name: nested lists}}`. */
export function encodeJsonAnswer(answer: InferAnswer): AnswerBody {
  return encodeAnswer(answer, elementTexts);
}

/**
 * Writes the same for parsers that do not accept a bare `NaN`: it and the infinities are the texts "NaN", "Infinity"
 * and "-Infinity".
 */
export function encodeStrictJsonAnswer(answer: InferAnswer): AnswerBody {
  return encodeAnswer(answer, strictTexts);
}

/** Gives the writer for the elements of a tensor. */
type TextsOf = (view: TensorView) => Texts;

function encodeAnswer(answer: InferAnswer, textsOf: TextsOf): AnswerBody {
  const outputs = callerOutputsOf(answer);
  const size = sizeOf(outputs);
  checkSize(size);
  return bodyOfTexts(answerTexts(answer, outputs, textsOf), size);
}

/** Makes a body from texts. A small body is written at once, and a large one while it is sent. */
export function bodyOfTexts(texts: Iterable<string>, { values, stringBytes }: AnswerSize): AnswerBody {
  const isSmall = values <= smallAnswer && stringBytes <= smallAnswer;
  return isSmall ? written(texts) : { pieces: utf8Pieces(texts), byteLength: undefined };
}

/**
 * Writes the elements of a tensor as one row-major list, in texts of bounded length.
 *
 * @param isStrict writes NaN and the infinities as texts
 */
export function* flatTexts(view: TensorView, isStrict: boolean): Generator<string, void, void> {
  const textAt = isStrict ? strictTexts(view) : elementTexts(view);
  yield* listTexts([elementCount(view.shape)], textAt, longTexts(view));
}

/** An answer of at most so many values and bytes of strings is written at once. */
const smallAnswer = 8192;

/**
 * The most values and bytes of strings of one JSON answer. They take a few seconds of work, in pieces. A larger answer
 * needs CBOR.
 */
export const largestJsonAnswer = { values: 2 ** 24, stringBytes: 2 ** 26 } as const;

/** The number of values and bytes of strings of an answer. */
export type AnswerSize = Readonly<Record<keyof typeof largestJsonAnswer, number>>;

/** @throws ServingError NOT_ACCEPTABLE if the answer would have many lists with hardly any elements */
function sizeOf(outputs: ReadonlyMap<string, Output>): AnswerSize {
  let [values, stringBytes] = [0, 0];
  for (const [name, output] of outputs) {
    if (output instanceof Map) {
      const inner = sizeOf(output);
      values += inner.values;
      stringBytes += inner.stringBytes;
      continue;
    }
    const { shape, data } = viewTensor(output);
    checkListCount(`output \`${name}\``, shape);
    const count = elementCount(shape);
    values += count;
    // The answer is too large already.
    if (data instanceof Uint8Array || values > largestJsonAnswer.values) continue;
    stringBytes += bytesOfStrings(data);
  }
  return { values, stringBytes };
}

function checkSize({ values, stringBytes }: AnswerSize): void {
  const { values: mostValues, stringBytes: mostBytes } = largestJsonAnswer;
  if (values > mostValues) throw tooLarge(`at most ${mostValues} values`, String(values));
  if (stringBytes > mostBytes)
    throw tooLarge(`strings of at most ${mostBytes} bytes`, `${stringBytes} bytes`);
}

function tooLarge(expected: string, came: string): ServingError {
  return new ServingError(
    'NOT_ACCEPTABLE',
    `expected ${expected} in the outputs of a JSON answer, got ${came}: ask for accept: application/cbor or application/x-npz, or for fewer outputs`,
  );
}

function* answerTexts(
  { model, version, generation }: InferAnswer,
  outputs: ReadonlyMap<string, Output>,
  textsOf: TextsOf,
): Generator<string, void, void> {
  yield `{"status":"ok","model":${JSON.stringify(model)},"version":${version},"generation":${generation},"outputs":`;
  yield* outputTexts(outputs, textsOf);
  yield '}\n';
}

function* outputTexts(outputs: ReadonlyMap<string, Output>, textsOf: TextsOf): Generator<string, void, void> {
  yield '{';
  let separator = '';
  for (const [name, output] of outputs) {
    yield `${separator}${JSON.stringify(name)}:`;
    separator = ',';
    if (output instanceof Map) {
      yield* outputTexts(output, textsOf);
      continue;
    }
    const view = viewTensor(output);
    yield* listTexts(view.shape, textsOf(view), longTexts(view));
  }
  yield '}';
}

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

/** The JSON text of each element of a tensor, by index. */
export function elementTexts({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Texts {
  return dtype === 'string' ? stringTexts(data as Strings) : texts(dtype, data as Uint8Array);
}

function strictTexts(view: TensorView): Texts {
  const textAt = elementTexts(view);
  return view.dtype === 'string' ? textAt : (i) => textAt(i).replace(/NaN|-?Infinity/g, '"$&"');
}

/**
 * The lists that one output may have in addition to 16 for each element. A few bytes of shape could ask for billions.
 */
const maxLists = 2 ** 16;

function checkListCount(what: string, shape: readonly number[]): void {
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
function* listTexts(
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

/**
 * The characters that are collected before they become bytes. They take a few milliseconds of work. The texts of
 * millions of elements would not fit into the heap.
 */
const partLength = 2 ** 15;

/** Encodes all texts as UTF-8 at once. */
function written(texts: Iterable<string>): EncodedBody {
  let whole = '';
  for (const text of texts) whole += text;
  return encodedBody([Buffer.from(whole)]);
}

const nothing = new Uint8Array();

/**
 * Encodes texts as UTF-8 in pieces of about {@link partLength}. A text that does not fill a piece gives an empty one.
 */
function* utf8Pieces(texts: Iterable<string>): Generator<Uint8Array, void, void> {
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

/** Gives the text of the element at an index. */
export type Texts = (index: number) => string;

function stringTexts(strings: Strings): Texts {
  return (i) => stringText(strings.at(i) as Uint8Array);
}

function texts(dtype: FixedDtype, bytes: Uint8Array): Texts {
  const values = viewOf(dtype, bytes);
  const at = (i: number) => Number(values[i]);
  switch (dtype) {
    case 'bool':
      return (i) => (values[i] ? 'true' : 'false');
    case 'float16':
      return (i) => float16Text(at(i));
    case 'bfloat16':
      return (i) => bfloat16Text(at(i));
    case 'float32':
      return (i) => float32Text(at(i));
    case 'float64':
      return (i) => floatText(at(i));
    case 'complex64':
      return (i) => `[${float32Text(at(2 * i))},${float32Text(at(2 * i + 1))}]`;
    case 'complex128':
      return (i) => `[${floatText(at(2 * i))},${floatText(at(2 * i + 1))}]`;
    default:
      return (i) => String(values[i]);
  }
}

const float16Text = kept((half) => shortest(fromFloat16(half), 5, (x) => toFloat16(x) === half));
const bfloat16Text = kept((half) => shortest(fromBfloat16(half), 4, (x) => toBfloat16(x) === half));

/**
 * Keeps the texts of half floats. There are 65,536, and the text of one takes as long as those of many float32 values.
 */
function kept(textOf: (half: number) => string): (half: number) => string {
  const texts = new Map<number, string>();
  return (half) => {
    let text = texts.get(half);
    if (text === undefined) {
      text = textOf(half);
      texts.set(half, text);
    }
    return text;
  };
}

/** The powers of ten that are exact in a double. */
const powersOfTen = Array.from({ length: 19 }, (_, exponent) => 10 ** exponent);

/**
 * Finds the fewest digits by arithmetic, which is several times as fast as by texts. It divides a whole number below
 * 2^53 by an exact power of ten. The quotient is rounded once, just as a parser rounds the text of that decimal.
 */
function float32Text(value: number): string {
  const magnitude = Math.abs(value);
  const isInRange = magnitude >= 1e-9 && magnitude < 1e9 && !Number.isInteger(value);
  const leading = isInRange ? Math.floor(Math.log10(magnitude)) : 0;
  const [first, last] = isInRange ? [Math.max(0, -leading), 8 - leading] : [0, -1];
  for (let decimals = first; decimals <= last; decimals++) {
    const power = powersOfTen[decimals] as number;
    const decimal = Math.round(magnitude * power) / power;
    if (Math.fround(decimal) === magnitude) return floatText(value < 0 ? -decimal : decimal);
  }
  return shortest(value, 9, (x) => Math.fround(x) === value);
}

/** The text of a value in the fewest digits that read back as the same value. `digits` digits always do. */
function shortest(value: number, digits: number, readsBack: (decimal: number) => boolean): string {
  // Every double in this range that is an integer is exact.
  if (!Number.isFinite(value) || Number.isSafeInteger(value)) return floatText(value);
  let [few, enough] = [1, digits];
  while (few < enough) {
    const between = (few + enough) >> 1;
    if (readsBack(Number(value.toPrecision(between)))) enough = between;
    else few = between + 1;
  }
  const decimal = Number(value.toPrecision(enough));
  // A parser reads a whole number in this range exactly, so it must be the value itself.
  return floatText(Number.isSafeInteger(decimal) ? value : decimal);
}

/** Writes a float with a point, so that it reads back as a float. -0 keeps its sign. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export function stringText(bytes: Uint8Array): string {
  const buffer = bufferOf(bytes);
  return isUtf8(buffer) ? JSON.stringify(buffer.toString('utf8')) : `{"b64":"${buffer.toString('base64')}"}`;
}

/** Writes a string in pieces if it is too long for one text; gives undefined otherwise. */
function longText(bytes: Uint8Array): Iterable<string> | undefined {
  return bytes.length > partLength ? longPieces(bufferOf(bytes)) : undefined;
}

/** The pieces of each element that is too long for one text. */
function longTexts({ data }: TensorView): ((index: number) => Iterable<string> | undefined) | undefined {
  return data instanceof Uint8Array ? undefined : (i) => longText(data.at(i) as Uint8Array);
}

function* longPieces(bytes: Buffer): Generator<string, void, void> {
  const isText = isUtf8(bytes);
  yield isText ? '"' : '{"b64":"';
  let start = 0;
  while (start < bytes.length) {
    // Three bytes become four characters of base64.
    const end = isText ? endOfCharacter(bytes, start + partLength) : start + 3 * 2 ** 13;
    const piece = bytes.subarray(start, end);
    yield isText ? JSON.stringify(piece.toString('utf8')).slice(1, -1) : piece.toString('base64');
    start = end;
  }
  yield isText ? '"' : '"}';
}

/** The first position from `start` on where a UTF-8 character begins. */
function endOfCharacter(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end += 1;
  return end;
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
