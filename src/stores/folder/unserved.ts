/**
 * Finds what looks like a model in the folder of models and is not served, and says what to do about each.
 *
 * These are SavedModels in folders that are no versions, and files of other formats.
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ModelFormat } from '../../engines/engine.js';
import { adviceOnFormat } from '../../engines/other-formats.js';
import { storageCalls } from '../../files/storage-call.js';
import { greatestVersion, versionOf } from '../version-name.js';
import { type FolderContents, formatOf } from './contents.js';

/** The limits: no layout is deeper, and no more folders can be examined in a scan. */
const maxDepth = 4;
const maxFolders = 500;

/** Names that publishers use before they rename a folder. */
const unfinished = /^([._]|(tmp|temp)[-_.])|([-_.](tmp|temp|part|partial)|~)$/i;

export interface ServedFolders {
  readonly root: string;
  readonly formats: FolderContents['formats'];
  /** The number of levels from the root to the versions: 2 in a repository, 1 in a model's folder. */
  readonly depth: number;
  /** The paths of the versions that the server knows. */
  readonly versions: ReadonlySet<string>;
  /** The versions that have a handler, which may load files of any format. */
  readonly handled: ReadonlySet<string>;
}

/** @returns a sentence for each, in a fixed order */
export async function findUnserved(served: ServedFolders): Promise<string[]> {
  const search = { served, found: [] as string[], left: maxFolders };
  await visit([], maxDepth, search);
  return search.found;
}

interface Search {
  readonly served: ServedFolders;
  readonly found: string[];
  left: number;
}

/**
 * @param place is the folder's path below the root, in parts
 * @param deepest is the most parts of a folder that is entered
 */
async function visit(place: readonly string[], deepest: number, search: Search): Promise<void> {
  if (search.left-- <= 0) return;
  const { root, depth, versions, handled } = search.served;
  const folder = path.join(root, ...place);
  if (handled.has(folder)) return;
  const entries = await storageCalls
    .make(() => readdir(folder, { withFileTypes: true }))
    .catch((): Dirent[] => []);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = entries.map(({ name }) => name);
  const format = formatOf(names, search.served);
  if (format) {
    if (versions.has(folder) || isNumbered(place, search.served)) return;
    search.found.push(aboutModel(format, place, search.served));
  }
  for (const entry of entries) {
    if (unfinished.test(entry.name)) continue;
    const inside = [...place, entry.name];
    const about = aboutFile(inside, search.served);
    if (about) {
      if (await isOf(entry, folder, 'isFile')) search.found.push(about);
    } else {
      // A link may lead anywhere. It is followed to a model or a version, and to the versions of a model.
      const end = entry.isSymbolicLink() ? Math.min(deepest, depth) : deepest;
      if (inside.length <= end && (await isOf(entry, folder, 'isDirectory')))
        await visit(inside, end, search);
    }
  }
}

/** True for a version, or a second folder that means the same one. The listing reports that. */
function isNumbered(place: readonly string[], { depth }: ServedFolders): boolean {
  return place.length === depth && versionOf(place.at(-1) ?? '') !== undefined;
}

async function isOf(entry: Dirent, folder: string, kind: 'isFile' | 'isDirectory'): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry[kind]();
  return storageCalls
    .make(() => stat(path.join(folder, entry.name)))
    .then(
      (facts) => facts[kind](),
      () => false,
    );
}

function aboutFile(place: readonly string[], served: ServedFolders): string | undefined {
  const about = adviceOnFormat(path.join(served.root, ...place), () => exportFolder(place, served));
  return about && `${place.join('/')} is ${about.what}, and is not served: ${about.advice}`;
}

/** The folder from which a SavedModel made of a file would be served. */
function exportFolder(place: readonly string[], served: ServedFolders): string {
  const { root, depth } = served;
  const above = place.slice(0, -1);
  if (above.length >= depth) return path.join(root, ...above.slice(0, depth));
  if (above.length === depth - 1) return freeVersion(path.join(root, ...above), served);
  const stem = (place.at(-1) ?? '').replace(/\..*$/, '');
  return freeVersion(path.join(root, stem), served);
}

function freeVersion(model: string, { versions }: ServedFolders): string {
  const taken = [...versions]
    .filter((each) => path.dirname(each) === model)
    .map((each) => path.basename(each));
  const newest = taken.map(versionOf).reduce<number>((most, each) => Math.max(most, each ?? 0), 0);
  return path.join(model, String(newest + 1));
}

function aboutModel(format: ModelFormat, place: readonly string[], served: ServedFolders): string {
  const { root, depth } = served;
  const name = place.at(-1) ?? '';
  const holds = `${place.join('/') || root} holds a ${format.name}, and is not served: `;
  if (place.length === depth - 1)
    return `${holds}there are versions in it; move its files to ${freeVersion(path.join(root, ...place), served)}`;
  if (place.length === depth) {
    if (/^[0-9]+$/.test(name)) return `${holds}its number is above ${greatestVersion}; give it a smaller one`;
    return `${holds}its name is no version; rename it to ${versionMeant(place, served)}`;
  }
  const above = place.slice(0, depth);
  if (versionOf(above.at(-1) ?? '') !== undefined)
    return `${holds}it lies too deep in a version; move its files to ${path.join(root, ...above)}`;
  const parts = versionOf(name) === undefined ? 1 : 2;
  return `${holds}it lies too deep; give --model-path ${path.join(root, ...place.slice(0, -parts))}`;
}

/** `v12` means 12, unless that is taken. */
function versionMeant(place: readonly string[], served: ServedFolders): string {
  const model = path.join(served.root, ...place.slice(0, -1));
  const number = versionOf(/^\D*(\d+)$/.exec(place.at(-1) ?? '')?.[1] ?? '');
  const meant = number === undefined ? undefined : path.join(model, String(number));
  return meant !== undefined && !served.versions.has(meant) ? meant : freeVersion(model, served);
}
