/** Reads files and standard input. */
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { messageOf, ServingError } from '../errors.js';

/** @param file is a path, or `-` for standard input */
export async function readInput(file: string): Promise<Buffer> {
  if (file === '-') return buffer(process.stdin);
  return readFile(file).catch((error) => {
    throw new ServingError('NOT_FOUND', `${file} cannot be read: ${messageOf(error)}`);
  });
}
