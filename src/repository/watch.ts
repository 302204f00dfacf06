/**
 * Tells when something in the folder of models may have changed. Only a hint: the scan is the truth, and runs by the
 * clock as well.
 */
import { statfs } from 'node:fs/promises';
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

/** statfs(2): file systems whose changes come from elsewhere and raise no events here. */
const remoteFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
]);

/** The kind of network or 9p mount that the folder is on, or undefined where events can be trusted. */
export async function remoteFileSystem(root: string): Promise<string | undefined> {
  const { type } = await statfs(root);
  return remoteFileSystems.get(type >>> 0);
}

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
