/** Reads forms, as `curl -F` and browsers send them. Each part is an input. */

import type { TensorSpec } from '../../engines/signature.js';
import { invalidArgument, messageOf, quoted, ServingError } from '../../errors.js';
import { type Claim, inOneStep, type Steps } from '../../flow/steps.js';
import { bounds, pieceBytes } from '../../tensors/limits.js';
import { decodeUtf8, Utf8Check } from '../../tensors/utf8.js';
import { viewTensor } from '../../tfjs/tensors.js';
import { foreignTensor, imageTensor } from '../image/decode.js';
import type { InferBody } from '../infer-body.js';
import { jsonTensor } from '../json/decode.js';
import { readJson } from '../json/reader.js';
import { isNpy, npyInSteps } from '../numpy/npy.js';
import { isZip, npzInSteps } from '../numpy/npz.js';
import {
  type DeferredTensor,
  type KnownTensor,
  stackTensors,
  type TypedTensor,
  toTensor,
  type WireLimits,
  type WireTensor,
} from '../wire.js';
import { takesAnyFile } from './file-inputs.js';
import { describeFile } from './file-kind.js';

/** One field of a form. */
export interface FormPart {
  readonly name: string;
  /** The name of the file, if the part is one. */
  readonly fileName: string | undefined;
  /** The media type without its parameters, if the part has one. */
  readonly mediaType: string | undefined;
  readonly bytes: Uint8Array;
}

/**
 * Reads the inputs from a form.
 *
 * A file is an image, a .npy or .json file, or a byte string. The arrays of a .npz file become inputs by their own
 * names. A field without a file is JSON or a text. Several parts with one name are the rows of a batch.
 *
 * @param claim is called with the bytes that the unpacked values take, before they do; it throws if there is no room
 * @throws ServingError (rejects) INVALID_ARGUMENT
 */
export function* decodeForm(parts: readonly FormPart[], limits: WireLimits, claim: Claim): Steps<InferBody> {
  const rows = new Map<string, WireTensor[]>();
  const inputs = new Map<string, WireTensor>();
  for (const part of parts) {
    const { name, bytes } = part;
    if (isFile(part) && isZip(bytes)) {
      for (const [array, tensor] of yield* npzInSteps(nameOf(part), bytes, limits, claim)) {
        if (inputs.has(array)) throw invalidArgument(`the input ${quoted(array)} comes twice`);
        if (inputs.size === bounds.names.most)
          throw invalidArgument(`the form has more than ${bounds.names.most} inputs: name each input once`);
        inputs.set(array, tensor);
      }
    } else {
      const tensor = isFile(part) ? yield* readFile(part, limits, claim) : readValue(part, claim);
      const before = rows.get(name);
      if (before) before.push(tensor);
      else rows.set(name, [tensor]);
    }
    yield;
  }
  for (const [name, tensors] of rows) {
    if (inputs.has(name)) throw invalidArgument(`the input ${quoted(name)} comes twice`);
    const [first] = tensors as [WireTensor];
    inputs.set(name, tensors.length === 1 ? first : stack(tensors, claim));
  }
  if (inputs.size === 0)
    throw invalidArgument(
      'the form is empty: send a field for each input, with content-disposition: form-data; name="…"',
    );
  return { inputs, signature: undefined, outputs: undefined };
}

/** True for a file. Some clients give a plain value the type text/plain. */
function isFile({ fileName, mediaType }: FormPart): boolean {
  return fileName !== undefined || (mediaType !== undefined && mediaType !== 'text/plain');
}

function nameOf({ name, fileName }: FormPart): string {
  return `${quoted(fileName || name)} of the form`;
}

function* readFile(part: FormPart, limits: WireLimits, claim: Claim): Steps<WireTensor> {
  const { name, fileName, mediaType, bytes } = part;
  const what = `input \`${name}\``;
  if (isNpy(bytes)) return yield* npyInSteps(what, bytes, limits, claim);
  if (mediaType === 'application/json' || fileName?.toLowerCase().endsWith('.json'))
    return yield* readJsonPart(name, bytes, limits, claim);
  return imageTensor(bytes, claim) ?? foreignTensor(name, bytes) ?? otherFile(part);
}

/** A file that is neither an image nor an array. Only an input that takes its bytes accepts it. */
function otherFile(part: FormPart): DeferredTensor {
  const { bytes } = part;
  return {
    kind: 'deferred',
    resolve: (spec) =>
      inOneStep(() => {
        if (takesAnyFile(spec, bytes.length)) return { kind: 'plain', value: bytes };
        throw invalidArgument(
          `input \`${spec.name}\`: expected a file that is an image (JPEG, PNG, GIF, BMP), .npy, .npz or .json, ` +
            `got ${quoted(part.fileName || part.name)}, ${describeFile(bytes)}`,
        );
      }),
  };
}

