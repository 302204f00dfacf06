/**
 * Resolves a path in a request. It is decoded once, its links are followed, and the result is compared with the allowed
 * roots. From then on, only the result is used.
 */
import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { nameSavedModel, versionOf } from '../version-name.js';
import { type FolderContents, holdsModel, mainFilesOf } from './contents.js';
import { type FolderVersion, listVersion } from './listing.js';

/**
 * The SavedModel that a path in a request means: the path itself, or the newest version in it.
 *
 * @param requested is absolute, or relative to the first root
 * @param roots are the folders that it may lie in
 * @throws ServingError PERMISSION_DENIED for anything outside the roots, whether it exists or not; NOT_FOUND for a path
 * that does not exist, or is no SavedModel
 */
export async function resolveModelPath(
  requested: string,
  roots: readonly string[],
  contents: FolderContents,
): Promise<FolderVersion> {
  if (requested === '' || requested.includes('\0'))
    throw invalidArgument('`model_path` must be the path of a folder');
  const [first = '.'] = roots;
  const real = await realpath(path.resolve(first, requested)).catch(() => undefined);
  const allowed = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  const isAllowed = (place: string) => allowed.some((root) => root !== undefined && isWithin(place, root));
  // Every path elsewhere gets the same answer, whether it exists or not. So nobody can explore the machine's folders by
  // asking.
  if (!isAllowed(real ?? (await nearestFolder(path.resolve(first, requested)))))
    throw new ServingError(
      'PERMISSION_DENIED',
      `expected a \`model_path\` within ${roots.map(quoted).join(' or ')}, got one outside: --allow-path allows more`,
    );
  if (real === undefined)
    throw new ServingError('NOT_FOUND', `\`model_path\` ${quoted(requested)} does not exist`);
  const inside = await readdir(real).catch(() => [] as string[]);
  if (holdsModel(inside, contents)) return found(real, contents);
  const newest = inside
    .filter((name) => versionOf(name) !== undefined)
    .sort((a, b) => Number(b) - Number(a) || a.length - b.length)[0];
  if (newest === undefined)
    throw new ServingError('NOT_FOUND', `\`model_path\` holds no ${mainFilesOf(contents)} and no versions`);
  return found(path.join(real, newest), contents);
}

/** The deepest existing folder above a path that does not exist, with its links followed. */
async function nearestFolder(missing: string): Promise<string> {
  const above = path.dirname(missing);
  return (await realpath(above).catch(() => undefined)) ?? (above === missing ? above : nearestFolder(above));
}

function found(directory: string, contents: FolderContents): Promise<FolderVersion> {
  const isNumbered = versionOf(path.basename(directory)) !== undefined;
  const above = isNumbered ? [path.dirname(directory)] : [];
  return listVersion(nameSavedModel(directory).version, directory, above, contents);
}

function isWithin(child: string, parent: string): boolean {
  const relative = path.relative(parent, child);
  return (
    relative === '' ||
    (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative))
  );
}
