import fs from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';

// The structures of a zip file that a wheel uses (APPNOTE.TXT 4.3: end record, central directory, local header).
const END_RECORD = { signature: 0x06054b50, size: 22, maxComment: 0xffff };
const CENTRAL = { signature: 0x02014b50, size: 46 };
const LOCAL_HEADER_SIZE = 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {number} method
 * @property {number} crc32
 * @property {number} compressedSize
 * @property {number} size
 * @property {boolean} executable
 * @property {number} headerOffset of its local header
 */

/**
 * Extracts files from a zip archive and checks their CRC. It does not read archives over 4 GB or with encryption, which
 * wheels never are.
 *
 * @param {string} archive
 * @param {(name: string) => string | null} destinationOf where to put a file of this name, null to leave it
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {(bytes: number) => void} [options.onBytes] told of every piece written
 */
export async function unzip(archive, destinationOf, { signal, onBytes = () => {} }) {
  const file = await open(archive);
  try {
    for (const entry of await readEntries(file)) {
      const destination = entry.name.endsWith('/') ? null : destinationOf(entry.name);
      if (destination === null) continue;
      await mkdir(path.dirname(destination), { recursive: true });
      await extract(archive, await dataOffset(file, entry), entry, destination, signal, onBytes);
    }
  } finally {
    await file.close();
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @returns {Promise<Entry[]>}
 */
async function readEntries(file) {
  const { size } = await file.stat();
  const tail = await read(file, Math.max(0, size - END_RECORD.size - END_RECORD.maxComment), size);
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(END_RECORD.signature);
  const end = tail.lastIndexOf(signature);
  if (end < 0) throw new Error('not a zip archive');
  const count = tail.readUInt16LE(end + 10);
  const directorySize = tail.readUInt32LE(end + 12);
  const directoryOffset = tail.readUInt32LE(end + 16);

  const directory = await read(file, directoryOffset, directoryOffset + directorySize);
  const entries = [];
  for (let at = 0; entries.length < count; ) {
    if (directory.readUInt32LE(at) !== CENTRAL.signature) throw new Error('damaged zip directory');
    const nameLength = directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString('utf8', at + CENTRAL.size, at + CENTRAL.size + nameLength),
      method: directory.readUInt16LE(at + 10),
      crc32: directory.readUInt32LE(at + 16),
      compressedSize: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      executable: ((directory.readUInt32LE(at + 38) >>> 16) & 0o111) !== 0,
      headerOffset: directory.readUInt32LE(at + 42),
    });
    at += CENTRAL.size + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/**
 * Where the data of an entry begins. The fields of its header may be longer than the directory says.
 * @param {import('node:fs/promises').FileHandle} file
 * @param {Entry} entry
 */
async function dataOffset(file, { headerOffset }) {
  const header = await read(file, headerOffset, headerOffset + LOCAL_HEADER_SIZE);
  return headerOffset + LOCAL_HEADER_SIZE + header.readUInt16LE(26) + header.readUInt16LE(28);
}

/**
 * @param {string} archive
 * @param {number} start
 * @param {Entry} entry
 * @param {string} destination
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} onBytes
 */
async function extract(archive, start, entry, destination, signal, onBytes) {
  let crc = 0;
  let size = 0;
  const check = new Transform({
    transform(chunk, _encoding, done) {
      crc = zlib.crc32(chunk, crc);
      size += chunk.length;
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  const target = fs.createWriteStream(destination, { mode: entry.executable ? 0o755 : 0o644 });
  if (entry.compressedSize === 0) {
    await pipeline([Buffer.alloc(0)], target, { signal });
  } else {
    const source = fs.createReadStream(archive, {
      start,
      end: start + entry.compressedSize - 1,
      highWaterMark: 1 << 20,
    });
    if (entry.method === STORED) await pipeline(source, check, target, { signal });
    else if (entry.method === DEFLATED) {
      await pipeline(source, zlib.createInflateRaw({ chunkSize: 1 << 20 }), check, target, { signal });
    } else throw new Error(`${entry.name}: compression method ${entry.method} is not supported`);
  }
  if (size !== entry.size || crc !== entry.crc32) throw new Error(`${entry.name}: damaged in the archive`);
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} start
 * @param {number} end
 */
async function read(file, start, end) {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
  return buffer.subarray(0, bytesRead);
}
