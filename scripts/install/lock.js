import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const HEARTBEAT_MS = 2_000;
const STALE_MS = 15_000;

/**
 * Runs a task while it holds a lock file, so that two installs do not do the same work. The lock only saves work:
 * everything made under it is put in place with one rename, so taking a lock over by mistake harms nothing.
 *
 * The holder touches the file every two seconds. If nobody touches it, its holder was killed. (A process id would mean
 * nothing in another container that shares the folder.)
 *
 * @template T
 * @param {string} file
 * @param {{ signal: AbortSignal, onWait: () => void }} options
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withLock(file, { signal, onWait }, task) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  let waiting = false;
  while (!tryCreate(file)) {
    if (isStale(file)) {
      fs.rmSync(file, { force: true });
      continue;
    }
    if (!waiting) onWait();
    waiting = true;
    await delay(200, undefined, { signal });
  }
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS);
  try {
    return await task();
  } finally {
    clearInterval(heartbeat);
    fs.rmSync(file, { force: true });
  }
}

/** @param {string} file */
function tryCreate(file) {
  try {
    fs.closeSync(fs.openSync(file, 'wx'));
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/** @param {string} file */
function isStale(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > STALE_MS;
}

/** @param {string} file */
function touch(file) {
  try {
    fs.utimesSync(file, new Date(), new Date());
  } catch {
    // Somebody who cleaned up removed it, and there is nothing to keep.
  }
}
