/**
 * Reads the folder of models: which versions there are, where, and a fingerprint of each one's files.
 *
 * Only names and file facts are read, no contents. What is to be done about them is `scan.ts`'s business.
 */
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../errors.js';
import { findHandler, type HandlerSource, isHandlerName } from './handler-file.js';
import { savedModelFile } from './saved-model.js';
import {
  type ConfigFile,
  type ModelConfig,
  type RepositoryConfig,
  readModelConfig,
  readRepositoryConfig,
  servingJson,
} from './serving-json.js';

/** What `--model-path` points at. */
export type Layout = 'repository' | 'model' | 'saved-model';

/** One version's folder as it was found. */
export interface VersionListing {
  readonly version: number;
  readonly directory: string;
  /** A digest of path, size, ctime and inode of every file, and of the handler; changes when anything of it does. */
  readonly fingerprint: string;
  /** The file of its handler, if it has one. */
  readonly handler?: string | undefined;
}

/** A version's folder that is there but cannot be read now. */
export type UnreadableVersion = Omit<VersionListing, 'fingerprint' | 'handler'>;

/** One model's folder; `versions` is undefined where it could not be read, which is not the same as empty. */
export interface ModelListing {
  readonly name: string;
  readonly versions: readonly (VersionListing | UnreadableVersion)[] | undefined;
  /** From its `serving.json`; undefined where that cannot be used. */
  readonly config: ModelConfig | undefined;
}

/** The whole of `--model-path`; `models` is undefined where it could not be read. */
export interface Listing {
  readonly layout: Layout | undefined;
  readonly models: readonly ModelListing[] | undefined;
  /** From the repository's own `serving.json`; undefined where that cannot be used. */
  readonly config: RepositoryConfig | undefined;
  /** Why something could not be read, for the log. */
  readonly problems: readonly string[];
}

/** Deeper or fuller than any SavedModel; a link that leads back up ends here. */
const maxDepth = 12;
const maxFiles = 20_000;

/**
 * @param root `--model-path`
 * @param layout what the root was at an earlier listing; by default it is told from what is in it
 * @param handlers undefined where they are off: then a version still has one, and cannot serve
 */
export async function readListing(root: string, layout?: Layout, handlers?: HandlerSource): Promise<Listing> {
  const problems: string[] = [];
  const children = await readFolder(root, problems);
  if (!Array.isArray(children)) return { layout, models: undefined, config: undefined, problems };
  const kind = layout ?? layoutOf(root, children, await holdsVersions(root, children));
  const config = kind === 'repository' ? usable(await readRepositoryConfig(root), problems) : {};
  const models: ModelListing[] = [];
  if (kind === 'repository') {
    for (const child of children.filter(isFolderName)) {
      const model = await readModel(child, path.join(root, child), problems, handlers);
      if (model) models.push(model);
    }
  } else if (kind === 'model') {
    const model = await readModel(path.basename(path.resolve(root)), root, problems, handlers);
    if (model) models.push(model);
  } else if (kind === 'saved-model') {
    const { name, version } = nameSavedModel(root);
    const found = holdsModel(children) ? await readVersion(version, [root], problems, handlers) : undefined;
    models.push({
      name,
      versions: found ? [found] : [],
      config: usable(await readModelConfig(root), problems),
    });
  }
  return { layout: kind, models, config, problems };
}

function usable<Config>(file: ConfigFile<Config>, problems: string[]): Config | undefined {
  if ('config' in file) return file.config;
  problems.push(file.problem);
  return undefined;
}

/** The version that a folder name stands for, or undefined: positive integers without leading zeros. */
export function versionOf(name: string): number | undefined {
  const version = Number(name);
  return /^[1-9][0-9]*$/.test(name) && Number.isSafeInteger(version) ? version : undefined;
}

/** The name and version of a SavedModel given by its own path: `policy/3` is version 3 of policy, `policy` version 1. */
export function nameSavedModel(directory: string): { name: string; version: number } {
  const absolute = path.resolve(directory);
  const version = versionOf(path.basename(absolute));
  return version === undefined
    ? { name: path.basename(absolute), version: 1 }
    : { name: path.basename(path.dirname(absolute)), version };
}

function layoutOf(root: string, children: readonly string[], versions: boolean): Layout | undefined {
  if (children.includes(savedModelFile)) return 'saved-model';
  if (versions) return 'model';
  if (children.some(isHandlerName)) return 'saved-model';
  // An empty folder may still become any of the three, unless its own name says which.
  if (children.some((child) => isFolderName(child) && child !== servingJson)) return 'repository';
  return versionOf(path.basename(path.resolve(root))) === undefined ? undefined : 'saved-model';
}

