/**
 * Makes a line of shell that asks a signature for a prediction. It is shown to callers whose request was refused.
 *
 * If the names allow, it has no double quotes, so that it can be copied from a JSON answer.
 */

import { callerInputs } from '../../engines/composite.js';
import type { CompositeSpec, Signature, TensorSpec } from '../../engines/signature.js';
import { sentKey } from '../../http/access/api-keys.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import { connectionOf } from '../../http/connection/peer.js';
import type { Head } from '../../http/request/head.js';
import { elementCount, type FixedDtype } from '../../tensors/dtypes.js';
import { exampleParts, nestParts } from './example-composites.js';

/** The most elements of all inputs that are written out. Python makes more of them. */
const maxElements = 64;

const json = '-H content-type:application/json';

/** Names that can stand in a form's field, and as a Python keyword argument. */
const plainName = /^[A-Za-z_]\w*$/;

/** Makes the {@link exampleRequest} for the URL of a request. */
export function exampleFor(
  { req, mountPath = '', path, query }: Head,
  signature: Signature,
): string | undefined {
  const { localAddress = '127.0.0.1', localPort, scheme } = connectionOf(req);
  const host = localAddress.includes(':') ? `[${localAddress}]` : localAddress;
  // The URL stands in quotes and has none itself: the name of a model may mean something to a shell.
  const unquoted = `${mountPath}${path}`.replaceAll("'", '%27');
  // The default signature usually has the name that Keras gives it. The body may have named any other.
  const isDefault = query['signature'] === undefined && signature.name === 'serving_default';
  const named = isDefault ? '' : `?signature=${encodeURIComponent(signature.name)}`;
  const key = sentKey(req.headers).key === '' ? [] : ['-H x-api-key:$KEY'];
  const url = `${scheme}://${host}:${localPort}${unquoted}${named}`;
  // This is the form that the caller knows how to send.
  const inJson = jsonTypes.has(mediaTypeOf(req)) ? exampleInJson(url, signature, key) : undefined;
  return inJson ?? exampleRequest(url, signature, key);
}

/** The types of JSON bodies. The second is what `curl -d` sends by default. */
const jsonTypes: ReadonlySet<string> = new Set(['application/json', 'application/x-www-form-urlencoded']);

/**
 * The same request with a JSON body. Its quotes are escaped if an answer is read as it stands, and not if a program has
 * parsed it. Between `$'` and `'`, a shell reads both alike.
 *
 * @returns undefined if the line would be long, and for images and for sparse and ragged tensors, which are easier to
 * send as a form
 */
