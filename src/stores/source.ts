/**
 * Where models come from, as the control plane sees it.
 *
 * A source says which versions there are. It puts the files of a version into a folder of this machine when the version
 * is to be loaded. A folder of models is one source (`folder/`). An archive or an object store can be another.
 */
import type { ModelConfigFile, RepositoryConfigFile } from './serving-json.js';

/** A version with its present contents. */
export interface SourceVersion {
  readonly version: number;
  /**
   * Where the source finds it, for example the path of a folder or the prefix of keys. No two versions have the same
   * place.
   */
  readonly place: string;
  /** Changes when any of its files changes, or its handler. An ETag will do. */
  readonly fingerprint: string;
  /** The file of its handler, if it has one: its path, or its path relative to the version's folder. */
  readonly handler?: string | undefined;
  /** Why it cannot serve, if that is known without its files. */
  readonly unfit?: string | undefined;
}

/**
 * How a version came to its place. Copied files come one by one, and a copy may stall, so such a version must stay the
 * same for longer. Times are in milliseconds since 1970.
 */
export interface ArrivalFacts {
  /** The clock of the times. Those of another machine's clock say less. */
  readonly clock: 'own' | 'other';
  /** When anything in it last changed. */
  readonly changedAt: number;
  /** When it was put into its place as a whole, as far as that is known. */
  readonly placedAt?: number | undefined;
  /** When it was made, here or elsewhere, as far as that is known. */
  readonly madeAt?: number | undefined;
  /** Changes when another version is put into its place as a whole; undefined if that is not known. */
  readonly identity?: string | undefined;
  /** A fingerprint without the handler. It stays the same while only the handler is edited. */
  readonly model?: string | undefined;
  /** The names at its top. A `complete_marker` is looked for among them. */
  readonly entries: readonly string[];
}

/** A version as it was found. */
export interface VersionListing extends SourceVersion {
  /** `whole` if the source shows a version only once all of it is there. Then it is loaded at once. */
  readonly arrival: 'whole' | ArrivalFacts;
}

/** A version that is there but cannot be read now. */
export type UnreadableVersion = Pick<SourceVersion, 'version' | 'place'>;

/**
 * A model of the source. `versions` has each number once, in any order. It is undefined if they could not be read,
 * which is not the same as none.
 */
export interface ModelListing {
  readonly name: string;
  readonly versions: readonly (VersionListing | UnreadableVersion)[] | undefined;
  /**
   * The settings, as in a `serving.json`. It is undefined if they cannot be read. Then the settings that were last read
   * hold, or the defaults.
   */
  readonly config?: ModelConfigFile | undefined;
}

/** What a source has. `models` is undefined if it could not be read, which is not the same as none. */
export interface Listing {
  readonly models: readonly ModelListing[] | undefined;
  /** The settings for all models; undefined as in {@link ModelListing}. */
  readonly config?: RepositoryConfigFile | undefined;
  /** Why something could not be read, for the log. Left out: nothing. */
  readonly problems?: readonly string[];
  /** What looks like a model and is not served, and what to do about it, for the log. Left out: nothing. */
  readonly unserved?: readonly string[];
}

/** The files of a version, on this machine. */
export interface LocalVersion {
  /**
   * The folder with the files. They stay there until {@link release}, because engines and handlers may read them at any
   * time.
   */
  readonly directory: string;
  /**
   * Checks that the files have not changed. It is absent if nobody else can change them.
   *
   * @throws ServingError (rejects) ABORTED if they are no longer those that were listed; UNAVAILABLE if that cannot be
   * determined now
   */
  checkUnchanged?(): Promise<void>;
  /** Called once, when nobody needs the files any more: the version was unloaded, or could not be loaded. */
  release?(): Promise<void>;
}

/** Tells when something may have changed. */
export interface Watch {
  close(): Promise<void>;
}

export interface Source {
  /** The name of the source, for people and for notes that outlive the server: a path or a URL. */
  readonly name: string;
  /**
   * Says how to add a model, in the words of an error: `put one into the folder of --model-path, as NAME/1/`. Strangers
   * who ask a server without models read it. By default, nothing is said.
   */
  readonly advice?: string | undefined;
  /**
   * Lists what there is. It is called often, so it must be cheap, end in time, and fetch no model. A version that is
   * missing from the listing counts as deleted after a while. What could not be read does not. If the call fails,
   * nothing could be read.
   */
  list(): Promise<Listing>;
  /**
   * Puts the files of a listed version into a folder of this machine. That may take long. The same version may be asked
   * for again after it was released.
   *
   * @param signal is aborted when the server ends
   * @throws ServingError (rejects) ABORTED if the version is no longer as it was listed; UNAVAILABLE,
   * RESOURCE_EXHAUSTED or DEADLINE_EXCEEDED if it is worth another try; another code if these contents can never be
   * loaded. Any other error counts as UNAVAILABLE
   */
  materialise(version: SourceVersion, signal: AbortSignal): Promise<LocalVersion>;
  /** Calls back when something may have changed. That is only a hint: the server also looks by the clock. */
  watch?(onHint: () => void): Promise<Watch | undefined>;
  /**
   * The version that a path in a request means, if the source takes paths.
   *
   * @throws ServingError (rejects) PERMISSION_DENIED for a path that nobody may ask for, NOT_FOUND for no version
   */
  locate?(path: string): Promise<SourceVersion>;
}
