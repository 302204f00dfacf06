/**
 * Reads and writes arrays in the format of NumPy's `np.save`.
 *
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */

import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { entriesOf } from '../../flow/keys.js';
import { type Claim, claimNothing, type Steps, toEnd } from '../../flow/steps.js';
import { bytesToRowMajor, toRowMajor } from '../../tensors/column-major.js';
import { dtypes, elementCount, type FixedDtype } from '../../tensors/dtypes.js';
import { bounds, pieceBytes } from '../../tensors/limits.js';
import { checkStrings } from '../../tensors/plain-values.js';
import { measureStrings, StringGatherer, type Strings } from '../../tensors/strings.js';
import type { TensorView } from '../../tfjs/tensors.js';
import { swappedInSteps } from '../byte-order.js';
import { checkByteCount, checkShape, type TypedTensor, type WireLimits } from '../wire.js';
import { parseNpyHeader } from './npy-header.js';
import type { ZipContent } from './zip-encode.js';

const magic = '\x93NUMPY';

/** True for a file that `np.save` wrote. */
export function isNpy(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 6)).toString('latin1') === magic;
}

/** NumPy's type codes without the byte order. NumPy has no bfloat16: ml_dtypes saves it as "two bytes". */
const typeCodes: Readonly<Record<FixedDtype, string>> = {
  bool: 'b1',
  int8: 'i1',
  int16: 'i2',
  int32: 'i4',
  int64: 'i8',
  uint8: 'u1',
  uint16: 'u2',
  uint32: 'u4',
  uint64: 'u8',
  float16: 'f2',
  bfloat16: 'V2',
  float32: 'f4',
  float64: 'f8',
  complex64: 'c8',
  complex128: 'c16',
};

const byTypeCode = new Map(entriesOf(typeCodes).map(([dtype, code]) => [code, dtype]));

/**
 * Reads an array. Its values are a view on the bytes if their order allows.
 *
 * @param what names the array in errors
 * @throws ServingError INVALID_ARGUMENT for a damaged file, and for types that no tensor has: objects (which are
 * pickles), structures, dates
 */
export function decodeNpy(what: string, bytes: Uint8Array, limits: WireLimits): TypedTensor {
  return toEnd(npyInSteps(what, bytes, limits, claimNothing));
}

/**
 * Does the same as {@link decodeNpy}, in steps.
 * @param claim is called before values take memory; views on the bytes take none
 */
export function* npyInSteps(
  what: string,
  bytes: Uint8Array,
  limits: WireLimits,
  claim: Claim,
): Steps<TypedTensor> {
  const { text, end } = readHeader(what, bytes);
  const { descr, isColumnMajor, dims } = parseNpyHeader(what, text);
  const shape = checkShape(what, dims, limits);
  const elements = bytes.subarray(end);
  const order = descr.charAt(0);
  const code = descr.slice(1);
  const strings = /^([SU])(\d+)$/.exec(code);
  const typed = strings
    ? yield* readStrings(what, shape, elements, { kind: strings[1], width: Number(strings[2]), order }, claim)
    : yield* readNumbers(what, shape, elements, { dtype: dtypeOf(what, descr, code), order }, claim);
  return isColumnMajor ? yield* inRowMajor(typed, claim) : typed;
}

/** Finds the text of the header, which is a Python dict. */
function readHeader(what: string, bytes: Uint8Array): { text: string; end: number } {
  const { buffer, byteOffset, byteLength } = bytes;
  const file = Buffer.from(buffer, byteOffset, byteLength);
  if (!isNpy(bytes) || file.length < 10) throw invalidArgument(`${what} is no .npy file`);
  const version = file[6] as number;
  if (version < 1 || version > 3)
    throw invalidArgument(`${what} is a .npy file of format ${version}, and 1 to 3 are known`);
  const start = version === 1 ? 10 : 12;
  if (file.length < start) throw invalidArgument(`${what} ends within its .npy header`);
  const end = start + (version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8));
  // NumPy itself refuses a longer header by default.
  if (end - start > bounds.npyHeaderBytes.most || end > file.length)
    throw invalidArgument(
      `${what} ends within its .npy header, or that is longer than ${bounds.npyHeaderBytes.most} bytes`,
    );
  return { text: file.toString('latin1', start, end), end };
}

