/**
 * What computes models, as the rest of the server sees it.
 *
 * An engine knows one model format: which files mark a folder as a model, what the files say of the model, and how to
 * load it.
 */
import type { TensorView } from '../tfjs/tensors.js';
import type { EngineModel, InferenceModel } from './inference-model.js';
import type { MetaGraph, Signature, UnusableSignature } from './signature.js';

export interface ModelFormat {
  /** The name that people know, for example `SavedModel`. */
  readonly name: string;
  /** A folder with one of these files is a model of this format. The usual file comes first. */
  readonly mainFiles: readonly [string, ...string[]];
  /**
   * Small files that change with the model, as paths in its folder. On network file systems, whose times say little, a
   * version counts as changed when their content has changed.
   */
  readonly tellingFiles: readonly string[];
}

/** What an engine says of a model whose files it has read and found complete. The model is not loaded. */
export interface FoundModel {
  /** The signatures by their names. */
  readonly signatures: ReadonlyMap<string, Signature>;
  /** The signatures that cannot be served, and why. It is left out if there are none. */
  readonly unusable?: readonly UnusableSignature[] | undefined;
  /** The tags of the graph that was read. They are left out if the format has one graph. */
  readonly tags?: readonly string[] | undefined;
  /** The number of weights. */
  readonly parameterCount: number;
  /** The least memory that it takes, in bytes. A model that does not fit is refused before it is loaded. */
  readonly byteLength: number;
  /**
   * Loads the model.
   *
   * @throws ServingError (rejects) with the engine's code and message; UNAVAILABLE if the storage fails
   */
  load(): Promise<EngineModel>;
}

/** The same with nothing left out. */
export interface ReadModel extends MetaGraph, FoundModel {
  readonly tags: readonly string[];
  readonly unusable: readonly UnusableSignature[];
  load(): Promise<InferenceModel>;
}

/** A request that a publisher put beside a model for its warm-up. */
export interface WarmupRequest {
  /** The signature; empty for the default one. */
  readonly signature: string;
  readonly inputs: ReadonlyMap<string, TensorView>;
  /** The outputs to compute; empty for all. */
  readonly outputs: readonly string[];
}

/** The file in which publishers put requests for the warm-up. */
export interface WarmupFile {
  /** The path in the model's folder, with `/`. */
  readonly path: string;
  /**
   * Reads the requests.
   *
   * @returns undefined if there is no such file
   * @throws ServingError (rejects) INVALID_ARGUMENT if it does not hold such requests; UNAVAILABLE if the storage fails
   */
  read(directory: string): Promise<readonly WarmupRequest[] | undefined>;
}

/** Computes models of one format. */
export interface Engine {
  /** The name that people know, for example `TensorFlow`. Errors and the log have it. */
  readonly name: string;
  readonly format: ModelFormat;
  /** The file with requests for the warm-up. Without one, inputs are made up. */
  readonly warmupFile?: WarmupFile | undefined;
  /**
   * Reads what the files say of a model, and checks that all of them are there. It takes no memory for the model.
   *
   * @param directory holds the model's files, on this machine
   * @param tags say which of several graphs to read, if the format has that
   * @throws ServingError (rejects) naming a file that is missing (NOT_FOUND) or damaged (DATA_LOSS); UNAVAILABLE if the
   * storage fails. The text of any other error stays in the log
   */
  read(directory: string, tags: readonly string[]): Promise<FoundModel>;
}

/** An engine of our own: it leaves nothing out, and gives what it promises. */
export interface OwnEngine extends Engine {
  read(directory: string, tags: readonly string[]): Promise<ReadModel>;
}

/**
 * The engines in order of preference. TensorFlow comes first. It is used if no file says which engine is meant, and in
 * rehearsals.
 */
export type Engines = readonly [OwnEngine, ...Engine[]];

/** True if one of these file names marks a folder as a model of the format. */
export function isOfFormat(names: readonly string[], { mainFiles }: ModelFormat): boolean {
  return names.some((name) => mainFiles.includes(name));
}
