/**
 * Writes files into a zip, one after another, uncompressed and without copying them.
 *
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16
 */
import { crc32 } from 'node:zlib';
import { ServingError } from '../../errors.js';
import type { BodyInPieces } from '../infer-answer.js';

/** One file of the zip. */
export interface ZipFile {
  readonly path: Uint8Array;
  readonly content: ZipContent;
}

/** Bytes that can be made twice: first for their checksum, and then to be sent. */
export interface ZipContent {
  readonly byteLength: number;
  /** The bytes in pieces, each of which is short work to make. */
  pieces(): Iterable<Uint8Array>;
}

/** Without the ZIP64 extension, sizes and positions have 32 bits. */
const maxZipBytes = 2 ** 32 - 1;

/** The first of January 1980, the earliest date that a zip can express. */
const noDate = 0x0021;

/** Says that names are UTF-8. */
const utf8Flag = 0x0800;

/** Version 2.0 of the format, which every program reads. */
const version = 20;

/** The method for files without compression. */
const stored = 0;

const localHeadBytes = 30;
const directoryHeadBytes = 46;
const endBytes = 22;

/** The bytes whose checksum takes a millisecond or two. */
const checksumPiece = 2 ** 21;

/** @throws ServingError NOT_ACCEPTABLE for more than 4 GiB */
export function encodeZip(files: readonly ZipFile[]): BodyInPieces {
  const byteLength = files.reduce(
    (sum, { path, content }) =>
      sum + localHeadBytes + directoryHeadBytes + 2 * path.length + content.byteLength,
    endBytes,
  );
  if (byteLength > maxZipBytes)
    throw new ServingError(
      'NOT_ACCEPTABLE',
      `expected outputs of at most 4 GiB for .npz, got ${byteLength} bytes: ask for CBOR by accept: application/cbor`,
    );
  return { pieces: zipPieces(files), byteLength };
}

function* zipPieces(files: readonly ZipFile[]): Generator<Uint8Array, void, void> {
  const directory: Buffer[] = [];
  let position = 0;
  for (const { path, content } of files) {
    // The fields that the local header and the directory have in common.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(version, 0);
    common.writeUInt16LE(utf8Flag, 2);
    common.writeUInt16LE(stored, 4);
    common.writeUInt16LE(noDate, 8);
    common.writeUInt32LE(yield* checksumOf(content), 10);
    common.writeUInt32LE(content.byteLength, 14);
    common.writeUInt32LE(content.byteLength, 18);
    common.writeUInt16LE(path.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(position, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.of(version, 0), common, place, path]));
    yield Buffer.concat([Buffer.from('PK\x03\x04'), common, path]);
    yield* content.pieces();
    position += localHeadBytes + path.length + content.byteLength;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(position, 12);
  yield Buffer.concat([entries, Buffer.from('PK\x05\x06'), end]);
}

const nothing = new Uint8Array();

/** Computes the CRC-32. It yields an empty piece after each piece of work. */
function* checksumOf(content: ZipContent): Generator<Uint8Array, number, void> {
  let checksum = 0;
  for (const piece of content.pieces()) {
    for (let start = 0; start < piece.length; start += checksumPiece) {
      checksum = crc32(piece.subarray(start, start + checksumPiece), checksum);
      yield nothing;
    }
  }
  return checksum;
}
