/**
 * Where the server keeps what it must know after a restart: notes of loads.
 */
import { homedir } from 'node:os';
import path from 'node:path';
import type { Settings } from './settings.js';

/** In the cache, where the install step keeps its things, unless it is named. */
export function stateFolder({ stateDir }: Settings, environment: NodeJS.ProcessEnv): string {
  if (stateDir !== undefined) return path.resolve(stateDir);
  const caches = environment['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  return path.join(environment['TFJS_SERVING_CACHE'] || path.join(caches, 'tfjs-serving'), 'state');
}
