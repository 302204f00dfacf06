/**
 * What computes models, as all above sees it. An engine knows one format: by which file a folder is a model of it, what the
 * files say of the model, and how it is loaded.
 */
import { readdir } from 'node:fs/promises';
import { ServingError } from '../errors.js';
import { storageCalls } from '../files/storage-call.js';
import type { TensorView } from '../tfjs/tensors.js';
import type { InferenceModel } from './inference-model.js';
import type { MetaGraph } from './signature.js';

export interface ModelFormat {
  /** As people call it: `SavedModel`. */
  readonly name: string;
  /** A folder with one of these files is a model of this format. The usual one comes first. */
  readonly mainFiles: readonly [string, ...string[]];
  /**
   * Files that change with the model, by their paths in its folder: small ones. On network file systems, whose times say
   * little, a version counts as changed when their contents have.
   */
  readonly tellingFiles: readonly string[];
}

/** A model whose files were read and found whole, but which is not loaded. */
export interface ReadModel {
  readonly metaGraph: MetaGraph;
  /** Numbers in all its weights. */
  readonly parameterCount: number;
  /** What it takes in memory at least. */
  readonly byteLength: number;
  /** @throws ServingError (rejects) with the engine's code and message; UNAVAILABLE if the storage fails */
  load(): Promise<InferenceModel>;
}

/** A request that lies beside a model, to warm it up with. */
export interface WarmupRequest {
  /** Empty for the default one. */
  readonly signature: string;
  readonly inputs: ReadonlyMap<string, TensorView>;
  /** Outputs to compute; empty for all. */
  readonly outputs: readonly string[];
}

/** Where a publisher puts requests for the warm-up. */
export interface WarmupFile {
  /** Its path in the model's folder, with `/`. */
  readonly path: string;
  /**
   * @returns undefined if there is no such file
   * @throws ServingError (rejects) INVALID_ARGUMENT if it holds no such requests; UNAVAILABLE if the storage fails
   */
  read(directory: string): Promise<readonly WarmupRequest[] | undefined>;
}

export interface Engine {
  /** As people call it: `TensorFlow`. */
  readonly name: string;
  readonly format: ModelFormat;
  /** Undefined if its format has none: then inputs are made up. */
  readonly warmupFile?: WarmupFile | undefined;
  /**
   * Reads what the files say of a model, and checks that they are all there.
   *
   * @param tags which of several graphs to take, where the format has that
   * @throws ServingError (rejects) naming the file that is missing or damaged; UNAVAILABLE if the storage fails
   */
  read(directory: string, tags: readonly string[]): Promise<ReadModel>;
}

/** TensorFlow's comes first. It is used where no file says which engine is meant, and in rehearsals. */
export type Engines = readonly [Engine, ...Engine[]];

/** True if one of these names makes a folder a model of the format. */
export function isOfFormat(names: readonly string[], { mainFiles }: ModelFormat): boolean {
  return names.some((name) => mainFiles.includes(name));
}

/** The first engine for what is in a folder; undefined if there is nothing for any, or the folder cannot be read. */
export async function engineIn(directory: string, engines: Engines): Promise<Engine | undefined> {
  return engineOf((await namesIn(directory)) ?? [], engines);
}

/**
 * The engine that loads a folder. Where TensorFlow's is the only one, or the folder cannot be read, that says what is wrong.
 *
 * @throws ServingError (rejects) NOT_FOUND with the files that there may be, if there is none for any of several
 */
export async function engineFor(directory: string, engines: Engines): Promise<Engine> {
  const names = await namesIn(directory);
  const engine = engineOf(names ?? [], engines);
  if (engine || !names || engines.length === 1) return engine ?? engines[0];
  const files = engines.map(({ format }) => `${format.mainFiles.join(' or ')} (${format.name})`);
  throw new ServingError(
    'NOT_FOUND',
    `expected one of these files in the folder, got none: ${files.join(', ')}`,
  );
}

function engineOf(names: readonly string[], engines: Engines): Engine | undefined {
  return engines.find(({ format }) => isOfFormat(names, format));
}

function namesIn(directory: string): Promise<string[] | undefined> {
  return storageCalls.make(() => readdir(directory)).catch(() => undefined);
}
