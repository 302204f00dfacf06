/** Reads inputs from the command line: `name=value`, `name=dtype:value`, `name=@file`, and files of named values. */
import path from 'node:path';
import type { Encodable } from '../client/encode.js';
import { checked, type Elements, type Tensor, tensor, tensorOf } from '../client/tensor.js';
import { decodeJsonRequest, toWireTensor } from '../codec/json/decode.js';
import { type Json, parseJson } from '../codec/json/reader.js';
import type { KnownTensor, WireLimits } from '../codec/wire.js';
import { invalidArgument, messageOf } from '../errors.js';
import { type Dtype, isDtype } from '../tensors/dtypes.js';
import { withArrays } from '../tensors/long-list.js';
import { decodeImage } from './images.js';
import { readInput } from './input.js';
import { UsageError } from './usage.js';

/** The server checks its own limits. */
const limits: WireLimits = {
  maxDepth: 64,
  maxElements: Number.MAX_SAFE_INTEGER,
  maxDenseElements: Number.MAX_SAFE_INTEGER,
  maxImagePixels: 2 ** 28,
};

/** What a request says, apart from its destination. */
export interface Request {
  readonly inputs: Map<string, Encodable>;
  signature: string | undefined;
  outputs: readonly string[] | undefined;
}

export const inputsHelp = `  name=JSON        a number, text, true or false, or nested lists; what is no JSON is a text
  name=DTYPE:JSON  the same as a tensor of its own dtype, as int64:[1, 2]; without one the signature's is taken
  name=@FILE       an image (JPEG, PNG, GIF, BMP) as uint8 [height, width, 3], a .npy or a .json file
  name=DTYPE:@FILE the image as another dtype; with string: the file's bytes as they are
  FILE             a .json file of inputs ({"x": [1, 2]}, or with "inputs", "signature" and "outputs"), a .npz file
                   of them, or an image or a .npy file, whose input has the file's name without its ending; - is
                   JSON on standard input`;

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
  if (!value.startsWith('@')) return readPlain(name, value, dtype);
  const file = value.slice(1);
  const bytes = await readInput(file);
  if (dtype === 'string') return tensor(bytes, [], 'string');
  return readTensor(file, bytes, name, dtype);
}

async function readTensor(file: string, bytes: Buffer, name: string, dtype?: Dtype): Promise<Encodable> {
  if (file.endsWith('.json')) return readJson(name, file, bytes.toString(), dtype);
  const array = await readArray(file, bytes);
  return dtype && dtype !== array.dtype ? tensor(array.data as Uint8Array, array.shape, dtype) : array;
}

/** @throws ServingError if it is neither an image nor a .npy file */
async function readArray(file: string, bytes: Buffer): Promise<Tensor> {
  const { decodeNpy, isNpy } = await import('../codec/numpy/npy.js');
  if (isNpy(bytes)) return toEncodable(file, decodeNpy(file, bytes, limits)) as Tensor;
  const image = await decodeImage(file, bytes);
  if (!image) throw invalidArgument(`${file} is no JPEG, PNG, GIF, BMP, .npy or .json file`);
  return tensor(image.rgb, [image.height, image.width, 3], 'uint8');
}

async function readFileOfInputs(
  file: string,
  request: Request,
  add: (name: string, value: Encodable) => void,
): Promise<void> {
  if (/^\s*[[{]/.test(file)) throw new UsageError(notInline(file));
  const bytes = await readInput(file);
  if (file.endsWith('.npz')) {
    const { decodeNpz } = await import('../codec/numpy/npz.js');
    for (const [name, array] of await decodeNpz(file, bytes, limits, () => {}))
      add(name, toEncodable(name, array));
    return;
  }
  if (file !== '-' && !file.endsWith('.json')) {
    add(path.parse(file).name, await readArray(file, bytes));
    return;
  }
  const where = file === '-' ? 'standard input' : file;
  const { inputs, signature, outputs } = named(where, () => decodeJsonRequest(bytes, limits));
  for (const [name, wire] of inputs) add(name, toEncodable(name, wire));
  request.signature ??= signature;
  request.outputs ??= outputs;
}

/** What to write in place of JSON that stands where a file is expected. */
function notInline(text: string): string {
  const quotes = text.includes("'") ? '. JSON has double quotes, so put the single ones around it' : '';
  return `expected NAME=JSON or a file of inputs, got JSON: write 'x=[1, 2]', or send {"x": [1, 2]} through standard input with -${quotes}`;
}

/** Reads JSON; anything else is a text. */
function readPlain(name: string, text: string, dtype?: Dtype): Encodable {
  // A value that begins like a list, an object or a text was meant as one.
  if (/^[[{"]/.test(text)) return readJson(name, text, text, dtype);
  let value: Json;
  try {
    value = parseJson(text, limits.maxDepth);
  } catch {
    value = text;
  }
  return toEncodable(name, toWireTensor(`input \`${name}\``, value, limits), dtype);
}

/** @param source names the value in errors */
function readJson(name: string, source: string, text: string, dtype?: Dtype): Encodable {
  const value = named(`${source} is no JSON`, () => parseJson(text, limits.maxDepth));
  return toEncodable(name, toWireTensor(`input \`${name}\``, value, limits), dtype);
}

/** Makes a tensor if the dtype is known, else keeps the plain value. */
function toEncodable(name: string, wire: KnownTensor, dtype?: Dtype): Encodable {
  return named(`input \`${name}\``, () => {
    if (wire.kind === 'parts')
      return new Map(Array.from(wire.parts, ([key, part]) => [key, toEncodable(name, part)]));
    if (wire.kind === 'uneven') return wire.rows.map((row) => toEncodable(name, row));
    if (wire.kind === 'plain')
      return dtype
        ? tensor(withArrays(wire.value) as Elements, undefined, dtype)
        : (withArrays(wire.value) as Encodable);
    return wire.dtype === 'string'
      ? checked('string', wire.shape, wire.data as readonly Uint8Array[])
      : tensorOf(wire.dtype, wire.shape, wire.data as Uint8Array);
  });
}

/** Adds the place to errors. */
function named<Value>(where: string, action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    throw invalidArgument(`${where}: ${messageOf(error)}`);
  }
}
