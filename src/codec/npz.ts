/**
 * Named arrays as NumPy's `np.savez` writes them: a zip of .npy files.
 */
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { invalidArgument, messageOf, quoted, ServingError } from '../errors.js';
import { viewTensor } from '../runtime/tensors.js';
import type { AnswerBody, InferAnswer } from './infer-answer.js';
import { decodeNpy, encodeNpy } from './npy.js';
import type { TypedTensor, WireLimits } from './wire.js';
import { encodeZip } from './zip-encode.js';

/** More than any model has inputs. */
const maxArrays = 1024;

const stored = 0;
const deflated = 8;

/** True for a zip, even an empty one. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/**
 * Reads the arrays of a .npz file. Those that are not compressed are views on its bytes; others are inflated on another
 * thread.
 *
 * @param claim is told how many bytes an inflated array takes, before it does; throws if there is no room
 * @throws ServingError (rejects) INVALID_ARGUMENT for a damaged file
 */
export async function decodeNpz(
  what: string,
  bytes: Uint8Array,
  limits: WireLimits,
  claim: (bytes: number) => void,
): Promise<Map<string, TypedTensor>> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const arrays = new Map<string, TypedTensor>();
  try {
    const zip = await yauzl.fromBufferPromise(file, { lazyEntries: true });
    if (zip.entryCount > maxArrays) throw invalidArgument(`it has more than ${maxArrays} arrays`);
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName.replace(/\.npy$/, '');
      if (name === entry.fileName) throw invalidArgument(`${quoted(name)} in it is no .npy file`);
      if (arrays.has(name)) throw invalidArgument(`the array ${quoted(name)} comes twice`);
      const content = await readEntry(zip, entry, file, claim);
      arrays.set(name, decodeNpy(`input \`${name}\``, content, limits));
    }
  } catch (error) {
    if (error instanceof ServingError && error.code !== 'INVALID_ARGUMENT') throw error;
    throw invalidArgument(`${what}: ${messageOf(error)}`);
  }
  return arrays;
}

const inflate = promisify(inflateRaw);

async function readEntry(
  zip: ZipFile,
  entry: Entry,
  file: Buffer,
  claim: (bytes: number) => void,
): Promise<Uint8Array> {
  const { compressionMethod, compressedSize, uncompressedSize, crc32: checksum } = entry;
  const name = quoted(entry.fileName);
  if (entry.isEncrypted()) throw invalidArgument(`${name} in it is encrypted`);
  if (compressionMethod !== stored && compressionMethod !== deflated)
    throw invalidArgument(
      `${name} in it is compressed by method ${compressionMethod}, and only deflate is known`,
    );
  const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const data = file.subarray(start, start + compressedSize);
  let content: Buffer = data;
  if (compressionMethod === deflated) {
    claim(uncompressedSize);
    content = await inflate(data, { maxOutputLength: Math.max(1, uncompressedSize) });
  }
  if (content.length !== uncompressedSize || crc32(content) !== checksum)
    throw invalidArgument(`${name} in it is damaged`);
  return content;
}

/**
 * The outputs as a .npz file, uncompressed; their values are views on the tensors'.
 *
 * @throws ServingError INVALID_ARGUMENT for strings that NumPy's arrays cannot hold, NOT_ACCEPTABLE for more bytes than a zip
 * holds
 */
export function encodeNpzAnswer({ outputs }: InferAnswer): AnswerBody {
  const files = Array.from(outputs, ([name, tensor]) => ({
    path: Buffer.from(`${name}.npy`),
    content: encodeNpy(`output \`${name}\``, viewTensor(tensor)),
  }));
  return encodeZip(files);
}
