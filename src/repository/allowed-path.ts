/**
 * Resolves a path that came with a request: decoded once, its links followed, compared with the allowed roots, and from
 * then on used only as the result.
 */
import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { invalidArgument, ServingError } from '../errors.js';
import type { HandlerSource } from './handler-file.js';
import { holdsModel, listVersion, type VersionListing } from './listing.js';
import { savedModelFile } from './saved-model.js';
import { nameSavedModel, versionOf } from './version-name.js';

/**
 * The SavedModel that a path from a request means: the path itself, or the newest version in it.
 *
 * @param requested absolute, or relative to the first root
 * @param roots the folders that it may lie in
 * @throws ServingError PERMISSION_DENIED for anything outside the roots, whether it exists or not; NOT_FOUND for what is no SavedModel
 */
export async function resolveModelPath(
  requested: string,
  roots: readonly string[],
  handlers?: HandlerSource,
): Promise<VersionListing> {
  if (requested === '' || requested.includes('\0'))
    throw invalidArgument('`model_path` must be the path of a folder');
  const [first = '.'] = roots;
  const real = await realpath(path.resolve(first, requested)).catch(() => undefined);
  const allowed = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  // What does not exist is answered as what is not allowed: nobody can map the machine's folders by asking.
  if (real === undefined || !allowed.some((root) => root !== undefined && isWithin(real, root))) {
    throw new ServingError(
      'PERMISSION_DENIED',
      '`model_path` names no folder within the allowed ones (--allow-path)',
    );
  }
  const inside = await readdir(real).catch(() => [] as string[]);
  if (holdsModel(inside)) return found(real, handlers);
  const newest = inside
    .filter((name) => versionOf(name) !== undefined)
    .sort((a, b) => Number(b) - Number(a) || a.length - b.length)[0];
  if (newest === undefined)
    throw new ServingError('NOT_FOUND', `\`model_path\` holds no ${savedModelFile} and no versions`);
  return found(path.join(real, newest), handlers);
}

function found(directory: string, handlers: HandlerSource | undefined): Promise<VersionListing> {
  const isNumbered = versionOf(path.basename(directory)) !== undefined;
  const above = isNumbered ? [path.dirname(directory)] : [];
  return listVersion(nameSavedModel(directory).version, directory, above, handlers);
}

function isWithin(child: string, parent: string): boolean {
  const relative = path.relative(parent, child);
  return (
    relative === '' ||
    (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative))
  );
}
