/**
 * Says which names of folders are versions: whole numbers from 0 on, with any leading zeros, as in TensorFlow Serving.
 */
import path from 'node:path';

/** JavaScript's numbers are exact up to here. */
export const greatestVersion = Number.MAX_SAFE_INTEGER;

/** The version that a folder's name stands for (`7`, `007` and `0` are versions), or undefined. */
export function versionOf(name: string): number | undefined {
  const version = Number(name);
  return /^[0-9]+$/.test(name) && version <= greatestVersion ? version : undefined;
}

/**
 * The name and version of a SavedModel given by its own path: `policy/3` is version 3 of policy, `policy` version 1.
 */
export function nameSavedModel(directory: string): { name: string; version: number } {
  const absolute = path.resolve(directory);
  const version = versionOf(path.basename(absolute));
  return version === undefined
    ? { name: path.basename(absolute), version: 1 }
    : { name: path.basename(path.dirname(absolute)), version };
}
