/**
 * Leads one version from its source to a loaded model. It fetches the files, rehearses the load if that is due, and
 * loads the version. A note on disk stays behind if this process dies of it.
 */
import path from 'node:path';
import type { Engines } from '../../engines/engine.js';
import { engineIn } from '../../engines/engine-of-folder.js';
import { messageOf, ServingError, shuttingDown } from '../../errors.js';
import type { LocalVersion, Source, SourceVersion } from '../../stores/source.js';
import { GivenUp, type LoadedVersion, type LoadOptions, loadVersion, type VersionToLoad } from './load.js';
import { LoadNotes } from './load-notes.js';
import { type LoadFacts, loadWay, type RehearsalMode } from './load-way.js';
import type { Rehearsals } from './rehearsal.js';

export interface VersionLoaderOptions extends LoadOptions {
  readonly source: Source;
  /** The value of `--rehearse`. */
  readonly rehearse: RehearsalMode;
  readonly rehearsals: Rehearsals;
  /** The folder for notes of loads; undefined if none are kept. */
  readonly stateFolder: string | undefined;
}

/** A version that is to be loaded, before its files are known. */
export type LoadOrder = Omit<VersionToLoad, 'version' | 'directory' | 'handler' | 'onStage'> & {
  readonly candidate: SourceVersion;
  /** True if a version serves. The load must not end the process then. */
  readonly isServing: boolean;
  /** Called at the beginning of each stage, with its place. */
  readonly onStage: (stage: string) => void;
};

export class VersionLoader {
  private notes: LoadNotes | undefined;
  private readonly closing = new AbortController();

  constructor(private readonly options: VersionLoaderOptions) {}

  /** Reads the notes of earlier servers. */
  async open(): Promise<void> {
    const { stateFolder, source, logger } = this.options;
    this.notes = await LoadNotes.open(stateFolder, source.name, logger);
  }

  /** True for a version that was being loaded when a server died. */
  isSuspect(model: string, candidate: SourceVersion): boolean {
    return this.notes?.suspectOf(model, candidate) !== undefined;
  }

  /** Lets versions of a model be tried again that were being loaded when a server died. */
  pardon(model: string): void {
    this.notes?.pardon(model);
  }

  /**
   * Fetches the files of a version to this machine.
   *
   * @returns the files, which the caller must release
   * @throws ServingError the error of the source; UNAVAILABLE for any other error that it throws
   */
  async fetch(candidate: SourceVersion): Promise<LocalVersion> {
    const { unfit } = candidate;
    if (unfit !== undefined) throw new ServingError('FAILED_PRECONDITION', unfit);
    const { signal } = this.closing;
    try {
      const local = await this.options.source.materialise(candidate, signal);
      if (!signal.aborted) return local;
      await local.release?.();
    } catch (error) {
      if (error instanceof ServingError) throw error;
      throw new ServingError('UNAVAILABLE', `its files cannot be fetched now: ${messageOf(error)}`, {
        cause: error,
      });
    }
    throw shuttingDown();
  }

  /** @throws ServingError as {@link loadVersion}; ABORTED if the files changed meanwhile */
  async load(order: LoadOrder, local: LocalVersion): Promise<LoadedVersion> {
    const { candidate, isServing, ...rest } = order;
    const { version } = candidate;
    const { directory } = local;
    const handler = candidate.handler && path.resolve(directory, candidate.handler);
    const toLoad: VersionToLoad = { ...rest, version, directory, handler };
    await this.rehearse(toLoad, order, local);
    const loaded = await this.loadHere(toLoad, candidate);
    try {
      await local.checkUnchanged?.();
      return loaded;
    } catch (error) {
      await loaded.model.dispose();
      throw error;
    }
  }

  /**
   * Loads a version in a process of its own, if that is due.
   * @throws ServingError if it cannot be loaded, or must not be tried
   */
  private async rehearse(
    version: VersionToLoad,
    { candidate, isServing, onStage }: LoadOrder,
    local: LocalVersion,
  ): Promise<void> {
    const { rehearse, rehearsals, engines, logger } = this.options;
    const suspect = this.notes?.suspectOf(version.model, candidate);
    const canRehearse = await rehearsable(version, engines);
    const way = loadWay({ rehearse, canRehearse, suspect, isServing });
    if (way === 'at once') return;
    const name = `${version.model} version ${version.version}`;
    if (suspect) logger.warn(`${name}: a server died while it loaded this version: it is rehearsed first`);
    try {
      await rehearsals.checkRoom();
    } catch (error) {
      if (way === 'rehearsed') throw error;
      logger.info(`${name} is loaded without a rehearsal: ${messageOf(error)}`);
      return;
    }
    await rehearsals.run({ ...version, onStage: (stage) => onStage(`${stage}, in a rehearsal`) });
    await local.checkUnchanged?.();
  }

  private async loadHere(version: VersionToLoad, candidate: SourceVersion): Promise<LoadedVersion> {
    const { model } = version;
    const end = () => this.notes?.end(model, candidate);
    await this.notes?.begin(model, candidate);
    try {
      const loaded = await loadVersion(version, this.options);
      await end();
      return loaded;
    } catch (error) {
      if (error instanceof GivenUp) void error.ended.then(end, end);
      else await end();
      throw error;
    }
  }

  /** Removes the notes: the process is told to end, and no load is to blame. */
  async close(): Promise<void> {
    this.closing.abort();
    this.options.rehearsals.close();
    await this.notes?.close();
  }
}

/**
 * Says what a rehearsal can try. It has only TensorFlow's engine. It loads the version's own folder, and no other
 * folder that a handler opens.
 */
async function rehearsable(
  { directory, handler }: VersionToLoad,
  engines: Engines,
): Promise<LoadFacts['canRehearse']> {
  if ((await engineIn(directory, engines)) !== engines[0]) return 'nothing';
  return handler === undefined ? 'all of it' : 'the model beneath its handler';
}