function exampleInJson(url: string, signature: Signature, headers: readonly string[]): string | undefined {
  const specs = [...signature.inputs.values()];
  if (specs.length === 0 || signature.composites || specs.some(isImage)) return undefined;
  // A shell or JSON would escape these characters once more.
  if (specs.some(({ name }) => /['"\\\p{Cc}]/u.test(name))) return undefined;
  const elements = specs.reduce((sum, spec) => sum + elementCount(exampleShape(spec)), 0);
  if (elements > maxElements) return undefined;
  const members = specs.map((spec) => `"${spec.name}": ${exampleValue(spec, '"text"')}`);
  return `curl ${[...headers, json].join(' ')} -d $'{${members.join(', ')}}' '${url}'`;
}

/**
 * A request for one sample of zeros, or for one row if there is no batch. An image is a file `photo.jpg`.
 *
 * @param url has no single quotes
 * @param headers are in curl's form
 * @returns undefined if no command line can hold it
 */
function exampleRequest(
  url: string,
  signature: Signature,
  headers: readonly string[] = [],
): string | undefined {
  const { inputs, composites } = signature;
  const curl = (...args: string[]) => `curl ${[...headers, ...args].join(' ')} '${url}'`;
  if (composites) {
    const fields = exampleFields(signature);
    return fields && curl(...fields.map((field) => `-F '${field.replaceAll("'", "'\\''")}'`));
  }
  const specs = [...inputs.values()];
  if (specs.length === 0) return curl(json, "-d '{}'");
  const namesArePlain = specs.every(({ name }) => plainName.test(name));
  const withImages = namesArePlain ? imageFields(specs) : undefined;
  if (withImages) return `${curl(...withImages.fields.map((field) => `-F '${field}'`))}${withImages.remark}`;
  const elements = specs.reduce((sum, spec) => sum + elementCount(exampleShape(spec)), 0);
  if (elements <= maxElements) {
    if (namesArePlain) return curl(...specs.map((spec) => `-F '${spec.name}=${exampleValue(spec)}'`));
    const body = `{${specs.map((spec) => `${JSON.stringify(spec.name)}: ${exampleValue(spec, '"text"')}`).join(', ')}}`;
    return curl(json, `-d '${body.replaceAll("'", "'\\''")}'`);
  }
  if (!namesArePlain) return undefined;
  const arrays = specs.map((spec) => `${spec.name}=${zeros(spec)}`).join(', ');
  const python = `python3 -c 'import sys, numpy as np; np.savez(sys.stdout.buffer, ${arrays})'`;
  return `${python} | ${curl('-H content-type:application/x-npz', '-H accept:application/json', '--data-binary @-')}`;
}

/**
 * The fields of a form, with files for images, and a remark on the size of those.
 *
 * @returns undefined if no input is an image, or another input is long
 */
function imageFields(specs: readonly TensorSpec[]): { fields: string[]; remark: string } | undefined {
  const images = specs.filter(isImage);
  if (images.length === 0) return undefined;
  const fields: string[] = [];
  for (const spec of specs) {
    const value = isImage(spec) ? '@photo.jpg' : exampleText(spec);
    if (value === undefined) return undefined;
    fields.push(`${spec.name}=${value}`);
  }
  const [height, width] = images[0]?.shape?.slice(-3) ?? [];
  const size =
    typeof height === 'number' && typeof width === 'number' ? ` # ${width} pixels wide, ${height} high` : '';
  return { fields, remark: size };
}

/** True for an input of bytes whose last dim is a number of channels, with or without a batch dim. */
function isImage({ dtype, shape }: TensorSpec): boolean {
  const channels = shape?.at(-1);
  const rank = shape?.length;
  return (
    dtype === 'uint8' && (rank === 3 || rank === 4) && (channels === 1 || channels === 3 || channels === 4)
  );
}

/**
 * One sample of zeros in JSON. Beside sparse and ragged tensors it is a batch of one.
 * @returns undefined if it would be long
 */
export function exampleInputs(signature: Signature): object | undefined {
  const specs = [...callerInputs(signature).values()];
  const isBatch = signature.composites !== undefined;
  if ([...signature.inputs.values()].some((spec) => exampleText(spec) === undefined)) return undefined;
  return Object.fromEntries(
    specs.map((spec) => [
      spec.name,
      spec.kind === undefined ? zeroOf(spec, exampleShape(spec, isBatch)) : exampleComposite(spec),
    ]),
  );
}

function exampleComposite(spec: CompositeSpec): unknown {
  const parts = exampleParts(spec, 1).map(({ spec: part, content }) =>
    'count' in content ? zeroOf(part, shapeOfValues(part, content.count)) : content.integers,
  );
  return nestParts(spec, parts);
}

function shapeOfValues({ shape }: TensorSpec, count: number): number[] {
  return [count, ...(shape?.slice(1) ?? []).map((dim) => dim ?? 1)];
}

/** The fields of a form. Sparse and ragged tensors are their parts. @returns undefined if they would be long */
function exampleFields(signature: Signature): string[] | undefined {
  const { inputs, composites } = signature;
  if ([...inputs.values()].some((spec) => exampleText(spec) === undefined)) return undefined;
  const ofParts = [...(composites?.inputs.values() ?? [])].flatMap((spec) =>
    // Texts in a list would need quotes, while two fields with one name are a list without any.
    exampleParts(spec, spec.dtype === 'string' ? 2 : 1),
  );
  const parts = new Map(ofParts.map(({ spec, content }) => [spec.name, content]));
  return [...inputs.values()].flatMap((spec) => {
    const content = parts.get(spec.name);
    if (content && 'integers' in content) return [`${spec.name}=${JSON.stringify(content.integers)}`];
    const shape = content ? shapeOfValues(spec, content.count) : exampleShape(spec, true);
    const [first, ...rest] = shape;
    const count = content || spec.shape?.[0] !== null ? first : 2;
    if (spec.dtype === 'string' && rest.length === 0 && count !== undefined && count > 1)
      return new Array<string>(count).fill(`${spec.name}=text`);
    return [`${spec.name}=${listsOf(shape, exampleElement(spec, shape.length === 0 ? 'text' : '"text"'))}`];
  });
}

function zeroOf(spec: Pick<TensorSpec, 'dtype'>, shape: readonly number[]): unknown {
  return JSON.parse(listsOf(shape, exampleElement(spec, '"text"')));
}

/** Zeros for one input, as the field of a form. @returns undefined if they would be long */
export function exampleText(spec: TensorSpec): string | undefined {
  return elementCount(exampleShape(spec)) <= maxElements ? exampleValue(spec) : undefined;
}

/** The shape, without the batch dim unless it is wanted. Any other unknown dim is 1. */
function exampleShape({ shape }: TensorSpec, isBatch = false): number[] {
  const dims = shape?.[0] === null && !isBatch ? shape.slice(1) : (shape ?? []);
  return dims.map((dim) => dim ?? 1);
}

function exampleValue(spec: TensorSpec, text = 'text'): string {
  const shape = exampleShape(spec);
  return listsOf(shape, exampleElement(spec, shape.length === 0 ? text : '"text"'));
}

function listsOf(shape: readonly number[], element: string): string {
  // Lists cannot express the dims within an empty list.
  const firstZero = shape.indexOf(0);
  const dims = firstZero < 0 ? shape : shape.slice(0, firstZero + 1);
  return dims.reduceRight((inner, dim) => `[${Array(dim).fill(inner).join(', ')}]`, element);
}

function exampleElement({ dtype }: Pick<TensorSpec, 'dtype'>, text: string): string {
  switch (dtype) {
    case 'string':
      return text;
    case 'bool':
      return 'false';
    case 'complex64':
    case 'complex128':
      return '[0, 0]';
    default:
      return '0';
  }
}

function zeros(spec: TensorSpec): string {
  const shape = exampleShape(spec);
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  return `np.zeros((${dims}), ${numpyType(spec)})`;
}

/** The NumPy type. NumPy has no bfloat16, for which any two bytes will do; strings are S1. */
function numpyType({ dtype }: TensorSpec): string {
  if (dtype === 'string') return 'np.bytes_';
  if (dtype === 'bool') return 'np.bool_';
  return dtype === 'bfloat16' ? 'np.dtype((np.void, 2))' : `np.${dtype satisfies FixedDtype}`;
}
