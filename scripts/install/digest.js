import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * A short digest of parts, which are texts or the contents of files.
 * @param {Iterable<string | Buffer>} parts
 */
export function digest(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 32);
}

/**
 * The names and contents of files, for {@link digest}. Times do not count, because switching branches and back changes
 * nothing.
 * @param {string} folder
 * @param {readonly string[]} files relative to the folder
 */
export function* contentsOf(folder, files) {
  for (const file of files) {
    yield file;
    yield fs.readFileSync(path.join(folder, file));
  }
}

/**
 * The files below a folder whose names end in one of `endings`, relative to it and in a fixed order.
 * @param {string} folder
 * @param {readonly string[]} endings
 * @returns {string[]}
 */
export function filesBelow(folder, endings) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? filesBelow(path.join(folder, entry.name), endings).map((file) => `${entry.name}/${file}`)
        : endings.some((ending) => entry.name.endsWith(ending))
          ? [entry.name]
          : [],
    )
    .sort();
}

/**
 * SHA-256 of a large file, in hexadecimal.
 * @param {string} file
 * @param {AbortSignal} signal
 */
export async function sha256OfFile(file, signal) {
  const hash = createHash('sha256');
  await pipeline(fs.createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest('hex');
}
