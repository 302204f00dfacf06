/**
 * Named arrays as NumPy's `np.savez` writes them: a zip of .npy files.
 */
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { invalidArgument, messageOf, quoted, ServingError } from '../errors.js';
import { viewTensor } from '../runtime/tensors.js';
import { type EncodedBody, encodedBody, type InferAnswer } from './infer-answer.js';
import { decodeNpy, encodeNpy } from './npy.js';
import type { TypedTensor, WireLimits } from './wire.js';

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
 * @throws ServingError INVALID_ARGUMENT for strings that NumPy's arrays cannot hold, and for more bytes than a zip holds
 */
export function encodeNpzAnswer({ outputs }: InferAnswer): EncodedBody {
  const zip = new ZipWriter();
  for (const [name, tensor] of outputs)
    zip.add(`${name}.npy`, encodeNpy(`output \`${name}\``, viewTensor(tensor)));
  return encodedBody(zip.finish());
}

/** Without the extension for more, a zip's sizes and places have 32 bits. */
const maxZipBytes = 2 ** 32 - 1;

/** The first of January 1980, the earliest that a zip can say. */
const noDate = 0x0021;

/** Names are UTF-8. */
const utf8Flag = 0x0800;

/** Version 2.0 of the format, which everything reads. */
const version = 20;

/**
 * Writes files one after another, uncompressed, without copying them.
 *
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16
 */
class ZipWriter {
  private readonly parts: Uint8Array[] = [];
  private readonly directory: Buffer[] = [];
  private position = 0;

  add(name: string, content: readonly Uint8Array[]): void {
    const path = Buffer.from(name);
    let [size, checksum] = [0, 0];
    for (const part of content) {
      size += part.length;
      // Of nothing, zlib would begin anew.
      if (part.length > 0) checksum = crc32(part, checksum);
    }
    // What the local header and the directory both say.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(version, 0);
    common.writeUInt16LE(utf8Flag, 2);
    common.writeUInt16LE(stored, 4);
    common.writeUInt16LE(noDate, 8);
    common.writeUInt32LE(checksum, 10);
    const end = this.position + 30 + path.length + size;
    if (end > maxZipBytes)
      throw invalidArgument('the outputs are more than 4 GiB: ask for CBOR by accept: application/cbor');
    common.writeUInt32LE(size, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(path.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(this.position, 10);
    this.directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.of(version, 0), common, place, path]),
    );
    this.parts.push(Buffer.concat([Buffer.from('PK\x03\x04'), common, path]), ...content);
    this.position = end;
  }

  finish(): readonly Uint8Array[] {
    const directory = Buffer.concat(this.directory);
    const end = Buffer.alloc(18);
    end.writeUInt16LE(this.directory.length, 4);
    end.writeUInt16LE(this.directory.length, 6);
    end.writeUInt32LE(directory.length, 8);
    end.writeUInt32LE(this.position, 12);
    return [...this.parts, directory, Buffer.concat([Buffer.from('PK\x05\x06'), end])];
  }
}
