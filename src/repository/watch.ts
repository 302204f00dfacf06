/**
 * Tells when something in the folder of models may have changed. Only a hint: the scan is the truth, and runs by the
 * clock as well.
 */
import path from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';

export type WatchMode = 'events' | 'poll';

export interface WatchOptions {
  readonly mode: WatchMode;
  /** Milliseconds between two looks in poll mode. */
  readonly pollInterval: number;
  readonly onHint: () => void;
  readonly logger: Logger;
}

/** repository / model / version / variables / shard */
const depth = 4;

export interface Watch {
  /** Watches files that lie elsewhere, too. */
  add(files: readonly string[]): void;
  close(): Promise<void>;
}

export function watchFolder(root: string, options: WatchOptions): Watch {
  const elsewhere = new Set<string>();
  let current = open(options.mode);

  function open(mode: WatchMode): FSWatcher {
    const watcher = watch([root, ...elsewhere], {
      depth,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      usePolling: mode === 'poll',
      interval: options.pollInterval,
    });
    watcher.on('all', options.onHint);
    watcher.on('error', (error) => fallBack(mode, error));
    return watcher;
  }

  /** The system's limit of watches is reached, or the file system has none: look by the clock instead. */
  function fallBack(mode: WatchMode, error: unknown): void {
    if (mode === 'poll' || current.options.usePolling) return;
    options.logger.warn(`cannot watch ${root} by events (${messageOf(error)}): polling instead`);
    void current.close();
    current = open('poll');
    // What raised no event may have changed already.
    options.onHint();
  }

  return {
    add(files) {
      const inside = `${path.resolve(root)}${path.sep}`;
      for (const file of files) {
        if (file.startsWith(inside) || elsewhere.has(file)) continue;
        elsewhere.add(file);
        current.add(file);
      }
    },
    close: () => current.close(),
  };
}
