/** Reads and writes named arrays in the format of NumPy's `np.savez`: a zip of .npy files. */
import { crc32, createInflateRaw } from 'node:zlib';
import yauzl, { type Entry } from 'yauzl';
import { invalidArgument, messageOf, quoted, ServingError } from '../../errors.js';
import { type Claim, type Steps, settled } from '../../flow/steps.js';
import { runInTurns } from '../../flow/turns.js';
import { bounds, pieceBytes } from '../../tensors/limits.js';
import { decodeUtf8 } from '../../tensors/utf8.js';
import { viewTensor } from '../../tfjs/tensors.js';
import type { AnswerBody, InferAnswer } from '../infer-answer.js';
import type { TypedTensor, WireLimits } from '../wire.js';
import { encodeNpy, npyInSteps } from './npy.js';
import { encodeZip } from './zip-encode.js';

const stored = 0;
const deflated = 8;

/** True for a zip, even an empty one. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/**
 * Reads the arrays of a .npz file. An uncompressed array is a view on the file; a compressed one is inflated on another
 * thread.
 *
 * @param claim is called with the bytes of an inflated array before it takes memory; it throws if there is no room
 * @throws ServingError INVALID_ARGUMENT for a damaged file
 */
export function* npzInSteps(
  what: string,
  bytes: Uint8Array,
  limits: WireLimits,
  claim: Claim,
): Steps<Map<string, TypedTensor>> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const arrays = new Map<string, TypedTensor>();
  try {
    for (const entry of yield* settled(readDirectory(file))) {
      const { name } = entry;
      if (arrays.has(name)) throw invalidArgument(`the array ${quoted(name)} comes twice`);
      const content = yield* readEntry(entry, file, claim);
      arrays.set(name, yield* npyInSteps(`input \`${name}\``, content, limits, claim));
    }
  } catch (error) {
    if (error instanceof ServingError && error.code !== 'INVALID_ARGUMENT') throw error;
    throw invalidArgument(`${what}: ${messageOf(error)}`);
  }
  return arrays;
}

/** Does the same as {@link npzInSteps}, and claims no memory. */
export async function decodeNpz(
  what: string,
  bytes: Uint8Array,
  limits: WireLimits,
  claim: Claim,
): Promise<Map<string, TypedTensor>> {
  return runInTurns(npzInSteps(what, bytes, limits, claim));
}

/** The position of an array in the file. */
interface Place {
  /** The name without `.npy`. */
  readonly name: string;
  readonly isDeflated: boolean;
  /** The position of its content, whether compressed or not. */
  readonly start: number;
  readonly end: number;
  readonly size: number;
  readonly checksum: number;
}

/**
 * Reads the directory of the zip.
 * @throws ServingError (rejects) INVALID_ARGUMENT if it has anything but arrays, or if a byte belongs to two of them
 */
async function readDirectory(file: Buffer): Promise<Place[]> {
  // The names are those of arrays, and may look like paths.
  const zip = await yauzl.fromBufferPromise(file, { lazyEntries: true, decodeStrings: false });
  if (zip.entryCount > bounds.npzArrays.most)
    throw invalidArgument(`it has more than ${bounds.npzArrays.most} arrays`);
  const places: Place[] = [];
  const taken: { from: number; to: number }[] = [];
  for await (const entry of zip.eachEntry()) {
    if (entry.fileNameRaw.length > bounds.nameBytes.most)
      throw invalidArgument(`a name in it has more than ${bounds.nameBytes.most} bytes`);
    const file = nameOf(entry);
    const name = file.replace(/\.npy$/, '');
    if (name === file) throw invalidArgument(`${quoted(file)} in it is no .npy file`);
    const { compressionMethod, compressedSize, uncompressedSize: size, crc32: checksum } = entry;
    if (entry.isEncrypted()) throw invalidArgument(`${quoted(file)} in it is encrypted`);
    if (compressionMethod !== stored && compressionMethod !== deflated)
      throw invalidArgument(
        `${quoted(file)} in it is compressed by method ${compressionMethod}, and only deflate is known`,
      );
    const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const end = start + compressedSize;
    taken.push({ from: entry.relativeOffsetOfLocalHeader, to: end });
    places.push({ name, isDeflated: compressionMethod === deflated, start, end, size, checksum });
  }
  refuseOverlaps(taken);
  return places;
}

/**
 * NumPy writes UTF-8 and says so. Other writers do not name their code page: a name that is no UTF-8 is read as
 * Latin-1.
 */
function nameOf({ fileNameRaw }: Entry): string {
  return decodeUtf8(fileNameRaw) ?? fileNameRaw.toString('latin1');
}

/**
 * Refuses a directory with overlapping arrays. If it named one array a thousand times, the array would be unpacked a
 * thousand times.
 */
function refuseOverlaps(taken: readonly { from: number; to: number }[]): void {
  let end = 0;
  for (const { from, to } of [...taken].sort((a, b) => a.from - b.from)) {
    if (from < end) throw invalidArgument('arrays in it overlap: each must have bytes of its own');
    end = to;
  }
}

function* readEntry(
  { name, isDeflated, start, end, size, checksum }: Place,
  file: Buffer,
  claim: Claim,
): Steps<Uint8Array> {
  const data = file.subarray(start, end);
  let content: Buffer = data;
  if (isDeflated) {
    claim(size, 'unpacked');
    content = yield* settled(inflate(data, size));
  }
  const found = yield* checksumOf(content);
  if (content.length !== size || found !== checksum)
    throw invalidArgument(`${quoted(`${name}.npy`)} in it is damaged`);
  return content;
}

function* checksumOf(content: Buffer): Steps<number> {
  let checksum = 0;
  for (let at = 0; at < content.length; at += 4 * pieceBytes) {
    checksum = crc32(content.subarray(at, at + 4 * pieceBytes), checksum);
    yield;
  }
  return checksum;
}

/**
 * Inflates data on another thread, into memory of the given size.
 * @throws Error (rejects) if it is damaged or has another size
 */
async function inflate(data: Buffer, size: number): Promise<Buffer> {
  const content = Buffer.allocUnsafeSlow(size);
  const inflater = createInflateRaw({ chunkSize: pieceBytes });
  inflater.end(data);
  let end = 0;
  for await (const chunk of inflater as AsyncIterable<Buffer>) {
    if (end + chunk.length > size) throw new Error('an array is larger than the directory says');
    content.set(chunk, end);
    end += chunk.length;
  }
  return content.subarray(0, end);
}

/**
 * Writes the outputs as an uncompressed .npz file. The values are views on the tensors'.
 *
 * @throws ServingError INVALID_ARGUMENT for strings that NumPy's arrays cannot hold, NOT_ACCEPTABLE for more bytes than
 * a zip holds
 */
export function encodeNpzAnswer({ outputs }: InferAnswer): AnswerBody {
  const files = Array.from(outputs, ([name, tensor]) => ({
    path: Buffer.from(`${name}.npy`),
    content: encodeNpy(`output \`${name}\``, viewTensor(tensor)),
  }));
  return encodeZip(files);
}
