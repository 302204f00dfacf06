/**
 * Reads files from the folder of models. Only regular files of a bounded size are read.
 *
 * The folder may hold anything under any name. Reading a pipe would wait until somebody writes to it, and reading a
 * device might never end.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { storageCalls } from './storage-call.js';

/** The file is no regular file, or is too large. That is a fault of the file, not of the storage. */
export class UnfitFile extends Error {
  override readonly name = 'UnfitFile';
}

/** The most bytes that one call reads. */
const pieceBytes = 16 * 2 ** 20;

/** Describes the kind of a file in words. */
export function kindOf(facts: {
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isCharacterDevice(): boolean;
  isBlockDevice(): boolean;
}): string {
  if (facts.isFile()) return 'a file';
  if (facts.isDirectory()) return 'a folder';
  if (facts.isFIFO()) return 'a named pipe';
  if (facts.isSocket()) return 'a socket';
  return facts.isCharacterDevice() || facts.isBlockDevice() ? 'a device' : 'of an unknown kind';
}

/** @throws UnfitFile if it is no regular file, or is too large */
function check(facts: Stats, maxBytes: number): void {
  if (!facts.isFile()) throw new UnfitFile(`it is ${kindOf(facts)}, and must be a file`);
  if (facts.size > maxBytes)
    throw new UnfitFile(`it has ${facts.size} bytes, and ${maxBytes} are the most that is read`);
}

/**
 * Reads a whole file. Links are followed, because volumes of Kubernetes are made of them.
 *
 * @param maxBytes is the limit: a larger file is refused before any of it is read
 * @throws UnfitFile, or the file system's error; ETIMEDOUT if the storage hangs
 */
export async function readRegularFile(file: string, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  // Opening a device may already do something, for example rewind a tape.
  check(await storageCalls.make(() => stat(file)), maxBytes);
  const opened = await openWithoutWaiting(file);
  try {
    // Another file may have taken its place since.
    const facts = await storageCalls.make(() => opened.stat());
    check(facts, maxBytes);
    return await readPieces(opened, facts.size);
  } finally {
    // We do not wait for the close, which might hang as well.
    void opened.close().catch(() => {});
  }
}

/** Opens a file without waiting for the other end of a pipe. A file that opens after the timeout is closed at once. */
async function openWithoutWaiting(file: string): Promise<FileHandle> {
  let isLate = false;
  const opening = open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  opening.then(
    async (handle) => {
      if (isLate) await handle.close();
    },
    () => {},
  );
  try {
    return await storageCalls.make(() => opening);
  } catch (error) {
    isLate = true;
    throw error;
  }
}

/**
 * Reads as many bytes as the file had, or fewer if it has been cut short since. A file of /proc reports a size of 0;
 * one byte of it is read, to learn whether it can be read at all.
 */
async function readPieces(file: FileHandle, size: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafeSlow(size);
  if (size === 0) await storageCalls.make(() => file.read(Buffer.alloc(1), 0, 1, 0));
  for (let at = 0; at < size; ) {
    const length = Math.min(pieceBytes, size - at);
    const { bytesRead } = await storageCalls.make(() => file.read(bytes, at, length, at));
    if (bytesRead === 0) return bytes.subarray(0, at);
    at += bytesRead;
  }
  return bytes;
}
