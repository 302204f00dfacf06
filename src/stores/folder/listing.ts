/** Reads the folder of models: which versions there are, where, and a fingerprint of the files of each. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../../errors.js';
import { storageCalls } from '../../files/storage-call.js';
import type { ArrivalFacts, Listing, ModelListing, UnreadableVersion, VersionListing } from '../source.js';
import { nameSavedModel, versionOf } from '../version-name.js';
import { type ConfigFile, readModelConfig, readRepositoryConfig, servingJson } from './config-file.js';
import { type FolderContents, formatOf, holdsModel, mainFilesOf } from './contents.js';
import { isOfKernel } from './file-system.js';
import { readFolderFacts } from './fingerprint.js';
import { findHandler, isHandlerName } from './handler-file.js';
import { findUnserved } from './unserved.js';

/** What `--model-path` points at. */
export type Layout = 'repository' | 'model' | 'saved-model';

/** A version's folder, which is its place, and the folders below it. */
export interface FolderVersion extends VersionListing {
  readonly folders: readonly string[];
}

/** The whole of `--model-path`. */
export interface FolderListing extends Listing {
  readonly layout: Layout | undefined;
  /** The folders whose changes matter. */
  readonly folders: readonly string[];
}

/**
 * @param root is the value of `--model-path`
 * @param layout is what the root was at an earlier listing; by default its content tells
 * @param contents say what makes a folder a version
 */
export async function readListing(
  root: string,
  contents: FolderContents,
  layout?: Layout,
): Promise<FolderListing> {
  const problems: string[] = [];
  const children = await readFolder(root, problems);
  if (!Array.isArray(children))
    return { layout, models: undefined, config: undefined, problems, unserved: [], folders: [root] };
  const kind = layout ?? layoutOf(root, children, contents, await holdsVersions(root, children, contents));
  const config = kind === 'repository' ? usable(await readRepositoryConfig(root), problems) : {};
  const told: Told = { problems, unserved: [], folders: [root] };
  const models: ModelListing[] = [];
  if (kind === 'repository') {
    for (const child of children.filter(isFolderName)) {
      const model = await readModel(child, path.join(root, child), told, contents);
      if (model) models.push(model);
    }
  } else if (kind === 'model') {
    const model = await readModel(path.basename(path.resolve(root)), root, told, contents);
    if (model) models.push(model);
  } else if (kind === 'saved-model') {
    const { name, version } = nameSavedModel(root);
    const found = holdsModel(children, contents)
      ? await readVersion(version, [root], told, contents)
      : undefined;
    models.push({
      name,
      versions: found ? [found] : [],
      config: usable(await readModelConfig(root), problems),
    });
  }
  const unserved = await listUnserved(root, kind, models, contents, told);
  return { layout: kind, models, config, problems, unserved, folders: told.folders };
}

/** What a listing collects on its way. */
interface Told {
  readonly problems: string[];
  readonly unserved: string[];
  readonly folders: string[];
}

async function listUnserved(
  root: string,
  layout: Layout | undefined,
  models: readonly ModelListing[],
  { formats }: FolderContents,
  { unserved }: Told,
): Promise<string[]> {
  if (layout === 'saved-model') return unserved;
  const versions = models.flatMap((model) => model.versions ?? []);
  const handled = versions.filter((each) => 'handler' in each && each.handler !== undefined);
  const found = await findUnserved({
    root,
    formats,
    depth: layout === 'model' ? 1 : 2,
    versions: new Set(versions.map(({ place }) => place)),
    handled: new Set(handled.map(({ place }) => place)),
  });
  const isEmpty = versions.length === 0 && models.every((model) => model.versions);
  const none = `there is no model in ${root}: put one at ${path.join(root, 'NAME', '1', mainFilesOf({ formats }))}`;
  return [...(isEmpty ? [none] : []), ...unserved, ...found];
}

function usable<Config>(file: ConfigFile<Config>, problems: string[]): Config | undefined {
  if ('config' in file) return file.config;
  problems.push(file.problem);
  return undefined;
}

function layoutOf(
  root: string,
  children: readonly string[],
  contents: FolderContents,
  versions: boolean,
): Layout | undefined {
  if (formatOf(children, contents)) return 'saved-model';
  if (versions) return 'model';
  if (children.some(isHandlerName)) return 'saved-model';
  // An empty folder may still become any of the three, unless its own name says which.
  if (children.some((child) => isFolderName(child) && child !== servingJson)) return 'repository';
  return versionOf(path.basename(path.resolve(root))) === undefined ? undefined : 'saved-model';
}