/**
 * Reads a field without a file as JSON, or as a text if it is none. For an input of strings, only a list is read as
 * JSON.
 */
function readValue({ name, bytes }: FormPart, claim: Claim): DeferredTensor {
  const what = `input \`${name}\``;
  const text = withoutMark(bytes);
  return {
    kind: 'deferred',
    *resolve({ dtype, shape }: TensorSpec, limits: WireLimits) {
      const start = String.fromCharCode(...text.subarray(0, 64)).trimStart();
      if (dtype === 'string' ? start.startsWith('[') : /^[[{"]/.test(start))
        return yield* readJsonPart(name, text, limits, claim);
      if (dtype === 'string') return { kind: 'plain', value: yield* checkedText(what, text) };
      const list = shape?.length === 0 ? undefined : yield* asList(text, claim);
      return list
        ? yield* readJsonPart(name, list, limits, claim)
        : yield* readWord(what, text, limits, claim);
    },
  };
}

/** Removes the byte order mark that some editors put before a text. */
function withoutMark(bytes: Uint8Array): Uint8Array {
  const isMarked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return isMarked ? bytes.subarray(3) : bytes;
}

/** @throws ServingError INVALID_ARGUMENT if the bytes are no UTF-8 */
function* checkedText(what: string, bytes: Uint8Array): Steps<Uint8Array> {
  const check = new Utf8Check(bytes);
  let isUtf8 = check.next();
  for (; isUtf8 === undefined; isUtf8 = check.next()) yield;
  if (isUtf8) return bytes;
  throw invalidArgument(`${what} is a text that is not UTF-8: send it as a file, as curl -F 'x=@file'`);
}

/** Reads numbers with commas between them, as a page sends the list of a form. It gives undefined for anything else. */
function* asList(text: Uint8Array, claim: Claim): Steps<Uint8Array | undefined> {
  if (!/^[\s\d+.-]/.test(String.fromCharCode(text[0] ?? 0))) return undefined;
  if (!Buffer.from(text.buffer, text.byteOffset, text.length).includes(0x2c)) return undefined;
  if (text.length > pieceBytes) claim(text.length);
  const list = new Uint8Array(text.length + 2);
  list[0] = 0x5b;
  for (let at = 0; at < text.length; at += pieceBytes) {
    list.set(text.subarray(at, at + pieceBytes), at + 1);
    yield;
  }
  list[list.length - 1] = 0x5d;
  return list;
}

/** @throws ServingError INVALID_ARGUMENT */
function* readJsonPart(
  name: string,
  bytes: Uint8Array,
  limits: WireLimits,
  claim: Claim,
): Steps<KnownTensor> {
  const what = `input \`${name}\``;
  try {
    return yield* jsonTensor(what, yield* readJson(bytes, limits.maxDepth, claim), limits, claim);
  } catch (error) {
    if (error instanceof ServingError && error.code !== 'INVALID_ARGUMENT') throw error;
    throw invalidArgument(`${what} is no JSON: ${messageOf(error)}`);
  }
}

/** Reads a number, true or false. Anything else becomes a text, because its refusal says more. */
function* readWord(what: string, text: Uint8Array, limits: WireLimits, claim: Claim): Steps<KnownTensor> {
  try {
    return yield* jsonTensor(what, yield* readJson(text, limits.maxDepth, claim), limits, claim);
  } catch (error) {
    if (error instanceof ServingError && error.code !== 'INVALID_ARGUMENT') throw error;
    return { kind: 'plain', value: decodeUtf8(yield* checkedText(what, text.subarray(0, longestWord))) };
  }
}

/** The most bytes of a word that an error shows. */
const longestWord = 1024;

/** Joins the rows into one tensor. */
function stack(rows: readonly WireTensor[], claim: Claim): DeferredTensor {
  return {
    kind: 'deferred',
    *resolve(spec, limits) {
      const typed: Omit<TypedTensor, 'kind'>[] = [];
      for (const row of rows) {
        const tensor = yield* toTensor(row, spec, limits, claim);
        typed.push(viewTensor(tensor));
        tensor.dispose();
        yield;
      }
      return yield* stackTensors(`input \`${spec.name}\``, typed, limits, claim);
    },
  };
}
