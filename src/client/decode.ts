/** Reads CBOR into values: what `dictToBinary` wrote, and every answer of the server. */

import { invalidArgument } from '../errors.js';
import { toEnd } from '../flow/steps.js';
import { CborReader, major, tags } from '../tensors/cbor-reader.js';
import { plainValue } from '../tensors/cbor-values.js';
import { bytesToRowMajor, toRowMajor } from '../tensors/column-major.js';
import { dtypes, elementCount, isDtype } from '../tensors/dtypes.js';
import { typedArrays } from '../tensors/typed-arrays.js';
import { swapBytes } from '../tensors/values.js';
import { bytesOf, checked, type Tensor, tensorOf } from './tensor.js';

/** A value from CBOR. An integer beyond 2^53 is a bigint, and a byte string is a view on the message. */
export type Value =
  | Tensor
  | Uint8Array
  | number
  | bigint
  | boolean
  | string
  | null
  | undefined
  | Value[]
  | Dict;

/** Values by name. The object has no prototype, so `__proto__` is a name like any other. */
export interface Dict {
  [key: string]: Value;
}

/** The most levels of nesting. */
const maxDepth = 64;

/**
 * The named values in a CBOR message. Tensors are views on `bytes` if those are aligned.
 *
 * @throws ServingError INVALID_ARGUMENT if the message is no well-formed CBOR map, or holds something that no answer
 * has
 */
export function binaryToDict(bytes: Uint8Array): Dict {
  // The whole message is checked before anything is made from it.
  const checker = new CborReader(bytes);
  checker.skip(maxDepth);
  if (checker.position < bytes.length) throw invalidArgument('bytes follow the end of the CBOR');
  const reader = new CborReader(bytes);
  if (reader.peekMajor() !== major.map) throw invalidArgument('the CBOR is no map');
  return readMap(reader) as Dict;
}

function read(reader: CborReader): Value {
  const start = reader.position;
  switch (reader.peekMajor()) {
    case major.map:
      return readMap(reader);
    case major.array:
      return readList(reader);
    case major.tag: {
      const tag = reader.head().argument ?? 0;
      if (tag === tags.multiDimensional || tag === tags.columnMajor) return readArray(reader, tag);
      const type = typedArrays.get(tag);
      if (type) {
        const [dtype, bigEndian] = type;
        const bytes = read(reader);
        if (!(bytes instanceof Uint8Array)) throw invalidArgument('a typed array is no byte string');
        const { size } = dtypes[dtype];
        const data = bigEndian ? swapBytes(bytes, size) : bytes;
        return made(() => tensorOf(dtype, [bytes.length / size], data));
      }
      if (tag === tags.homogeneous || tag === tags.selfDescribed) return read(reader);
      if (tag !== tags.positiveBignum && tag !== tags.negativeBignum)
        throw invalidArgument(`the CBOR has an array of a type that no dtype has (tag ${tag})`);
      return plainValue(new CborReader(reader.bytes, rewound(reader, start))) as bigint;
    }
    default:
      return plainValue(reader) as Value;
  }
}

/** Moves past the content of a tag that is read again from `start`. */
function rewound(reader: CborReader, start: number): number {
  reader.skip(1);
  return start;
}

function readList(reader: CborReader): Value[] {
  const { argument: length } = reader.head();
  const list: Value[] = [];
  while (!reader.atEnd(length, list.length)) list.push(read(reader));
  return list;
}

function readMap(reader: CborReader): Dict | Tensor {
  const { argument: length } = reader.head();
  const dict: Dict = Object.create(null);
  for (let seen = 0; !reader.atEnd(length, seen); seen++) {
    const key = reader.text('a key');
    if (key in dict) throw invalidArgument(`the key ${key} comes twice`);
    dict[key] = read(reader);
  }
  return describedTensor(dict) ?? dict;
}

/** Makes the tensor of `{dtype, shape, data}`, the form for dtypes that have no tag in RFC 8746. */
function describedTensor(dict: Dict): Tensor | undefined {
  const { dtype, shape, data } = dict;
  if (Object.keys(dict).length !== 3 || !isDtype(dtype) || !isShape(shape)) return undefined;
  if (dtype === 'string') return isStrings(data) ? made(() => checked(dtype, shape, data)) : undefined;
  return data instanceof Uint8Array ? made(() => tensorOf(dtype, shape, data)) : undefined;
}

/** Reads `[dimensions, elements]` (RFC 8746, section 3.1). Plain elements become nested lists. */
function readArray(reader: CborReader, tag: number): Value {
  const [shape, elements, ...more] = reader.peekMajor() === major.array ? readList(reader) : [];
  if (!isShape(shape) || more.length > 0) throw invalidArgument('an array is no [shape, elements]');
  if (isStrings(elements) && tag === tags.multiDimensional)
    return made(() => checked('string', shape, elements));
  if (Array.isArray(elements)) return nested(shape, elements, tag);
  const { dtype, data } = (elements ?? {}) as Partial<Tensor>;
  if (!dtype || dtype === 'string' || !ArrayBuffer.isView(data))
    throw invalidArgument('the elements of an array must be a typed array or a list');
  if (tag === tags.multiDimensional) return made(() => checked(dtype, shape, data));
  const { size } = dtypes[dtype];
  if (data.byteLength !== elementCount(shape) * size)
    throw invalidArgument('an array does not fill its shape');
  return made(() => tensorOf(dtype, shape, toEnd(bytesToRowMajor(shape, bytesOf(data), size))));
}

function nested(shape: readonly number[], elements: readonly Value[], tag: number): Value {
  if (shape.length > maxDepth || elements.length !== elementCount(shape))
    throw invalidArgument('an array does not fill its shape');
  // Lists cannot express the dims within an empty list.
  if (elements.length === 0) return [];
  let level: readonly Value[] = tag === tags.columnMajor ? toEnd(toRowMajor(shape, elements)) : elements;
  for (const dim of [...shape].reverse()) {
    const lists: Value[] = [];
    for (let i = 0; i < level.length; i += dim) lists.push(level.slice(i, i + dim));
    level = lists;
  }
  return level[0];
}

function isShape(value: Value): value is number[] {
  return Array.isArray(value) && value.every((dim) => typeof dim === 'number');
}

function isStrings(value: Value): value is Uint8Array[] {
  return Array.isArray(value) && value.every((element) => element instanceof Uint8Array);
}

/** Turns an error about data that does not fit into one that blames the sender. */
function made(make: () => Tensor): Tensor {
  try {
    return make();
  } catch (error) {
    throw error instanceof RangeError ? invalidArgument(error.message) : error;
  }
}
