/**
 * Arrays as NumPy's `np.save` writes them.
 *
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { invalidArgument, quoted, ServingError } from '../errors.js';
import { dtypes, elementCount, type FixedDtype } from '../runtime/dtypes.js';
import type { TensorView } from '../runtime/tensors.js';
import { swapBytes } from '../runtime/values.js';
import { bytesToRowMajor, toRowMajor } from './column-major.js';
import { checkByteCount, checkShape, type TypedTensor, type WireLimits } from './wire.js';
import type { ZipContent } from './zip-encode.js';

const magic = '\x93NUMPY';

/** True for what `np.save` wrote. */
export function isNpy(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 6)).toString('latin1') === magic;
}

/** NumPy's type codes, without the byte order. It has no bfloat16, and what ml_dtypes saves says only "two bytes". */
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

const byTypeCode = new Map(Object.entries(typeCodes).map(([dtype, code]) => [code, dtype as FixedDtype]));

/**
 * Reads an array. Its values are a view on the bytes where their order allows.
 *
 * @param what names it in errors
 * @throws ServingError INVALID_ARGUMENT for a damaged file, and for types that no tensor has: objects (which are pickles),
 * structures, dates
 */
export function decodeNpy(what: string, bytes: Uint8Array, limits: WireLimits): TypedTensor {
  const { text, end } = readHeader(what, bytes);
  const { descr, isColumnMajor, dims } = parseHeader(what, text);
  const shape = checkShape(what, dims, limits);
  const elements = bytes.subarray(end);
  const order = descr.charAt(0);
  const code = descr.slice(1);
  const strings = /^([SU])(\d+)$/.exec(code);
  const typed = strings
    ? readStrings(what, shape, elements, { kind: strings[1], width: Number(strings[2]), order })
    : readNumbers(what, shape, elements, { dtype: dtypeOf(what, descr, code), order });
  return isColumnMajor ? inRowMajor(typed) : typed;
}

/** The header is a literal of a Python dict. */
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
  // NumPy itself reads no longer ones, unless it is told to.
  if (end - start > 10_000 || end > file.length)
    throw invalidArgument(`${what} ends within its .npy header, or that is longer than 10,000 bytes`);
  return { text: file.toString('latin1', start, end), end };
}

interface Header {
  readonly descr: string;
  readonly isColumnMajor: boolean;
  readonly dims: readonly number[];
}

