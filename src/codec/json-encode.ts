/**
 * JSON answers: nested lists, with every number such that it reads back the same.
 *
 * Integers are exact at any size, floats in the shortest form of their own type, NaN and infinities as those bare words
 * (as TensorFlow Serving and Python's json have them), in strict JSON as texts, bytes that are not UTF-8 as `{"b64": …}`,
 * complex numbers as [re, im].
 */
import { isUtf8 } from 'node:buffer';
import { invalidArgument } from '../errors.js';
import { elementCount, type FixedDtype } from '../runtime/dtypes.js';
import { formatShape } from '../runtime/signature.js';
import { type TensorView, viewTensor } from '../runtime/tensors.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16, viewOf } from '../runtime/values.js';
import {
  callerOutputsOf,
  type EncodedBody,
  encodedBody,
  type InferAnswer,
  type Output,
} from './infer-answer.js';

/** Any JSON value, with a line end, as people see it in a terminal. */
export function encodeJson(value: unknown): EncodedBody {
  return encodedBody([Buffer.from(`${JSON.stringify(value)}\n`)]);
}

/** `{"status": "ok", "model", "version", "generation", "outputs": {name: nested lists}}` */
export function encodeJsonAnswer(answer: InferAnswer): EncodedBody {
  return encodeAnswer(answer, elementTexts);
}

/** The same for parsers that know no bare `NaN`: it and the infinities are the texts "NaN", "Infinity" and "-Infinity". */
export function encodeStrictJsonAnswer(answer: InferAnswer): EncodedBody {
  return encodeAnswer(answer, strictTexts);
}

function encodeAnswer(answer: InferAnswer, textsOf: (view: TensorView) => Texts): EncodedBody {
  const { model, version, generation } = answer;
  const writer = new TextWriter();
  writer.write(
    `{"status":"ok","model":${JSON.stringify(model)},"version":${version},"generation":${generation},"outputs":`,
  );
  writeOutputs(writer, callerOutputsOf(answer), textsOf);
  writer.write('}\n');
  return encodedBody(writer.finish());
}

function writeOutputs(
  writer: TextWriter,
  outputs: ReadonlyMap<string, Output>,
  textsOf: (view: TensorView) => Texts,
): void {
  writer.write('{');
  let separator = '';
  for (const [name, output] of outputs) {
    writer.write(`${separator}${JSON.stringify(name)}:`);
    separator = ',';
    if (output instanceof Map) {
      writeOutputs(writer, output, textsOf);
      continue;
    }
    const view = viewTensor(output);
    writeJsonLists(writer, `output \`${name}\``, view.shape, textsOf(view));
  }
  writer.write('}');
}

/**
 * Writes nested lists of texts, row-major.
 *
 * @param what names them in errors
 * @throws ServingError INVALID_ARGUMENT if there would be lists almost without elements
 */
export function writeJsonLists(
  writer: TextWriter,
  what: string,
  shape: readonly number[],
  textAt: Texts,
): void {
  // What lies within an empty list cannot be said.
  const firstZero = shape.indexOf(0);
  const written = firstZero < 0 ? shape : shape.slice(0, firstZero + 1);
  checkListCount(what, shape, written);
  nest(writer, written, textAt);
}

/** The elements of a tensor as JSON has them, by index. */
export function elementTexts({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Texts {
  return dtype === 'string' ? stringTexts(data as readonly Uint8Array[]) : texts(dtype, data as Uint8Array);
}

function strictTexts(view: TensorView): Texts {
  const textAt = elementTexts(view);
  return view.dtype === 'string' ? textAt : (i) => textAt(i).replace(/NaN|-?Infinity/g, '"$&"');
}

/** Lists that one output may have beyond 16 for each element: a few bytes of shape can ask for billions of them. */
const maxLists = 2 ** 16;

function checkListCount(what: string, shape: readonly number[], written: readonly number[]): void {
  let lists = 0;
  let inEach = 1;
  for (const dim of written) {
    lists += inEach;
    inEach *= dim;
  }
  if (lists <= maxLists + 16 * elementCount(shape)) return;
  throw invalidArgument(
    `${what} of shape ${formatShape(shape)} would be ${lists} lists in JSON: ask for CBOR by accept: application/cbor`,
  );
}

/** Lists within lists, row-major. */
function nest(writer: TextWriter, shape: readonly number[], textAt: Texts): void {
  let index = 0;
  const write = (depth: number): void => {
    if (depth === shape.length) {
      writer.write(textAt(index++));
      return;
    }
    writer.write('[');
    for (let i = 0; i < (shape[depth] as number); i++) {
      if (i > 0) writer.write(',');
      write(depth + 1);
    }
    writer.write(']');
  };
  write(0);
}

/** Characters of text that are gathered before they become bytes: texts of millions of elements would not fit the heap. */
const partLength = 2 ** 16;

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

function stringTexts(strings: readonly Uint8Array[]): Texts {
  return (i) => stringText(strings[i] as Uint8Array);
}

function texts(dtype: FixedDtype, bytes: Uint8Array): Texts {
  const values = viewOf(dtype, bytes);
  const at = (i: number) => Number(values[i]);
  switch (dtype) {
    case 'bool':
      return (i) => (values[i] ? 'true' : 'false');
    case 'float16':
      return (i) => shortest(fromFloat16(at(i)), 5, (x) => toFloat16(x) === at(i));
    case 'bfloat16':
      return (i) => shortest(fromBfloat16(at(i)), 4, (x) => toBfloat16(x) === at(i));
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
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? JSON.stringify(buffer.toString('utf8')) : `{"b64":"${buffer.toString('base64')}"}`;
}
