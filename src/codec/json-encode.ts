/**
 * JSON answers: nested lists, with every number such that it reads back the same.
 *
 * Integers are exact at any size, floats in the shortest form of their own type, NaN and infinities as those bare words
 * (as TensorFlow Serving and Python's json have them), bytes that are not UTF-8 as `{"b64": …}`, complex numbers as
 * [re, im].
 */
import { isUtf8 } from 'node:buffer';
import { elementCount, type FixedDtype } from '../runtime/dtypes.js';
import { type Tensor, viewTensor } from '../runtime/tensors.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16, viewOf } from '../runtime/values.js';
import { type EncodedBody, encodedBody, type InferAnswer } from './infer-answer.js';

/** Any JSON value, with a line end, as people see it in a terminal. */
export function encodeJson(value: unknown): EncodedBody {
  return encodedBody([Buffer.from(`${JSON.stringify(value)}\n`)]);
}

/** `{"status": "ok", "model", "version", "generation", "outputs": {name: nested lists}}` */
export function encodeJsonAnswer({ model, version, generation, outputs }: InferAnswer): EncodedBody {
  const tensors = Array.from(outputs, ([name, tensor]) => `${JSON.stringify(name)}:${tensorText(tensor)}`);
  const text = `{"status":"ok","model":${JSON.stringify(model)},"version":${version},"generation":${generation},"outputs":{${tensors.join(',')}}}\n`;
  return encodedBody([Buffer.from(text)]);
}

function tensorText(tensor: Tensor): string {
  const { dtype, shape, data } = viewTensor(tensor);
  const elements =
    dtype === 'string'
      ? Array.from(data as readonly Uint8Array[], stringText)
      : elementTexts(dtype, data as Uint8Array);
  return nest(elements, shape);
}

/** Lists within lists, from the innermost dim outwards. */
function nest(elements: string[], shape: readonly number[]): string {
  if (shape.length === 0) return elements[0] ?? 'null';
  if (elementCount(shape) === 0) return emptyList(shape);
  let level = elements;
  for (const dim of [...shape].reverse()) {
    const lists: string[] = [];
    for (let i = 0; i < level.length; i += dim) lists.push(`[${level.slice(i, i + dim).join(',')}]`);
    level = lists;
  }
  return level[0] ?? '[]';
}

function emptyList([dim = 0, ...rest]: readonly number[]): string {
  if (dim === 0 || rest.length === 0) return '[]';
  return `[${new Array<string>(dim).fill(emptyList(rest)).join(',')}]`;
}

function elementTexts(dtype: FixedDtype, bytes: Uint8Array): string[] {
  const values = viewOf(dtype, bytes);
  switch (dtype) {
    case 'bool':
      return Array.from(values as Uint8Array, (value) => (value ? 'true' : 'false'));
    case 'float16':
      return Array.from(values as Uint16Array, (bits) =>
        shortest(fromFloat16(bits), 5, (x) => toFloat16(x) === bits),
      );
    case 'bfloat16':
      return Array.from(values as Uint16Array, (bits) =>
        shortest(fromBfloat16(bits), 4, (x) => toBfloat16(x) === bits),
      );
    case 'float32':
      return Array.from(values as Float32Array, float32Text);
    case 'float64':
      return Array.from(values as Float64Array, floatText);
    case 'complex64':
      return pairs(values as Float32Array, float32Text);
    case 'complex128':
      return pairs(values as Float64Array, floatText);
    default:
      return Array.from(values as Int32Array, String);
  }
}

function pairs(values: Float32Array | Float64Array, text: (value: number) => string): string[] {
  return Array.from(
    { length: values.length / 2 },
    (_, i) => `[${text(values[2 * i] as number)},${text(values[2 * i + 1] as number)}]`,
  );
}

function float32Text(value: number): string {
  return shortest(value, 9, (x) => Math.fround(x) === value);
}

/** The shortest decimal that reads back as the same value of its type. */
function shortest(value: number, digits: number, readsBack: (decimal: number) => boolean): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return floatText(value);
  for (let precision = 1; precision < digits; precision++) {
    const decimal = Number(value.toPrecision(precision));
    if (readsBack(decimal)) return floatText(decimal);
  }
  return floatText(Number(value.toPrecision(digits)));
}

/** Floats keep their point, so that they read back as floats; -0 keeps its sign. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function stringText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? JSON.stringify(buffer.toString('utf8')) : `{"b64":"${buffer.toString('base64')}"}`;
}
