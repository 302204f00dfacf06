/** Finds the engine for a folder by the names of the files in it. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { ServingError } from '../errors.js';
import { storageCalls } from '../files/storage-call.js';
import { type Engine, type Engines, isOfFormat } from './engine.js';
import { adviceOnFormat } from './other-formats.js';

/** The first engine that knows a file in a folder. It is undefined if none does, or if the folder cannot be read. */
export async function engineIn(directory: string, engines: Engines): Promise<Engine | undefined> {
  return engineOf((await namesIn(directory)) ?? [], engines);
}

/**
 * The engine that loads a folder. If TensorFlow's is the only one, or the folder cannot be read, it is TensorFlow's,
 * whose error then says what is wrong.
 *
 * @throws ServingError (rejects) NOT_FOUND if no engine knows a file: with what to do about a model of another format, or
 * with the files that may be there if there are several engines
 */
export async function engineFor(directory: string, engines: Engines): Promise<Engine> {
  const names = await namesIn(directory);
  const engine = engineOf(names ?? [], engines);
  if (engine || !names) return engine ?? engines[0];
  const foreign = adviceOnFolder(directory, names, engines[0]);
  if (foreign !== undefined) throw new ServingError('NOT_FOUND', foreign);
  if (engines.length === 1) return engines[0];
  const files = engines.map(({ format }) => `${format.mainFiles.join(' or ')} (${format.name})`);
  throw new ServingError(
    'NOT_FOUND',
    `expected one of these files in the folder, got none: ${files.join(', ')}`,
  );
}

/** What to do about the first file of another format. */
function adviceOnFolder(directory: string, names: readonly string[], { format }: Engine): string | undefined {
  for (const name of [...names].sort()) {
    const about = adviceOnFormat(path.join(directory, name), () => directory);
    if (about) return `${format.mainFiles[0]} is missing, and ${name} is ${about.what}: ${about.advice}`;
  }
  return undefined;
}

function engineOf(names: readonly string[], engines: Engines): Engine | undefined {
  return engines.find(({ format }) => isOfFormat(names, format));
}

function namesIn(directory: string): Promise<string[] | undefined> {
  return storageCalls.make(() => readdir(directory)).catch(() => undefined);
}
