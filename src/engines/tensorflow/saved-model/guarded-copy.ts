/**
 * Makes a copy of a SavedModel with guards in its graph, for TensorFlow to load. It is a folder with the changed
 * `saved_model.pb`, and links to everything else.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, rm, symlink } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { Turns } from '../../../flow/turns.js';
import type { Guards } from '../graph/guards/find.js';
import { type InputTypes, insertGuards } from '../graph/guards/insert.js';
import { type Pieces, rewrite } from '../graph/guards/rewrite.js';
import { messageOf } from '../graph/wire.js';
import { tagsOf } from './meta-graphs.js';
import { readSavedModelFile, savedModelFile } from './read.js';
import { savedModelTextFile } from './text-form.js';

export interface GuardedCopy {
  readonly directory: string;
  /** Removes what only the load needs. It is called after the load. */
  loaded(): Promise<void>;
  /** Removes the whole copy. */
  remove(): Promise<void>;
}

/**
 * The names of these folders begin like this on this machine. The id of the process that made the folder comes next.
 */
const prefix = `tfjs-serving-guarded-${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-`;

/**
 * @param directory of the SavedModel
 * @param tags of the graph that is to be loaded
 * @throws ServingError if the SavedModel cannot be read; Error if there is no room for temporary files
 */
export async function makeGuardedCopy(
  directory: string,
  tags: readonly string[],
  guards: Guards,
  typesOf: InputTypes,
): Promise<GuardedCopy> {
  sweeping ??= sweep();
  await sweeping;
  const guarded = await insertInto(await readSavedModelFile(directory), tags, guards, typesOf);
  const folder = await mkdtemp(path.join(tmpdir(), `${prefix}${process.pid}-`));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const names = (await readdir(directory)).filter((name) => !savedModelFiles.has(name));
    for (const name of names) await symlink(path.resolve(directory, name), path.join(folder, name));
    await write(path.join(folder, savedModelFile), guarded);
    // A run may read an asset later.
    const staysNeeded = names.includes('assets');
    const loaded = () => (staysNeeded ? rm(path.join(folder, savedModelFile), { force: true }) : remove());
    return { directory: folder, loaded, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

const savedModelFiles: ReadonlySet<string> = new Set([savedModelFile, savedModelTextFile, 'fingerprint.pb']);

/** Inserts guards into a SavedModel (saved_model.proto, meta_graph.proto). */
function insertInto(
  savedModel: Uint8Array,
  tags: readonly string[],
  guards: Guards,
  typesOf: InputTypes,
): Promise<Pieces> {
  const turns = new Turns();
  const wanted = [...tags].sort().join();
  return rewrite(messageOf(savedModel), turns, async (field, metaGraph) => {
    if (field !== 2 || (await tagsOf(metaGraph, turns)).sort().join() !== wanted) return undefined;
    const graph = await rewrite(metaGraph, turns, async (inner, graphDef) =>
      inner === 2 ? [await insertGuards(graphDef, guards, typesOf, turns)] : undefined,
    );
    return [graph];
  });
}

/** The number of pieces that are passed to the system at a time. */
const piecesAtOnce = 512;

async function write(file: string, { chunks }: Pieces): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    for (let i = 0; i < chunks.length; i += piecesAtOnce)
      await handle.writev(chunks.slice(i, i + piecesAtOnce));
  } finally {
    await handle.close();
  }
}

let sweeping: Promise<void> | undefined;

/** Removes the copies that killed processes left behind. */
async function sweep(): Promise<void> {
  const names = await readdir(tmpdir()).catch((): string[] => []);
  const left = names.filter(
    (name) => name.startsWith(prefix) && !isAlive(parseInt(name.slice(prefix.length), 10)),
  );
  for (const name of left)
    await rm(path.join(tmpdir(), name), { recursive: true, force: true }).catch(() => {});
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
