/** Finds the folder to serve from, and what to serve if nobody has one yet. */
import { opendirSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { adviceOnFormat } from '../engines/other-formats.js';
import { isSavedModelFile } from '../engines/tensorflow/saved-model/read.js';
import { messageOf, ServingError } from '../errors.js';
import { isDenied, userId } from '../files/storage-failure.js';
import type { Settings } from './settings.js';

/** The models that come with the package. */
const demoModels = fileURLToPath(new URL('../../saved_models', import.meta.url));

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * @param flag stands before the path on the command line
 * @throws ServingError NOT_FOUND if the path is no folder, saying what may have been meant; PERMISSION_DENIED if it may
 * not be read
 */
export function checkFolder(modelPath: string, flag = '--model-path '): void {
  const named = `${flag}${modelPath}`;
  const facts = readableFacts(modelPath, named);
  if (facts?.isDirectory()) return;
  if (!facts) throw new ServingError('NOT_FOUND', `${named} does not exist`);
  throw new ServingError('NOT_FOUND', `${named} is a file, not a folder${adviceOnFile(modelPath, flag)}`);
}

/** @returns undefined if nothing is there */
function readableFacts(modelPath: string, named: string): Stats | undefined {
  try {
    const facts = statSync(modelPath, { throwIfNoEntry: false });
    if (facts?.isDirectory()) {
      // Listing a folder and entering it are two different rights.
      opendirSync(modelPath).closeSync();
      statSync(`${modelPath}/.`);
    }
    return facts;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (!isDenied(code))
      throw new ServingError('UNAVAILABLE', `${named} cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    throw new ServingError(
      'PERMISSION_DENIED',
      `${named} cannot be read: permission denied (${code}): let the user that the server runs as${userId()} list and enter it`,
    );
  }
}

function adviceOnFile(file: string, flag: string): string {
  const folder = path.dirname(file);
  if (isSavedModelFile(path.basename(file))) return `: give the folder that it lies in, ${flag}${folder}`;
  const stem = path.basename(file).replace(/\..*$/, '');
  const about = adviceOnFormat(file, () => path.join(folder, stem, '1'));
  return about ? `. It is ${about.what}: ${about.advice}; then give ${flag}${path.join(folder, stem)}` : '';
}

/**
 * The folder that the settings name. If they name none and the default does not exist, the demo models are served, so
 * that a first start in an empty folder has something to show. That holds only for a server that listens on this
 * machine alone: a public server with a wrong working directory must not start with models that are not its own.
 *
 * @param named says whether the path was given, and is no default
 * @throws ServingError NOT_FOUND saying what to give
 */
export function findModels(
  { modelPath, host }: Settings,
  named: boolean,
): { modelPath: string; demo: boolean } {
  if (named || isFolder(modelPath)) {
    checkFolder(modelPath);
    return { modelPath, demo: false };
  }
  const relative = path.relative('', demoModels);
  const demo = relative.startsWith('..') ? demoModels : relative;
  if (loopback.has(host)) return { modelPath: demo, demo: true };
  throw new ServingError(
    'NOT_FOUND',
    `there is no folder ${modelPath} in ${process.cwd()}, and no --model-path: name your models' folder, or try the ` +
      `demo models: npx tfjs-serving serve --host ${host} --model-path ${demo}`,
  );
}

function isFolder(folder: string): boolean {
  return readableFacts(folder, folder)?.isDirectory() ?? false;
}
