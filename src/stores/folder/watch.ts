/**
 * Tells when something in the folder of models may have changed. Only a hint: the scan is the truth, and runs by the
 * clock as well.
 *
 * The scan says which folders matter, and only these are watched. A link in the folder may lead to the whole disk.
 */
import { type FSWatcher, watch } from 'chokidar';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Milliseconds } from '../../time.js';
import type { Watch } from '../source.js';

export type WatchMode = 'events' | 'poll';

export interface WatchOptions {
  readonly mode: WatchMode;
  /** The time between two looks in poll mode. */
  readonly pollInterval: Milliseconds;
  readonly onHint: () => void;
  readonly logger: Logger;
  /** Milliseconds after which events are tried again where the system had none. */
  readonly eventsAgainAfter?: number | undefined;
}

/** Many events come together, such as those of a copy. In milliseconds. */
const hintPause = 20;

/** The limits of the system are for all programs: others may have ended. */
const eventsAgainAfter = 60_000;

export class FolderWatch implements Watch {
  private folders: ReadonlySet<string>;
  private readonly elsewhere = new Set<string>();
  private current: FSWatcher;
  /** Events are being tried again beside the polling. */
  private attempt: FSWatcher | undefined;
  private timer: NodeJS.Timeout | undefined;
  private hintTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly root: string,
    private readonly options: WatchOptions,
  ) {
    this.folders = new Set([root]);
    this.current = this.open(options.mode);
    if (options.mode === 'events') this.current.on('error', (error) => this.fallBack(error));
  }

  private open(mode: WatchMode): FSWatcher {
    const usePolling = mode === 'poll';
    const watcher = watch([...this.folders, ...this.elsewhere], {
      depth: 0,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      usePolling,
      interval: this.options.pollInterval,
      // The system's events for a folder tell of the files in it.
      ignored: (file, facts) => !usePolling && facts?.isFile() === true && !this.elsewhere.has(file),
    });
    const hint = () => this.hint();
    // Without a listener an error would end the process.
    return watcher.on(usePolling ? 'all' : 'raw', hint).on('error', () => {});
  }

  private hint(): void {
    this.hintTimer ??= setTimeout(() => {
      this.hintTimer = undefined;
      this.options.onHint();
    }, hintPause);
  }

  /** The system's limit of watches is reached, or the file system has none: look by the clock instead. */
  private fallBack(error: unknown): void {
    if (this.isClosed || this.current.options.usePolling) return;
    // A link that leads to itself is told by the scan, and hinders nothing else.
    if (codeOf(error) === 'ELOOP') return;
    this.options.logger.warn(`cannot watch ${this.root} by events (${messageOf(error)}): polling instead`);
    void closed(this.current);
    this.current = this.open('poll');
    this.tryEventsLater();
    // What raised no event may have changed already.
    this.hint();
  }

  private tryEventsLater(): void {
    this.timer = setTimeout(() => this.tryEvents(), this.options.eventsAgainAfter ?? eventsAgainAfter);
    this.timer.unref();
  }

  private tryEvents(): void {
    const attempt = this.open('events');
    this.attempt = attempt;
    attempt.on('error', () => {
      if (this.attempt !== attempt) return;
      this.attempt = undefined;
      void closed(attempt);
      this.tryEventsLater();
    });
    attempt.on('ready', () => {
      if (this.attempt !== attempt) return;
      this.attempt = undefined;
      void closed(this.current);
      this.current = attempt;
      attempt.on('error', (error) => this.fallBack(error));
      this.options.logger.info(`${this.root} is watched by events again`);
      this.hint();
    });
  }

  /** Watches these folders from now on, and files in them. */
  follow(folders: readonly string[]): void {
    const added = folders.filter((folder) => !this.folders.has(folder));
    // chokidar lets go of folders that are deleted.
    this.folders = new Set(folders);
    if (added.length === 0) return;
    this.watchMore(added);
    // Something may have come into them since they were listed.
    this.hint();
  }

  /** Watches files that lie elsewhere, too. */
  add(files: readonly string[]): void {
    const added = files.filter((file) => !this.elsewhere.has(file));
    for (const file of added) this.elsewhere.add(file);
    this.watchMore(added);
  }

  private watchMore(paths: readonly string[]): void {
    this.current.add([...paths]);
    this.attempt?.add([...paths]);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.hintTimer);
    await Promise.all([closed(this.current), this.attempt && closed(this.attempt)]);
  }
}

/** Ends a watcher. It takes its listeners off, and what it began may fail later: without a listener that ends the process. */
function closed(watcher: FSWatcher): Promise<void> {
  const closing = watcher.close();
  watcher.on('error', () => {});
  return closing;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
