/**
 * Loads libraries of custom operations (`--op-library`).
 *
 * A library is loaded for good and for the whole process. It is loaded after libtensorflow: both bring protobuf, and
 * the process ends if the library comes first. A file is skipped if one with the same content is loaded already: some
 * libraries end the process when they register a second time.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { messageOf, ServingError } from '../../errors.js';
import type { NativeBinding } from './native.js';
import { wheels } from './operations/operation-wheels.js';

/**
 * Loads the libraries that the paths name. It blocks for about 15 ms for a library of 8 MB.
 *
 * @param binding is the addon; libtensorflow is loaded with it
 * @param paths name shared objects, or folders of them
 * @returns the absolute paths of the files
 * @throws ServingError FAILED_PRECONDITION naming a path that is missing, a folder without libraries, or a file that
 * cannot be loaded with TensorFlow's reason
 */
export function loadOpLibraries(binding: NativeBinding, paths: readonly string[]): string[] {
  const files = paths.flatMap(filesAt);
  for (const file of files) {
    try {
      binding.loadOpLibrary(file, createHash('sha256').update(readFileSync(file)).digest('hex'));
    } catch (error) {
      throw cannotLoad(file, messageOf(error), binding.tensorflowVersion);
    }
  }
  return files;
}

function filesAt(given: string): string[] {
  const absolute = path.resolve(given);
  const facts = statSync(absolute, { throwIfNoEntry: false });
  if (!facts) throw refused(`${given}: there is no such file or folder`);
  if (!facts.isDirectory()) return [absolute];
  const names = readdirSync(absolute).filter((name) => /\.(so|dylib)$/.test(name));
  if (names.length > 0) return names.sort().map((name) => path.join(absolute, name));
  const known = wheels.map(({ name, folder }) => `${folder} of ${name}`);
  throw refused(
    `${given} has no *.so in it: give the folder that has them, for example ${known.join(' or ')}`,
  );
}

function cannotLoad(file: string, reason: string, tensorflowVersion: string): ServingError {
  // The loader of the system puts the file first, TensorFlow does not.
  const told = reason.startsWith(file) ? reason : `${file}: ${reason}`;
  return refused(
    `${told}. A library must be built for the minor version of TensorFlow that runs, which is ${tensorflowVersion}`,
  );
}

function refused(what: string): ServingError {
  return new ServingError('FAILED_PRECONDITION', `--op-library ${what}`);
}