function dtypeOf(what: string, descr: string, code: string): FixedDtype {
  const dtype = byTypeCode.get(code);
  if (dtype) return dtype;
  if (code === 'O')
    throw invalidArgument(
      `${what} holds Python objects, which are never decoded, since that runs code: send numbers, or texts as x.astype(bytes)`,
    );
  throw invalidArgument(`${what} has the NumPy type ${quoted(descr)}, which no tensor has`);
}

function* readNumbers(
  what: string,
  shape: readonly number[],
  bytes: Uint8Array,
  { dtype, order }: { dtype: FixedDtype; order: string },
  claim: Claim,
): Steps<TypedTensor> {
  checkByteCount(what, dtype, shape, bytes.length);
  const { size } = dtypes[dtype];
  const isComplex = dtype === 'complex64' || dtype === 'complex128';
  const data = order === '>' ? yield* swappedInSteps(bytes, isComplex ? size / 2 : size, claim) : bytes;
  return { kind: 'typed', dtype, shape, data };
}

interface StringType {
  readonly kind: string | undefined;
  /** The characters of each string. */
  readonly width: number;
  readonly order: string;
}

/** Reads strings of one width, padded with zeros: bytes (S), or characters of four bytes each (U). */
function* readStrings(
  what: string,
  shape: readonly number[],
  bytes: Uint8Array,
  { kind, width, order }: StringType,
  claim: Claim,
): Steps<TypedTensor> {
  const count = elementCount(shape);
  const size = kind === 'U' ? 4 * width : width;
  if (bytes.length !== count * size)
    throw invalidArgument(
      `${what}: expected ${count * size} bytes for ${count} strings of ${size}, got ${bytes.length}`,
    );
  checkStrings(what, count);
  // A character has at most four bytes in UTF-8 as well.
  if (kind === 'U' && bytes.length > pieceBytes) claim(bytes.length);
  const strings = new StringGatherer(count, claim);
  let work = 0;
  for (let i = 0; i < count; i++) {
    const element = bytes.subarray(i * size, (i + 1) * size);
    strings.add(kind === 'U' ? yield* utf8Of(what, element, order === '>') : withoutZeros(element));
    work += 64 + size;
    if (work < pieceBytes) continue;
    work = 0;
    yield;
  }
  return { kind: 'typed', dtype: 'string', shape, data: yield* strings.finish() };
}

/** The characters that are converted to UTF-8 between two pauses. */
const manyCharacters = 2 ** 15;

/** Converts zero-padded UTF-32 to UTF-8. */
function* utf8Of(what: string, bytes: Uint8Array, isBigEndian: boolean): Steps<Uint8Array> {
  const text = withoutZeros(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = Math.ceil(text.length / 4);
  const utf8 = new Uint8Array(4 * count);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const code = view.getUint32(4 * i, !isBigEndian);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      throw invalidArgument(`${what} has a text with no character ${code}`);
    end = writeUtf8(utf8, end, code);
    if (i % manyCharacters === manyCharacters - 1) yield;
  }
  return utf8.subarray(0, end);
}

/** @returns the position after the character */
function writeUtf8(utf8: Uint8Array, at: number, code: number): number {
  let end = at;
  const follow = (shift: number) => {
    utf8[end++] = 0x80 | ((code >> shift) & 0x3f);
  };
  if (code < 0x80) {
    utf8[end++] = code;
  } else if (code < 0x800) {
    utf8[end++] = 0xc0 | (code >> 6);
    follow(0);
  } else if (code < 0x10000) {
    utf8[end++] = 0xe0 | (code >> 12);
    follow(6);
    follow(0);
  } else {
    utf8[end++] = 0xf0 | (code >> 18);
    follow(12);
    follow(6);
    follow(0);
  }
  return end;
}