/** A SavedModel, or a handler, which may do without one. */
export function holdsModel(names: readonly string[]): boolean {
  return names.includes(savedModelFile) || names.some(isHandlerName);
}

async function holdsVersions(root: string, children: readonly string[]): Promise<boolean> {
  for (const child of children) {
    if (versionOf(child) === undefined) continue;
    const inside: string[] = await readdir(path.join(root, child)).catch(() => []);
    if (holdsModel(inside)) return true;
  }
  return false;
}

/** Hidden folders are nobody's models: Kubernetes keeps its volumes' contents in `..data`, editors their own things. */
function isFolderName(name: string): boolean {
  return !name.startsWith('.');
}

/** undefined if this is no model's folder: neither a version in it nor a SavedModel. */
async function readModel(
  name: string,
  directory: string,
  problems: string[],
  handlers: HandlerSource | undefined,
): Promise<ModelListing | undefined> {
  const children = await readFolder(directory, problems);
  if (children === 'no folder') return undefined;
  const config = usable(await readModelConfig(directory), problems);
  if (children === 'unreadable') return { name, versions: undefined, config };
  const numbered = children.filter((child) => versionOf(child) !== undefined);
  const isBare = numbered.length === 0 && holdsModel(children);
  const folders = isBare
    ? [{ version: 1, folder: directory }]
    : numbered.map((child) => ({ version: Number(child), folder: path.join(directory, child) }));
  const versions: (VersionListing | UnreadableVersion)[] = [];
  for (const { version, folder } of folders) {
    const folders: [string, ...string[]] = isBare ? [folder] : [folder, directory];
    const found = await readVersion(version, folders, problems, handlers);
    if (found) versions.push(found);
  }
  return { name, versions, config };
}

/** The names in a folder, sorted. A file, or nothing, where a folder was expected is no problem; a folder that cannot be read is one. */
async function readFolder(
  directory: string,
  problems: string[],
): Promise<string[] | 'no folder' | 'unreadable'> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return 'no folder';
    problems.push(`${directory}: ${messageOf(error)}`);
    return 'unreadable';
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** undefined if there is no such folder; what is there but cannot be read has no fingerprint. */
async function readVersion(
  version: number,
  [directory, ...above]: readonly [string, ...string[]],
  problems: string[],
  handlers: HandlerSource | undefined,
): Promise<VersionListing | UnreadableVersion | undefined> {
  try {
    return await listVersion(version, directory, above, handlers);
  } catch (error) {
    const isFolder = await stat(directory).then(
      (facts) => facts.isDirectory(),
      (failure) => codeOf(failure) !== 'ENOENT',
    );
    if (!isFolder) return undefined;
    problems.push(`${directory}: ${messageOf(error)}`);
    return { version, directory };
  }
}

/**
 * One version's folder.
 *
 * @param above folders in which its handler may lie, besides its own
 * @throws the file system's error if something in it cannot be read
 */
export async function listVersion(
  version: number,
  directory: string,
  above: readonly string[],
  handlers: HandlerSource | undefined,
): Promise<VersionListing> {
  const handler = (await findHandler(directory, ...above)) ?? handlers?.defaultFile;
  return { version, directory, handler, fingerprint: await fingerprintOf(directory, handler, handlers) };
}

/**
 * A digest of what is in a folder: path, size, ctime and inode of every file, links followed. Modification times are
 * left out, since `tar`, `rsync` and `cp -p` keep old ones. And of what its handler is made of, wherever that lies.
 *
 * @throws the file system's error if something in it cannot be read
 */
export async function fingerprintOf(
  directory: string,
  handler: string | undefined,
  handlers: HandlerSource | undefined,
): Promise<string> {
  const facts: string[] = [];
  await collect(directory, '', 0, facts);
  // Where handlers are off, that there is one is all that matters.
  if (handler !== undefined) facts.push(handlers ? await handlers.digest(handler) : handler);
  return createHash('sha256').update(facts.sort().join('\n')).digest('hex').slice(0, 32);
}

async function collect(directory: string, prefix: string, depth: number, facts: string[]): Promise<void> {
  if (depth > maxDepth || facts.length > maxFiles)
    throw new Error('too deep or too many files for a SavedModel');
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name);
    const relative = prefix + entry.name;
    // Beside a bare SavedModel: it says how the model is served, and changes nothing about it.
    if (relative === servingJson) continue;
    if (await isFolder(entry, name)) {
      await collect(name, `${relative}/`, depth + 1, facts);
    } else {
      const { size, ctimeNs, ino } = await stat(name, { bigint: true });
      facts.push(`${relative}\0${size}\0${ctimeNs}\0${ino}`);
    }
  }
}

async function isFolder(entry: Dirent, name: string): Promise<boolean> {
  return entry.isDirectory() || (entry.isSymbolicLink() && (await stat(name)).isDirectory());
}
