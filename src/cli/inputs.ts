/**
 * Inputs as the command line gives them: `name=value`, `name=dtype:value`, `name=@file`, and files of named values.
 */
import path from 'node:path';
import { parse } from 'lossless-json';
import type { Encodable } from '../client/encode.js';
import { type Elements, isTensor, type Tensor, tensor } from '../client/tensor.js';
import { invalidArgument, messageOf } from '../errors.js';
import { type Dtype, dtypes, isDtype } from '../runtime/dtypes.js';
import { decodeImage } from './images.js';
import { readInput } from './input.js';
import { UsageError } from './usage.js';

/** What a request says, less where it goes. */
export interface Request {
  readonly inputs: Map<string, Encodable>;
  signature: string | undefined;
  outputs: readonly string[] | undefined;
}

export const inputsHelp = `  name=JSON        a number, text, true or false, or nested lists; what is no JSON is a text
  name=DTYPE:JSON  the same as a tensor of its own dtype, as int64:[1, 2]; without one the signature's is taken
  name=@FILE       an image (JPEG, PNG, GIF, BMP) as uint8 [height, width, 3], or a .json file
  name=DTYPE:@FILE the image as another dtype; with string: the file's bytes as they are
  FILE             a .json file of inputs ({"x": [1, 2]}, or with "inputs", "signature" and "outputs"), or an
                   image, whose input has the file's name without its ending; - is JSON on standard input`;

/**
 * Reads the arguments that are no flags.
 *
 * @throws UsageError if an input comes twice or there is none
 * @throws ServingError for files that cannot be read, and values that do not fit their dtype
 */
export async function readInputs(args: readonly string[]): Promise<Request> {
  const request: Request = { inputs: new Map(), signature: undefined, outputs: undefined };
  const add = (name: string, value: Encodable) => {
    if (request.inputs.has(name)) throw new UsageError(`the input \`${name}\` comes twice`);
    request.inputs.set(name, value);
  };
  for (const arg of args) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(arg) ?? [];
    if (name !== undefined && value !== undefined) add(name, await readValue(name, value));
    else await readFileOfInputs(arg, request, add);
  }
  if (request.inputs.size === 0) throw new UsageError('no inputs: give name=value, or a file of them');
  return request;
}

async function readValue(name: string, text: string): Promise<Encodable> {
  const [, prefix = '', rest = ''] = /^([a-z0-9]+):(.*)$/s.exec(text) ?? [];
  const dtype = isDtype(prefix) ? prefix : undefined;
  const value = dtype ? rest : text;
  if (!value.startsWith('@')) return typed(name, parsePlain(value), dtype);
  const file = value.slice(1);
  const bytes = await readInput(file);
  if (dtype === 'string') return tensor(bytes, [], 'string');
  return readTensor(file, bytes, name, dtype);
}

async function readTensor(file: string, bytes: Buffer, name: string, dtype?: Dtype): Promise<Encodable> {
  if (file.endsWith('.json')) return typed(name, parseJson(file, bytes.toString()), dtype);
  const image = await readImage(file, bytes);
  return dtype ? tensor(image.data as Uint8Array, image.shape, dtype) : image;
}

async function readImage(file: string, bytes: Buffer): Promise<Tensor> {
  const image = await decodeImage(file, bytes);
  if (!image) throw invalidArgument(`${file} is no JPEG, PNG, GIF, BMP or .json file`);
  return tensor(image.rgb, [image.height, image.width, 3], 'uint8');
}

async function readFileOfInputs(
  file: string,
  request: Request,
  add: (name: string, value: Encodable) => void,
): Promise<void> {
  const bytes = await readInput(file);
  if (file !== '-' && !file.endsWith('.json')) {
    add(path.parse(file).name, await readImage(file, bytes));
    return;
  }
  const where = file === '-' ? 'standard input' : file;
  const body = parseJson(where, bytes.toString());
  if (!isObject(body)) throw invalidArgument(`${where} must hold a JSON object of inputs: {"x": [1, 2]}`);
  const { inputs } = body;
  const isEnvelope = isObject(inputs) && !isDescribed(inputs);
  for (const [name, value] of Object.entries(isEnvelope ? inputs : body)) add(name, typed(name, value));
  if (!isEnvelope) return;
  if (typeof body['signature'] === 'string') request.signature = body['signature'];
  if (Array.isArray(body['outputs'])) request.outputs = body['outputs'].map(String);
}

type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

/** A value of JSON as a tensor where a dtype is known, else as it is. */
function typed(name: string, value: Json, dtype?: Dtype): Encodable {
  const plain = elementsOf(value);
  try {
    if (isObject(plain) && isDescribed(plain)) {
      const { dtype: own, shape, data } = plain;
      if (!isDtype(own))
        throw invalidArgument(`no dtype ${own}; there are ${Object.keys(dtypes).join(', ')}`);
      return tensor(data as Elements, shape as number[], own);
    }
    return dtype ? tensor(plain as Elements, undefined, dtype) : (plain as Encodable);
  } catch (error) {
    throw invalidArgument(`input \`${name}\`: ${messageOf(error)}`);
  }
}

function isDescribed(value: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(value).length === 3 && 'dtype' in value && 'shape' in value && 'data' in value;
}

function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !isTensor(value)
  );
}

/** The same with byte strings for `{"b64": …}`. */
function elementsOf(value: Json): Json {
  if (Array.isArray(value)) return value.map(elementsOf);
  if (!isObject(value)) return value;
  const { b64 } = value;
  if (typeof b64 === 'string' && Object.keys(value).length === 1)
    return Buffer.from(b64, 'base64') as unknown as Json;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, elementsOf(each)]));
}

/** JSON, or text where it is none. */
function parsePlain(text: string): Json {
  if (/^-?(NaN|Infinity)$/.test(text)) return Number(text);
  try {
    return parseNumbers(text);
  } catch (error) {
    // What begins as a list was meant as one.
    if (/^[[{"]/.test(text)) throw invalidArgument(`${text} is no JSON: ${messageOf(error)}`);
    return text;
  }
}

function parseJson(file: string, text: string): Json {
  try {
    return parseNumbers(text);
  } catch (error) {
    throw invalidArgument(`${file} is no JSON: ${messageOf(error)}`);
  }
}

/** Integers that a double does not hold become bigints. */
function parseNumbers(text: string): Json {
  const number = (digits: string) =>
    /^-?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits)) ? BigInt(digits) : Number(digits);
  return parse(text, undefined, number) as Json;
}
