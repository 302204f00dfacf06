/** Prints the tensors of a body as text: in full as JSON, or abbreviated as numpy prints arrays. */

import type { Dict, Value } from '../client/decode.js';
import { isTensor, rawData } from '../client/tensor.js';
import { elementTexts, floatText, stringText, type Texts } from '../codec/json/element-texts.js';
import { writeJsonLists } from '../codec/json/lists.js';
import { TextWriter } from '../codec/json/text-pieces.js';
import { formatShape } from '../engines/signature.js';
import { invalidArgument } from '../errors.js';
import { elementCount } from '../tensors/dtypes.js';
import { shapeOfPlain } from '../tensors/plain-values.js';

/** The elements of a tensor, row-major. */
interface Elements {
  /** The dtype, or `plain` for values that take the dtype of the signature. */
  readonly type: string;
  readonly shape: readonly number[];
  readonly textAt: Texts;
}

/** Prints any value as JSON. Tensors become nested lists, as in the server's JSON answers. */
export function toJson(value: Value): string {
  const writer = new TextWriter();
  writeJson(writer, value);
  return Buffer.concat(writer.finish()).toString();
}

function writeJson(writer: TextWriter, value: Value): void {
  if (isTensor(value)) {
    const { shape, textAt } = elementsOf('a tensor', value);
    writeJsonLists(writer, 'a tensor', shape, textAt);
  } else if (Array.isArray(value)) {
    writeAll(writer, '[]', value, (each) => writeJson(writer, each));
  } else if (isDict(value)) {
    writeAll(writer, '{}', Object.entries(value), ([key, each]) => {
      writer.write(`${JSON.stringify(key)}:`);
      writeJson(writer, each);
    });
  } else {
    writer.write(plainText(value));
  }
}

function writeAll<Each>(
  writer: TextWriter,
  brackets: string,
  all: readonly Each[],
  write: (each: Each) => void,
): void {
  writer.write(brackets.charAt(0));
  for (const [i, each] of all.entries()) {
    if (i > 0) writer.write(',');
    write(each);
  }
  writer.write(brackets.charAt(1));
}

/** True for a map that is no tensor. */
export function isDict(value: Value): value is Dict {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !isTensor(value)
  );
}

/** Prints a heading with name, dtype and shape for each value, and its elements below, abbreviated if they are many. */
export function toText(values: Dict): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (isDict(value)) return `${name}: ${toJson(value)}\n`;
      const elements = elementsOf(name, value);
      return `${name}: ${elements.type} ${formatShape(elements.shape)}\n${abbreviate(elements)}\n`;
    })
    .join('');
}

function elementsOf(name: string, value: Value): Elements {
  if (isTensor(value)) {
    const { dtype, shape } = value;
    return { type: dtype, shape, textAt: elementTexts({ dtype, data: rawData(value) }) };
  }
  const shape = shapeOfPlain(`\`${name}\``, value, Number.MAX_SAFE_INTEGER);
  if (!isRectangular(value, shape)) throw invalidArgument(`\`${name}\` has lists of different lengths`);
  const leaves = ([value] as unknown[]).flat(Number.POSITIVE_INFINITY) as Value[];
  return { type: 'plain', shape, textAt: (i) => toJson(leaves[i]) };
}

function isRectangular(value: unknown, [length, ...rest]: readonly number[]): boolean {
  if (length === undefined) return !Array.isArray(value);
  return Array.isArray(value) && value.length === length && value.every((each) => isRectangular(each, rest));
}

function plainText(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : floatText(value);
  if (value instanceof Uint8Array) return stringText(value);
  return typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'null');
}

/** With more elements, only the first and last three along each dim are shown, as in numpy. */
const threshold = 1000;
const edge = 3;
const lineLength = 100;

function abbreviate({ shape, textAt }: Elements): string {
  const total = elementCount(shape);
  if (shape.length === 0) return textAt(0);
  if (total === 0) return '[]';
  const isShort = total <= threshold;
  const shown = (dim: number): (number | undefined)[] => {
    const all = Array.from({ length: isShort ? dim : Math.min(dim, 2 * edge) }, (_, i) => i);
    if (isShort || dim <= 2 * edge) return all;
    return [...all.slice(0, edge), undefined, ...all.slice(edge).map((i) => dim - 2 * edge + i)];
  };
  const texts = new Map<number, string>();
  const visit = (depth: number, start: number): void => {
    if (depth === shape.length) texts.set(start, textAt(start));
    else
      for (const i of shown(shape[depth] as number))
        if (i !== undefined) visit(depth + 1, start * (shape[depth] as number) + i);
  };
  visit(0, 0);
  const width = [...texts.values()].reduce((longest, text) => Math.max(longest, text.length), 0);
  const print = (depth: number, start: number): string => {
    const dim = shape[depth] as number;
    const indent = ' '.repeat(depth + 1);
    const isLast = depth === shape.length - 1;
    const parts = shown(dim).map((i) => {
      if (i === undefined) return '...';
      const index = start * dim + i;
      return isLast ? (texts.get(index) as string).padStart(width) : print(depth + 1, index);
    });
    return `[${isLast ? wrap(parts, indent) : parts.join(`\n${indent}`)}]`;
  };
  return print(0, 0);
}

/** Joins elements with spaces, in lines. */
function wrap(parts: readonly string[], indent: string): string {
  const lines = [''];
  for (const part of parts) {
    const line = lines.at(-1) as string;
    if (line !== '' && line.length + part.length > lineLength) lines.push(part);
    else lines[lines.length - 1] = line === '' ? part : `${line} ${part}`;
  }
  return lines.join(`\n${indent}`);
}
