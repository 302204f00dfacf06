/**
 * JSON answers: nested lists, with every number such that it reads back the same.
 *
 * Integers are exact at any size, floats in the shortest form of their own type, NaN and infinities as those bare words
 * (as TensorFlow Serving and Python's json have them), in strict JSON as texts, bytes that are not UTF-8 as `{"b64": …}`,
 * complex numbers as [re, im].
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

/** Any JSON value, with a line end, as people see it in a terminal. */
export function encodeJson(value: unknown): EncodedBody {
  return encodedBody([Buffer.from(`${JSON.stringify(value)}\n`)]);
}

/** `{"status": "ok", "model", "version", "generation", "outputs": {name: nested lists}}` */
export function encodeJsonAnswer(answer: InferAnswer): AnswerBody {
  return encodeAnswer(answer, elementTexts);
}

/** The same for parsers that know no bare `NaN`: it and the infinities are the texts "NaN", "Infinity" and "-Infinity". */
export function encodeStrictJsonAnswer(answer: InferAnswer): AnswerBody {
  return encodeAnswer(answer, strictTexts);
}

/** How the elements of a tensor are written. */
type TextsOf = (view: TensorView) => Texts;

function encodeAnswer(answer: InferAnswer, textsOf: TextsOf): AnswerBody {
  const outputs = callerOutputsOf(answer);
  const size = sizeOf(outputs);
  checkSize(size);
  return bodyOfTexts(answerTexts(answer, outputs, textsOf), size);
}

/** The body that texts make: a small one at once, a large one while it is sent. */
export function bodyOfTexts(texts: Iterable<string>, { values, stringBytes }: AnswerSize): AnswerBody {
  const isSmall = values <= smallAnswer && stringBytes <= smallAnswer;
  return isSmall ? written(texts) : { pieces: utf8Pieces(texts), byteLength: undefined };
}

/**
 * The elements of a tensor as one list, row-major, in texts of bounded length.
 *
 * @param isStrict NaN and the infinities are texts
 */
export function* flatTexts(view: TensorView, isStrict: boolean): Generator<string, void, void> {
  const textAt = isStrict ? strictTexts(view) : elementTexts(view);
  yield* listTexts([elementCount(view.shape)], textAt, longTexts(view));
}

/** Values, and bytes of strings, up to which an answer is written at once. */
const smallAnswer = 8192;

/** Values and bytes of strings of one JSON answer. A few seconds of work, in pieces; more is what CBOR is for. */
export const largestJsonAnswer = { values: 2 ** 24, stringBytes: 2 ** 26 } as const;

/** What a JSON answer is made of. */
export type AnswerSize = Readonly<Record<keyof typeof largestJsonAnswer, number>>;

/** @throws ServingError NOT_ACCEPTABLE if there would be lists almost without elements */
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
    // Of more there will be none.
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
 * @throws ServingError NOT_ACCEPTABLE if there would be lists almost without elements
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

/** The elements of a tensor as JSON has them, by index. */
export function elementTexts({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Texts {
  return dtype === 'string' ? stringTexts(data as Strings) : texts(dtype, data as Uint8Array);
}

function strictTexts(view: TensorView): Texts {
  const textAt = elementTexts(view);
  return view.dtype === 'string' ? textAt : (i) => textAt(i).replace(/NaN|-?Infinity/g, '"$&"');
}

/** Lists that one output may have beyond 16 for each element: a few bytes of shape can ask for billions of them. */
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

/** The dims that nested lists can say: what lies within an empty list they cannot. */
function dimsWithin(shape: readonly number[]): readonly number[] {
  const firstZero = shape.indexOf(0);
  return firstZero < 0 ? shape : shape.slice(0, firstZero + 1);
}

/**
 * Lists within lists, row-major, as texts of at most {@link textElements} elements and about {@link partLength}.
 *
 * @param longAt the pieces of an element that is too long for one text
 */
function* listTexts(
  shape: readonly number[],
  textAt: Texts,
  longAt?: (index: number) => Iterable<string> | undefined,
): Generator<string, void, void> {
  const outer = dimsWithin(shape).slice(0, -1);
  const width = dimsWithin(shape).at(-1);
  /** Of each outer dim, the innermost lists within one list of it. */
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

/** The digits of so many take a millisecond or two. */
const textElements = 1024;

/**
 * Characters of text that are gathered before they become bytes: a few milliseconds of work, and the texts of millions of
 * elements would not fit the heap.
 */
const partLength = 2 ** 15;

/** UTF-8 of all texts at once. */
function written(texts: Iterable<string>): EncodedBody {
  let whole = '';
  for (const text of texts) whole += text;
  return encodedBody([Buffer.from(whole)]);
}

const nothing = new Uint8Array();

/** UTF-8 of texts, in pieces of about {@link partLength}, and an empty piece for each text that does not fill one. */
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

/** Gathers text into parts of UTF-8. */
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

/** The text of the element at an index. */
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

/** Keeps the texts of halves: there are 65,536, and the digits of one take as long as those of many float32. */
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

/** Powers of ten that are exact in a double. */
const powersOfTen = Array.from({ length: 19 }, (_, exponent) => 10 ** exponent);

/**
 * The fewest digits by arithmetic, which is several times as fast as by texts: a whole number below 2^53 divided by an
 * exact power of ten is rounded once, just as the text of that decimal is when it is read.
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

/** The value in as few digits as read back as the same value of its type; `digits` always do. */
function shortest(value: number, digits: number, readsBack: (decimal: number) => boolean): string {
  // Integers are exact as far as doubles count.
  if (!Number.isFinite(value) || Number.isSafeInteger(value)) return floatText(value);
  let [few, enough] = [1, digits];
  while (few < enough) {
    const between = (few + enough) >> 1;
    if (readsBack(Number(value.toPrecision(between)))) enough = between;
    else few = between + 1;
  }
  const decimal = Number(value.toPrecision(enough));
  // A whole number that doubles count exactly is read as just that one, and must then be the value.
  return floatText(Number.isSafeInteger(decimal) ? value : decimal);
}

/** Floats keep their point, so that they read back as floats; -0 keeps its sign. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export function stringText(bytes: Uint8Array): string {
  const buffer = bufferOf(bytes);
  return isUtf8(buffer) ? JSON.stringify(buffer.toString('utf8')) : `{"b64":"${buffer.toString('base64')}"}`;
}

/** The same in pieces, for a string that is too long for one; undefined for others. */
function longText(bytes: Uint8Array): Iterable<string> | undefined {
  return bytes.length > partLength ? longPieces(bufferOf(bytes)) : undefined;
}

/** Of the elements of a tensor. */
function longTexts({ data }: TensorView): ((index: number) => Iterable<string> | undefined) | undefined {
  return data instanceof Uint8Array ? undefined : (i) => longText(data.at(i) as Uint8Array);
}

function* longPieces(bytes: Buffer): Generator<string, void, void> {
  const isText = isUtf8(bytes);
  yield isText ? '"' : '{"b64":"';
  let start = 0;
  while (start < bytes.length) {
    // Three bytes are four characters of base64.
    const end = isText ? endOfCharacter(bytes, start + partLength) : start + 3 * 2 ** 13;
    const piece = bytes.subarray(start, end);
    yield isText ? JSON.stringify(piece.toString('utf8')).slice(1, -1) : piece.toString('base64');
    start = end;
  }
  yield isText ? '"' : '"}';
}

/** The first place from `start` on where a character of UTF-8 begins. */
function endOfCharacter(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end += 1;
  return end;
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
