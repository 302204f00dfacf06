/** A folder of models as a source. Versions are loaded from where they lie. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { messageOf, ServingError } from '../../errors.js';
import { isStorageFailure, storageFailure } from '../../files/storage-failure.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Milliseconds } from '../../time.js';
import type { LocalVersion, Source, SourceVersion, Watch } from '../source.js';
import { resolveModelPath } from './allowed-path.js';
import type { FolderContents } from './contents.js';
import { remoteFileSystem } from './file-system.js';
import { fingerprintOf } from './fingerprint.js';
import { type FolderListing, type Layout, readListing } from './listing.js';
import { FolderWatch } from './watch.js';

export interface FolderSourceOptions {
  /** The value of `--model-path`. */
  readonly root: string;
  /** Says what makes a folder a version. */
  readonly contents: FolderContents;
  /** The value of `--watch`. `auto` polls file systems that raise no events. */
  readonly watch: 'auto' | 'events' | 'poll' | 'off';
  /** The time between two looks where the folder is polled. */
  readonly pollInterval: Milliseconds;
  /** The folders that a path in a request may lie in. */
  readonly allowedRoots: readonly string[];
  readonly logger: Logger;
}

export class FolderSource implements Source {
  readonly name: string;
  readonly advice = 'put one into the folder of --model-path, as NAME/1/';
  /**
   * What the folder was at the last listing that showed it. It stays so while the folder is empty or cannot be read.
   */
  private layout: Layout | undefined;
  private watching: FolderWatch | undefined;

  constructor(private readonly options: FolderSourceOptions) {
    this.name = realPathOf(options.root);
  }

  async list(): Promise<FolderListing> {
    const { root, contents } = this.options;
    const listing = await readListing(root, contents, this.layout);
    this.layout = listing.layout;
    this.watching?.follow(listing.folders);
    return listing;
  }

  async materialise(version: SourceVersion): Promise<LocalVersion> {
    return { directory: version.place, checkUnchanged: () => this.checkUnchanged(version) };
  }

  private async checkUnchanged({ place, handler, fingerprint }: SourceVersion): Promise<void> {
    const now = await fingerprintOf(place, handler, this.options.contents).catch((error: unknown) => {
      if (isStorageFailure(error)) throw storageFailure('its folder', error);
      return messageOf(error);
    });
    if (now !== fingerprint) throw new ServingError('ABORTED', 'its folder changed while it was loaded');
  }

  async watch(onHint: () => void): Promise<Watch | undefined> {
    const { root, contents, watch, pollInterval, logger } = this.options;
    if (watch === 'off') return undefined;
    const remote = watch === 'auto' ? await remoteFileSystem(root) : undefined;
    if (remote) logger.info(`${root} is on ${remote}, where changes cause no file events: polling it`);
    const mode = watch === 'poll' || remote ? 'poll' : 'events';
    const watching = new FolderWatch(root, { mode, pollInterval, onHint, logger });
    this.watching = watching;
    if (contents.handlers) contents.handlers.onFiles = (files) => watching.add(files);
    return { close: () => this.stopWatching(watching) };
  }

  private async stopWatching(watching: FolderWatch): Promise<void> {
    this.watching = undefined;
    await watching.close();
  }

  async locate(requested: string): Promise<SourceVersion> {
    const { allowedRoots, contents } = this.options;
    const found = await resolveModelPath(requested, allowedRoots, contents);
    const { version, place, fingerprint, handler, unfit } = found;
    return { version, place, fingerprint, handler, unfit };
  }
}

function realPathOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return path.resolve(folder);
  }
}
