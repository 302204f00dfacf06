/** Reads JSON inference requests. They have the same forms as CBOR requests, with lists for tensors. */

import { formatShape } from '../../engines/signature.js';
import { invalidArgument } from '../../errors.js';
import { type Claim, claimNothing, Meter, type Steps, toEnd } from '../../flow/steps.js';
import { elementCount } from '../../tensors/dtypes.js';
import { isList } from '../../tensors/long-list.js';
import { fillInSteps, shapeOfPlain } from '../../tensors/plain-values.js';
import { refuseForeignBody } from '../foreign-body.js';
import { checkEnvelope, checkName, checkNameCount, type InferBody } from '../infer-body.js';
import {
  checkByteCount,
  checkDtype,
  checkShape,
  dtypeIsNoText,
  isMapOfParts,
  isTensorMap,
  type KnownTensor,
  type PartsOfTensor,
  type WireLimits,
} from '../wire.js';
import { bytesOfBase64 } from './base64.js';
import { type Json, readJson } from './reader.js';

/** Reading a tensor takes as long as reading this many values. */
const workPerTensor = 16;

/**
 * Reads the body of an inference request. It has the flat form `{"name": tensor}`, or it is the envelope `{"inputs":
 * {"name": tensor}, "signature"?, "outputs"?}`. It is the envelope only if `inputs` is an object that is not itself
 * `{dtype, shape, data}`.
 *
 * A tensor is a value, nested lists, `{"b64": …}` (one byte string), or `{dtype, shape, data}`. Its data is a flat or
 * nested list, or the little-endian bytes as `{"b64": …}`. A sparse tensor is `{indices, values, dense_shape}`. A
 * ragged tensor is `{values, row_splits}` or uneven lists.
 *
 * @throws ServingError INVALID_ARGUMENT saying what is wrong and where
 */
export function decodeJsonRequest(body: Uint8Array, limits: WireLimits): InferBody<KnownTensor> {
  return toEnd(jsonRequestInSteps(body, limits, claimNothing));
}

/** Does the same as {@link decodeJsonRequest}, in steps. @param claim is called before values take memory */
export function* jsonRequestInSteps(
  body: Uint8Array,
  limits: WireLimits,
  claim: Claim,
): Steps<InferBody<KnownTensor>> {
  const entries = yield* readObject(body, limits, claim);
  const envelope = entries.get('inputs');
  if (!(envelope instanceof Map) || isTensorMap(envelope))
    return { inputs: yield* readTensors(entries, limits, claim), signature: undefined, outputs: undefined };
  checkEnvelope(entries.keys());
  return {
    inputs: yield* readTensors(envelope, limits, claim),
    signature: readSignature(entries.get('signature')),
    outputs: readNames(entries.get('outputs')),
  };
}

function* readObject(body: Uint8Array, limits: WireLimits, claim: Claim): Steps<Map<string, Json>> {
  if (body.length === 0)
    throw invalidArgument('the body is empty: send a JSON object from input names to tensors');
  refuseForeignBody(body);
  const value = yield* readJson(body, limits.maxDepth, claim);
  if (value instanceof Map) return value;
  throw invalidArgument('the body must be a JSON object from input names to tensors: {"x": ...}');
}

function readSignature(value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') {
    checkName('`signature`', value.length);
    return value;
  }
  throw invalidArgument('`signature` must be a text');
}

function readNames(value: Json | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (isList(value)) {
    checkNameCount(value.length);
    const names: readonly unknown[] = Array.from<unknown>(value);
    if (names.every((name) => typeof name === 'string')) {
      for (const name of names) checkName('an element of `outputs`', name.length);
      return names;
    }
  }
  throw invalidArgument('`outputs` must be a list of output names');
}

function* readTensors(
  entries: ReadonlyMap<string, Json>,
  limits: WireLimits,
  claim: Claim,
): Steps<Map<string, KnownTensor>> {
  const tensors = new Map<string, KnownTensor>();
  const meter = new Meter();
  for (const [name, value] of entries) {
    tensors.set(name, yield* jsonTensor(`input \`${name}\``, value, limits, claim));
    if (meter.isDue(workPerTensor)) yield;
  }
  return tensors;
}

/**
 * Reads a tensor in any form that a request may use.
 *
 * @param what names it in errors
 */
export function toWireTensor(what: string, value: Json, limits: WireLimits): KnownTensor {
  return toEnd(jsonTensor(what, value, limits, claimNothing));
}

/** Does the same as {@link toWireTensor}, in steps. @param claim is called before values take memory */
export function* jsonTensor(what: string, value: Json, limits: WireLimits, claim: Claim): Steps<KnownTensor> {
  if (!(value instanceof Map)) return { kind: 'plain', value };
  if (isTensorMap(value)) return yield* readDescribed(what, value, limits, claim);
  if (isMapOfParts(value)) return yield* readParts(what, value, limits, claim);
  const bytes = yield* bytesOfBase64(value, claim);
  if (bytes) return { kind: 'plain', value: bytes };
  throw invalidArgument(
    `${what} is an object, and no tensor: send lists, {"b64"}, {dtype, shape, data}, ` +
      'or the parts of a sparse or ragged tensor',
  );
}

/** Reads the parts of a sparse or ragged tensor. The values of a ragged tensor may have parts themselves. */
function* readParts(
  what: string,
  entries: ReadonlyMap<string, Json>,
  limits: WireLimits,
  claim: Claim,
): Steps<PartsOfTensor> {
  const parts = new Map<string, KnownTensor>();
  for (const [key, value] of entries)
    parts.set(key, yield* jsonTensor(`\`${key}\` of ${what}`, value, limits, claim));
  return { kind: 'parts', parts };
}

function* readDescribed(
  what: string,
  entries: ReadonlyMap<string, Json>,
  limits: WireLimits,
  claim: Claim,
): Steps<KnownTensor> {
  const name = entries.get('dtype');
  if (typeof name !== 'string') throw dtypeIsNoText(what);
  checkName(`the dtype of ${what}`, name.length);
  const dtype = checkDtype(what, name);
  const dims = entries.get('shape');
  if (!isList(dims)) throw invalidArgument(`the shape of ${what} must be a list of sizes`);
  const shape = checkShape(what, dims, limits);
  const bytes = yield* bytesOfBase64(entries.get('data'), claim);
  if (bytes && dtype !== 'string') {
    checkByteCount(what, dtype, shape, bytes.length);
    return { kind: 'typed', dtype, shape, data: bytes };
  }
  const data = bytes ?? entries.get('data');
  const isComplex = dtype === 'complex64' || dtype === 'complex128';
  const found = shapeOfPlain(what, data, limits.maxElements);
  if (isComplex && found.at(-1) !== 2 && elementCount(shape) > 0)
    throw invalidArgument(`${what} takes ${dtype}: send [re, im] pairs`);
  checkNesting(what, shape, isComplex ? found.slice(0, -1) : found);
  const part = dtype === 'complex64' ? 'float32' : dtype === 'complex128' ? 'float64' : dtype;
  return { kind: 'typed', dtype, shape, data: yield* fillInSteps(what, data, found, part, claim) };
}

/** Checks that data is flat, or nested just as the shape says. The dims within an empty list are unknown. */
function checkNesting(what: string, shape: readonly number[], found: readonly number[]): void {
  const [elements, came] = [elementCount(shape), elementCount(found)];
  const isNested = found.length > 1 && elements > 0;
  if (came === elements && (!isNested || found.join() === shape.join())) return;
  throw invalidArgument(
    `${what}: expected ${elements} elements for shape ${formatShape(shape)}, got lists of ${formatShape(found)}`,
  );
}
