/**
 * Calls back when something in the folder of models may have changed. This is only a hint: the scan decides, and it
 * also runs by the clock.
 *
 * Only the folders that the scan names are watched. A link in the folder may lead to the whole disk.
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
  /** The milliseconds after which events are tried again if the system had none left. */
  readonly eventsAgainAfter?: number | undefined;
}

/** Milliseconds. Many events come together, for example those of a copy, and become one hint. */
const hintPause = 20;

/** The limits of the system are shared by all programs, and others may have ended by then. */
const eventsAgainAfter = 60_000;

export class FolderWatch implements Watch {
  private folders: ReadonlySet<string>;
  private readonly elsewhere = new Set<string>();
  private current: FSWatcher;
  /** The watcher that tries events again beside the polling. */
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
      // The system's events for a folder include the files in it.
      ignored: (file, facts) => !usePolling && facts?.isFile() === true && !this.elsewhere.has(file),
    });
    const hint = () => this.hint();
    // Without a listener, an error would end the process.
    return watcher.on(usePolling ? 'all' : 'raw', hint).on('error', () => {});
  }

  private hint(): void {
    this.hintTimer ??= setTimeout(() => {
      this.hintTimer = undefined;
      this.options.onHint();
    }, hintPause);
  }

  /** Polls instead of using events: the system has no watches left, or the file system raises no events. */
  private fallBack(error: unknown): void {
    if (this.isClosed || this.current.options.usePolling) return;
    // The scan reports a link that leads to itself. Everything else is still watched.
    if (codeOf(error) === 'ELOOP') return;
    this.options.logger.warn(
      `cannot watch ${this.root} by file events (${messageOf(error)}): polling it instead`,
    );
    void closed(this.current);
    this.current = this.open('poll');
    this.tryEventsLater();
    // A file may have changed already without an event.
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
      this.options.logger.info(`watching ${this.root} by file events again`);
      this.hint();
    });
  }

  /** Watches these folders, and files in them, from now on. */
  follow(folders: readonly string[]): void {
    const added = folders.filter((folder) => !this.folders.has(folder));
    // chokidar forgets folders that are deleted.
    this.folders = new Set(folders);
    if (added.length === 0) return;
    this.watchMore(added);
    // Something may have come into them since they were listed.
    this.hint();
  }

  /** Also watches files that lie elsewhere. */
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

/**
 * Closes a watcher. That removes its listeners, and work under way may fail later. An error without a listener ends the
 * process.
 */
function closed(watcher: FSWatcher): Promise<void> {
  const closing = watcher.close();
  watcher.on('error', () => {});
  return closing;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
