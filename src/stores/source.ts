/**
 * Where models come from, as the control plane sees it. A source says which versions there are, and has the files of one in
 * a folder of this machine when it is to be loaded. A folder of models is one source (`folder/`). An archive or an object
 * store can be another.
 */
import type { ModelConfigFile, RepositoryConfigFile } from './serving-json.js';

/** A version with just these contents. */
export interface SourceVersion {
  readonly version: number;
  /** Where the source finds it: the path of a folder, the prefix of keys. No two versions lie in the same place. */
  readonly place: string;
  /** Changes when any of its files does, or its handler. An ETag will do. */
  readonly fingerprint: string;
  /** The file of its handler, if it has one: its path, or its path from the version's folder on. */
  readonly handler?: string | undefined;
  /** Why it cannot serve, where that is seen without its files. */
  readonly unfit?: string | undefined;
}

/**
 * How a version came to its place. Copied files come one by one, and a copy may stall: the version must stay the same for
 * longer. Times are in milliseconds since 1970.
 */
export interface ArrivalFacts {
  /** Whose clock the times are of. Those of another one say less. */
  readonly clock: 'own' | 'other';
  /** When anything in it last changed. */
  readonly changedAt: number;
  /** When it was put into its place as a whole, as far as that can be told. */
  readonly placedAt?: number | undefined;
  /** When it was made, there or elsewhere, as far as that can be told. */
  readonly madeAt?: number | undefined;
  /** Changes when another version is put in its place as a whole; undefined where that cannot be told. */
  readonly identity?: string | undefined;
  /** A fingerprint without the handler. It stays the same while only the handler is edited. */
  readonly model?: string | undefined;
  /** The names at its top, where a `complete_marker` is looked for. */
  readonly entries: readonly string[];
}

/** A version as it was found. */
export interface VersionListing extends SourceVersion {
  /** `whole` where the source shows a version only once all of it is there: it is loaded at once. */
  readonly arrival: 'whole' | ArrivalFacts;
}

/** A version that is there but cannot be read now. */
export type UnreadableVersion = Pick<SourceVersion, 'version' | 'place'>;

/** `versions` has each number once, in any order. It is undefined where they could not be read, which is not the same as none. */
export interface ModelListing {
  readonly name: string;
  readonly versions: readonly (VersionListing | UnreadableVersion)[] | undefined;
  /** As in a `serving.json`. Undefined where it cannot be read: then what was read last holds, or the defaults. */
  readonly config?: ModelConfigFile | undefined;
}

/** What a source has; `models` is undefined where it could not be read, which is not the same as none. */
export interface Listing {
  readonly models: readonly ModelListing[] | undefined;
  /** For all models; undefined as in {@link ModelListing}. */
  readonly config?: RepositoryConfigFile | undefined;
  /** Why something could not be read, for the log. */
  readonly problems: readonly string[];
  /** What looks like a model and is not served, and what to do about it, for the log. */
  readonly unserved: readonly string[];
}

/** The files of a version, on this machine. */
export interface LocalVersion {
  /** They stay there until {@link release}: engines and handlers may read at any time. */
  readonly directory: string;
  /**
   * Missing where nobody else can change the files.
   *
   * @throws ServingError (rejects) ABORTED if they are no longer those that were listed; UNAVAILABLE if that cannot be seen now
   */
  checkUnchanged?(): Promise<void>;
  /** Called once, when nobody needs the files: the version was unloaded, or could not be loaded. */
  release?(): Promise<void>;
}

/** Tells when something may have changed. */
export interface Watch {
  close(): Promise<void>;
}

export interface Source {
  /** Which one it is, for people and for notes that outlive the server: a path, a URL. */
  readonly name: string;
  /**
   * How somebody adds a model, in an error's words: `put one into the folder of --model-path, as NAME/1/`. Strangers read it who ask a
   * server that has no model yet. Left out: nothing is said.
   */
  readonly advice?: string | undefined;
  /**
   * Looks at what there is. It is called often, so it must be cheap, end in time, and fetch no model. A version that is missing
   * from the listing is taken as deleted after a while; what could not be read is not. If the call fails, nothing could be read.
   */
  list(): Promise<Listing>;
  /**
   * Has the files of a listed version on this machine. That may take long, and the same version may be asked for again after
   * it was released.
   *
   * @param signal aborted when the server ends
   * @throws ServingError (rejects) ABORTED if the version is no longer as it was listed; UNAVAILABLE, RESOURCE_EXHAUSTED or
   *   DEADLINE_EXCEEDED if it is worth another try; another code if these contents can never be loaded. Any other error counts
   *   as UNAVAILABLE
   */
  materialise(version: SourceVersion, signal: AbortSignal): Promise<LocalVersion>;
  /** Calls back when something may have changed. That is a hint only: the server looks by the clock, too. */
  watch?(onHint: () => void): Promise<Watch | undefined>;
  /**
   * The version that a path in a request means, where the source takes paths.
   *
   * @throws ServingError (rejects) PERMISSION_DENIED for a path that nobody may ask for, NOT_FOUND for no version
   */
  locate?(path: string): Promise<SourceVersion>;
}
