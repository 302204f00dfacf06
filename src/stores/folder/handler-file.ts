/** Finds the handler of a version: in its own folder, or in that of its model. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { storageCalls } from '../../files/storage-call.js';

/** What the folder asks about handlers; see `handlers/`. It is absent if they are off. */
export interface HandlerFiles {
  /** The handler of versions that have none of their own. */
  readonly defaultFile: string | undefined;
  /** Changes when the handler or anything that it imports does. */
  digest(file: string): Promise<string>;
  /** Called with the files that a handler consists of, wherever they lie, as they become known. */
  onFiles: (files: readonly string[]) => void;
}

const names = ['handler.ts', 'handler.mts', 'handler.js', 'handler.mjs'];

/** True for the name of a handler's file. */
export function isHandlerName(name: string): boolean {
  return names.includes(name);
}

/** The first handler in one of these folders. */
export async function findHandler(...folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    for (const name of names) {
      const file = path.join(folder, name);
      const isFile = await storageCalls
        .make(() => stat(file))
        .then(
          (facts) => facts.isFile(),
          () => false,
        );
      if (isFile) return file;
    }
  }
  return undefined;
}
