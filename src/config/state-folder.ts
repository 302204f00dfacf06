/** Finds the folder for what the server must know after a restart: the notes of loads. */
import { homedir } from 'node:os';
import path from 'node:path';
import type { Settings } from './settings.js';

/** The folder that the settings name, or one in the cache, beside the files of the install step. */
export function stateFolder({ stateDir }: Settings, environment: NodeJS.ProcessEnv): string {
  if (stateDir !== undefined) return path.resolve(stateDir);
  const caches = environment['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  return path.join(environment['TFJS_SERVING_CACHE'] || path.join(caches, 'tfjs-serving'), 'state');
}