function parseHeader(what: string, text: string): Header {
  const descr = /'descr': *'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(text)?.[1];
  const shape = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
  if (/'descr': *\[/.test(text)) throw invalidArgument(`${what} is a structured array: send its fields`);
  if (descr === undefined || order === undefined || shape === undefined)
    throw invalidArgument(`${what} has a .npy header that cannot be read: ${quoted(text.trim())}`);
  const dims = shape
    .split(',')
    .filter((dim) => dim.trim() !== '')
    .map(Number);
  return { descr, isColumnMajor: order === 'True', dims };
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

function readNumbers(
  what: string,
  shape: readonly number[],
  bytes: Uint8Array,
  { dtype, order }: { dtype: FixedDtype; order: string },
): TypedTensor {
  checkByteCount(what, dtype, shape, bytes.length);
  const { size } = dtypes[dtype];
  const isComplex = dtype === 'complex64' || dtype === 'complex128';
  const data = order === '>' ? swapBytes(bytes, isComplex ? size / 2 : size) : bytes;
  return { kind: 'typed', dtype, shape, data };
}

const utf8 = new TextEncoder();

/** Strings of one width, filled up with zeros: bytes (S), or characters of four bytes (U). */
function readStrings(
  what: string,
  shape: readonly number[],
  bytes: Uint8Array,
  { kind, width, order }: { kind: string | undefined; width: number; order: string },
): TypedTensor {
  const count = elementCount(shape);
  const size = kind === 'U' ? 4 * width : width;
  if (bytes.length !== count * size)
    throw invalidArgument(
      `${what}: ${count} strings of ${size} bytes take ${count * size}, and ${bytes.length} came`,
    );
  const codes = kind === 'U' ? readCodePoints(bytes, order) : undefined;
  const data = Array.from({ length: count }, (_, i) => {
    if (!codes) return withoutZeros(bytes.subarray(i * size, (i + 1) * size));
    const text = codes.subarray(i * width, (i + 1) * width);
    const characters = Array.from(withoutZeros(text), (code) => {
      if (code > 0x10ffff) throw invalidArgument(`${what} has a text with no character ${code}`);
      return String.fromCodePoint(code);
    });
    return utf8.encode(characters.join(''));
  });
  return { kind: 'typed', dtype: 'string', shape, data };
}

function readCodePoints(bytes: Uint8Array, order: string): Uint32Array {
  const little = order === '>' ? swapBytes(bytes, 4) : Uint8Array.from(bytes);
  return new Uint32Array(little.buffer, little.byteOffset, little.length / 4);
}

function withoutZeros<Elements extends Uint8Array | Uint32Array>(elements: Elements): Elements {
  let end = elements.length;
  while (end > 0 && elements[end - 1] === 0) end--;
  return elements.subarray(0, end) as Elements;
}

function inRowMajor({ dtype, shape, data }: TypedTensor): TypedTensor {
  const ordered =
    dtype === 'string'
      ? toRowMajor(shape, data as readonly Uint8Array[])
      : bytesToRowMajor(shape, data as Uint8Array, dtypes[dtype].size);
  return { kind: 'typed', dtype, shape, data: ordered };
}

/** What a string array may take beyond four times its strings: it has room for the longest in each. */
const maxFilling = 2 ** 20;

/** Strings that one array of an answer may have: each is looked at before the first byte leaves. */
const maxStrings = 2 ** 20;

/**
 * An array as `np.save` would write it: the header, then the values, which are a view on the tensor's.
 *
 * @throws ServingError INVALID_ARGUMENT for strings that NumPy's arrays cannot hold, NOT_ACCEPTABLE for too many
 */
export function encodeNpy(what: string, { dtype, shape, data }: TensorView): ZipContent {
  if (dtype !== 'string') {
    const header = npyHeader(`${dtypes[dtype].size === 1 ? '|' : '<'}${typeCodes[dtype]}`, shape);
    const bytes = data as Uint8Array;
    return { byteLength: header.length + bytes.length, pieces: () => [header, bytes] };
  }
  const strings = data as readonly Uint8Array[];
  if (strings.length > maxStrings)
    throw new ServingError(
      'NOT_ACCEPTABLE',
      `expected at most ${maxStrings} strings in ${what} for .npz, got ${strings.length}: ask for CBOR by accept: application/cbor`,
    );
  let [used, width, hasZeroAtEnd] = [0, 1, false];
  for (const each of strings) {
    used += each.length;
    width = Math.max(width, each.length);
    hasZeroAtEnd ||= each.at(-1) === 0;
  }
  if (width * strings.length > maxFilling + 4 * used)
    throw invalidArgument(
      `${what} has strings of very different lengths, and one has ${width} bytes: ask for CBOR by accept: application/cbor`,
    );
  if (hasZeroAtEnd)
    throw invalidArgument(
      `${what} has a string that ends with a zero byte, which NumPy drops: ask for CBOR by accept: application/cbor`,
    );
  const header = npyHeader(`|S${width}`, shape);
  return {
    byteLength: header.length + width * strings.length,
    pieces: () => stringPieces(header, strings, width),
  };
}

/** Bytes of strings in one piece, and strings in one. */
const pieceBytes = 2 ** 18;
const pieceStrings = 2 ** 12;

function* stringPieces(
  header: Uint8Array,
  strings: readonly Uint8Array[],
  width: number,
): Generator<Uint8Array, void, void> {
  yield header;
  // It fills its place: nothing is to be copied.
  if (strings.length === 1) {
    yield strings[0]?.length === width ? strings[0] : new Uint8Array(width);
    return;
  }
  const step = Math.max(1, Math.min(pieceStrings, Math.floor(pieceBytes / width)));
  for (let start = 0; start < strings.length; start += step) {
    const some = strings.slice(start, start + step);
    const bytes = new Uint8Array(some.length * width);
    for (const [i, each] of some.entries()) bytes.set(each, i * width);
    yield bytes;
  }
}

/** So that the values begin at a multiple of 64 bytes, for who maps the file. */
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
