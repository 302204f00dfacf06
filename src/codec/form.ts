/**
 * Forms, as `curl -F` and browsers send them: each part is an input.
 */
import { invalidArgument, messageOf, quoted } from '../errors.js';
import type { TensorSpec } from '../runtime/signature.js';
import { viewTensor } from '../runtime/tensors.js';
import { imageTensor } from './image.js';
import type { InferRequest } from './infer-request.js';
import { toWireTensor } from './json-decode.js';
import { parseJson } from './json-reader.js';
import { decodeNpy, isNpy } from './npy.js';
import { decodeNpz, isZip } from './npz.js';
import {
  type DeferredTensor,
  type KnownTensor,
  stackTensors,
  type TypedTensor,
  toTensor,
  type WireLimits,
  type WireTensor,
} from './wire.js';

/** One field of a form. */
export interface FormPart {
  readonly name: string;
  /** Its own name, if it is a file. */
  readonly fileName: string | undefined;
  /** The media type, if it says one, without parameters. */
  readonly mediaType: string | undefined;
  readonly bytes: Uint8Array;
}

/**
 * Reads the inputs out of a form.
 *
 * A file is an image, a .npy or .json file, or a byte string; the arrays of a .npz file are inputs by their own names. A
 * value is JSON, or a text. Several parts of one name are the rows of a batch.
 *
 * @param claim is told how many bytes what is unpacked takes, before it does; throws if there is no room
 * @throws ServingError (rejects) INVALID_ARGUMENT
 */
export async function decodeForm(
  parts: readonly FormPart[],
  limits: WireLimits,
  claim: (bytes: number) => void,
): Promise<InferRequest> {
  const rows = new Map<string, WireTensor[]>();
  const inputs = new Map<string, WireTensor>();
  for (const part of parts) {
    const { name, bytes } = part;
    if (isFile(part) && isZip(bytes)) {
      for (const [array, tensor] of await decodeNpz(nameOf(part), bytes, limits, claim)) {
        if (inputs.has(array)) throw invalidArgument(`the input ${quoted(array)} comes twice`);
        inputs.set(array, tensor);
      }
    } else {
      const tensor = isFile(part) ? readFile(part, limits, claim) : readValue(part, limits);
      rows.set(name, [...(rows.get(name) ?? []), tensor]);
    }
  }
  for (const [name, tensors] of rows) {
    if (inputs.has(name)) throw invalidArgument(`the input ${quoted(name)} comes twice`);
    const [first] = tensors as [WireTensor];
    inputs.set(name, tensors.length === 1 ? first : stack(tensors));
  }
  if (inputs.size === 0) throw invalidArgument('the form is empty: send a field for each input');
  return { inputs, signature: undefined, outputs: undefined };
}

/** A value may say that it is a text, as some clients do. */
function isFile({ fileName, mediaType }: FormPart): boolean {
  return fileName !== undefined || (mediaType !== undefined && mediaType !== 'text/plain');
}

function nameOf({ name, fileName }: FormPart): string {
  return `${quoted(fileName || name)} of the form`;
}

function readFile(part: FormPart, limits: WireLimits, claim: (bytes: number) => void): WireTensor {
  const { name, fileName, mediaType, bytes } = part;
  const what = `input \`${name}\``;
  if (isNpy(bytes)) return decodeNpy(what, bytes, limits);
  if (mediaType === 'application/json' || fileName?.endsWith('.json'))
    return readJson(name, Buffer.from(bytes).toString(), limits);
  return imageTensor(what, bytes, claim) ?? { kind: 'plain', value: bytes };
}

/** JSON; what is none is a text, and so is everything but lists where the signature takes strings. */
function readValue({ name, bytes }: FormPart, limits: WireLimits): DeferredTensor {
  const text = Buffer.from(bytes).toString();
  return {
    kind: 'deferred',
    resolve({ dtype }: TensorSpec) {
      if (dtype === 'string' ? text.startsWith('[') : /^\s*[[{"]/.test(text))
        return readJson(name, text, limits);
      return dtype === 'string' ? { kind: 'plain', value: text } : readWord(name, text, limits);
    },
  };
}

/** @throws ServingError INVALID_ARGUMENT */
function readJson(name: string, text: string, limits: WireLimits): KnownTensor {
  const what = `input \`${name}\``;
  try {
    return toWireTensor(what, parseJson(text, limits.maxDepth), limits);
  } catch (error) {
    throw invalidArgument(`${what} is no JSON: ${messageOf(error)}`);
  }
}

/** A number, true or false; else a text, which says more where it is refused. */
function readWord(name: string, text: string, limits: WireLimits): KnownTensor {
  try {
    return toWireTensor(`input \`${name}\``, parseJson(text, limits.maxDepth), limits);
  } catch {
    return { kind: 'plain', value: text };
  }
}

/** The rows as one tensor. */
function stack(rows: readonly WireTensor[]): DeferredTensor {
  return {
    kind: 'deferred',
    resolve(spec, limits) {
      const typed = rows.map((row): Omit<TypedTensor, 'kind'> => {
        const tensor = toTensor(row, spec, limits);
        const view = viewTensor(tensor);
        tensor.dispose();
        return view;
      });
      return stackTensors(`input \`${spec.name}\``, typed, limits);
    },
  };
}