function withoutZeros(elements: Uint8Array): Uint8Array {
  let end = elements.length;
  while (end > 0 && elements[end - 1] === 0) end--;
  return elements.subarray(0, end);
}

function* inRowMajor({ dtype, shape, data }: TypedTensor, claim: Claim): Steps<TypedTensor> {
  if (data instanceof Uint8Array && data.length > pieceBytes) claim(data.length);
  const ordered =
    dtype === 'string'
      ? yield* toRowMajor(shape, [...(data as Strings)])
      : yield* bytesToRowMajor(shape, data as Uint8Array, dtypes[dtype].size);
  return { kind: 'typed', dtype, shape, data: ordered };
}

/**
 * The bytes of padding that a string array may have, beyond four times the bytes of its strings. Each string takes as
 * much room as the longest.
 */
const maxFilling = 2 ** 20;

/** The most strings in one array of an answer. Each is measured before the first byte is sent. */
const maxStrings = 2 ** 20;

/**
 * Writes an array as `np.save` does: the header, then the values, which are a view on the tensor's.
 *
 * @throws ServingError INVALID_ARGUMENT for strings that NumPy's arrays cannot hold, NOT_ACCEPTABLE for too many
 * strings
 */
export function encodeNpy(what: string, { dtype, shape, data }: TensorView): ZipContent {
  if (dtype !== 'string') {
    const header = npyHeader(`${dtypes[dtype].size === 1 ? '|' : '<'}${typeCodes[dtype]}`, shape);
    const bytes = data as Uint8Array;
    return { byteLength: header.length + bytes.length, pieces: () => [header, bytes] };
  }
  const strings = data as Strings;
  if (strings.length > maxStrings)
    throw new ServingError(
      'NOT_ACCEPTABLE',
      `expected at most ${maxStrings} strings in ${what} for .npz, got ${strings.length}: ask for CBOR by accept: application/cbor`,
    );
  const { bytes: used, longest, endsWithZero } = measureStrings(strings);
  const width = Math.max(longest, 1);
  if (width * strings.length > maxFilling + 4 * used)
    throw invalidArgument(
      `${what} has strings of very different lengths, and one has ${width} bytes: ask for CBOR by accept: application/cbor`,
    );
  if (endsWithZero)
    throw invalidArgument(
      `${what} has a string that ends with a zero byte, which NumPy drops: ask for CBOR by accept: application/cbor`,
    );
  const header = npyHeader(`|S${width}`, shape);
  return {
    byteLength: header.length + width * strings.length,
    pieces: () => stringPieces(header, strings, width),
  };
}

const pieceStrings = 2 ** 12;

function* stringPieces(
  header: Uint8Array,
  strings: Strings,
  width: number,
): Generator<Uint8Array, void, void> {
  yield header;
  // A single string fills its place and need not be copied.
  if (strings.length === 1) {
    const only = strings.at(0);
    yield only?.length === width ? only : new Uint8Array(width);
    return;
  }
  const step = Math.max(1, Math.min(pieceStrings, Math.floor(pieceBytes / width)));
  for (let start = 0; start < strings.length; start += step) {
    const end = Math.min(start + step, strings.length);
    const bytes = new Uint8Array((end - start) * width);
    for (let i = start; i < end; i++) bytes.set(strings.at(i) as Uint8Array, (i - start) * width);
    yield bytes;
  }
}

/** The values begin at a multiple of 64 bytes, so that a program can map the file into memory. */
const alignment = 64;

function npyHeader(descr: string, shape: readonly number[]): Uint8Array {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  const length = Math.ceil((10 + dict.length + 1) / alignment) * alignment;
  const header = Buffer.alloc(length, ' ');
  header.write(magic, 'latin1');
  header.set([1, 0], 6);
  header.writeUInt16LE(length - 10, 8);
  header.write(dict, 10, 'latin1');
  header[length - 1] = 0x0a;
  return header;
}