async function holdsVersions(
  root: string,
  children: readonly string[],
  contents: FolderContents,
): Promise<boolean> {
  for (const child of children) {
    if (versionOf(child) === undefined) continue;
    const inside = await storageCalls.make(() => readdir(path.join(root, child))).catch((): string[] => []);
    if (holdsModel(inside, contents)) return true;
  }
  return false;
}

/**
 * True for a folder that may be a model. Hidden folders are not: Kubernetes keeps the contents of its volumes in
 * `..data`, and editors keep their own things.
 */
function isFolderName(name: string): boolean {
  return !name.startsWith('.');
}

/** So few versions are read on any file system: finding out which one it is would cost as much. */
const fewVersions = 4;

/** Reads a model's folder; undefined if it is none, because it holds neither a version nor a SavedModel. */
async function readModel(
  name: string,
  directory: string,
  told: Told,
  contents: FolderContents,
): Promise<ModelListing | undefined> {
  const { problems, unserved } = told;
  const children = await readFolder(directory, problems);
  if (children === 'no folder') return undefined;
  const numbered = Array.isArray(children) ? children.filter((child) => versionOf(child) !== undefined) : [];
  if (numbered.length > fewVersions && (await isOfKernel(directory))) {
    unserved.push(`${directory} leads to a folder of the kernel, which is no model: take the link away`);
    return undefined;
  }
  told.folders.push(directory);
  const config = usable(await readModelConfig(directory), problems);
  if (children === 'unreadable') return { name, versions: undefined, config };
  const isBare = numbered.length === 0 && holdsModel(children, contents);
  const folders = isBare
    ? [{ version: 1, folder: directory }]
    : numbered.map((child) => ({ version: Number(child), folder: path.join(directory, child) }));
  const versions: (VersionListing | UnreadableVersion)[] = [];
  for (const { version, folder } of folders) {
    const folders: [string, ...string[]] = isBare ? [folder] : [folder, directory];
    const found = await readVersion(version, folders, told, contents);
    if (found) versions.push(found);
  }
  return { name, versions: oneOfEach(versions, unserved), config };
}

/** Keeps one folder for each version. If several mean one, like `7` and `007`, it is the one with the shortest name. */
function oneOfEach<Version extends UnreadableVersion>(
  versions: readonly Version[],
  unserved: string[],
): Version[] {
  const chosen = new Map<number, Version>();
  const byLength = (a: Version, b: Version) => a.place.length - b.place.length;
  for (const each of [...versions].sort(byLength)) {
    const taken = chosen.get(each.version);
    if (!taken) chosen.set(each.version, each);
    else
      unserved.push(
        `${each.place} is version ${each.version}, and so is ${taken.place}, whose name is shorter and which is ` +
          'the one that counts: take one of them away',
      );
  }
  return [...chosen.values()];
}

/**
 * The names in a folder, sorted. A file, or nothing, in its place is no problem. A folder that cannot be read is one.
 */
async function readFolder(
  directory: string,
  problems: string[],
): Promise<string[] | 'no folder' | 'unreadable'> {
  try {
    return (await storageCalls.make(() => readdir(directory))).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return 'no folder';
    problems.push(`${directory}: ${messageOf(error)}`);
    return 'unreadable';
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Reads a version; undefined if there is no such folder. A folder that cannot be read has no fingerprint. */
async function readVersion(
  version: number,
  [directory, ...above]: readonly [string, ...string[]],
  { problems, folders }: Told,
  contents: FolderContents,
): Promise<VersionListing | UnreadableVersion | undefined> {
  try {
    const { folders: below, ...found } = await listVersion(version, directory, above, contents);
    folders.push(directory, ...below);
    return found;
  } catch (error) {
    const isFolder = await storageCalls
      .make(() => stat(directory))
      .then(
        (facts) => facts.isDirectory(),
        (failure) => codeOf(failure) !== 'ENOENT',
      );
    if (!isFolder) return undefined;
    problems.push(`${directory}: ${messageOf(error)}`);
    return { version, place: directory };
  }
}

/**
 * Reads the folder of one version.
 *
 * @param above are folders in which its handler may lie, besides its own
 * @throws the file system's error if something in it cannot be read
 */
export async function listVersion(
  version: number,
  directory: string,
  above: readonly string[],
  contents: FolderContents,
): Promise<FolderVersion> {
  const found = (await findHandler(directory, ...above)) ?? contents.handlers?.defaultFile;
  const handler = found && path.resolve(found);
  const facts = await readFolderFacts(directory, above, handler, contents);
  const { fingerprint, unfit, folders, storage, ...times } = facts;
  const arrival: ArrivalFacts = { ...times, clock: storage === 'local' ? 'own' : 'other' };
  return { version, place: directory, handler, fingerprint, unfit, arrival, folders };
}
