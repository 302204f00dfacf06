/**
 * Reads files of the folder of models: regular ones only, of a bounded size.
 *
 * The folder may hold anything under any name. A pipe would be waited for until somebody writes to it, and a device read
 * without end.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { storageCalls } from './storage-call.js';

/** A file that must not be read, or is too large: its owner's fault, not the storage's. */
export class UnfitFile extends Error {
  override readonly name = 'UnfitFile';
}

/** Bytes that one call reads at most. */
const pieceBytes = 16 * 2 ** 20;

/** What something is, in words. */
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

/** @throws UnfitFile if it is no regular file, or larger than that */
function check(facts: Stats, maxBytes: number): void {
  if (!facts.isFile()) throw new UnfitFile(`it is ${kindOf(facts)}, and must be a file`);
  if (facts.size > maxBytes)
    throw new UnfitFile(`it has ${facts.size} bytes, and ${maxBytes} are the most that is read`);
}

/**
 * The whole file. Links are followed: volumes of Kubernetes are made of them.
 *
 * @param maxBytes a larger file is refused before any of it is read
 * @throws UnfitFile, or the file system's error; ETIMEDOUT if the storage hangs
 */
export async function readRegularFile(file: string, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  // To open a device may already do something, such as rewind a tape.
  check(await storageCalls.make(() => stat(file)), maxBytes);
  const opened = await openWithoutWaiting(file);
  try {
    // It may be another one by now.
    const facts = await storageCalls.make(() => opened.stat());
    check(facts, maxBytes);
    return await readPieces(opened, facts.size);
  } finally {
    // A call that hangs would keep this one waiting, too.
    void opened.close().catch(() => {});
  }
}

/** Without a wait for the other end of a pipe. What is opened after its time ran out is closed. */
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
 * As many bytes as the file had, or fewer if it was cut short meanwhile. Files of /proc say that they have none: they are
 * asked for one, which tells whether they can be read.
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
