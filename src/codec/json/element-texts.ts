/**
 * The JSON text of one element of a tensor. A number reads back as the same value, and a float has the shortest form of
 * its own dtype. Bytes that are not UTF-8 are `{"b64": …}`. A complex number is [re, im].
 */
import { isUtf8 } from 'node:buffer';
import type { FixedDtype } from '../../tensors/dtypes.js';
import type { Strings } from '../../tensors/strings.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16, viewOf } from '../../tensors/values.js';
import type { TensorView } from '../../tfjs/tensors.js';
import { partLength } from './text-pieces.js';

/** Gives the text of the element at an index. */
export type Texts = (index: number) => string;

/** The JSON text of each element of a tensor, by index. */
export function elementTexts({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Texts {
  return dtype === 'string' ? stringTexts(data as Strings) : texts(dtype, data as Uint8Array);
}

/** The same for parsers that do not accept a bare `NaN`. */
export function strictTexts(view: TensorView): Texts {
  const textAt = elementTexts(view);
  return view.dtype === 'string' ? textAt : (i) => textAt(i).replace(/NaN|-?Infinity/g, '"$&"');
}

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
export function longTexts({
  data,
}: TensorView): ((index: number) => Iterable<string> | undefined) | undefined {
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
