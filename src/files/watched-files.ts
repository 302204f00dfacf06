/**
 * Reads a few small files again and again, and tells when one of them has changed: certificates, keys.
 *
 * Their contents are compared. Tools replace such files in many ways, for example by a link to another folder
 * (Kubernetes), and no kind of event covers all of them.
 */
import { readFileSync } from 'node:fs';
import { messageOf, ServingError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { readRegularFile } from './regular-file.js';

/** The most bytes of one file. */
const maxBytes = 2 ** 20;

/** The time between two looks. */
const interval: Milliseconds = 5000;

/**
 * Reads a file that the server needs to begin.
 *
 * @param flag is the one that names the file
 * @throws ServingError FAILED_PRECONDITION naming the flag
 */
export function readAtStart(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ServingError('FAILED_PRECONDITION', `${flag} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

export interface WatchedFilesOptions {
  readonly files: readonly string[];
  /** Takes new contents, in the order of the files. What it throws is told by {@link WatchedFilesOptions.failed}. */
  readonly changed: (contents: readonly Buffer[]) => void;
  /** Told once of each kind of failure in a row: files that cannot be read, or contents that were not taken. */
  readonly failed: (error: unknown) => void;
}

export class WatchedFiles {
  private last: readonly Buffer[];
  private failure = '';
  private readonly timer: NodeJS.Timeout;
  private looking: Promise<void> = Promise.resolve();
  /** The look that waits for the end of the one before. */
  private next: Promise<void> | undefined;

  /** @param contents those that are in use */
  constructor(
    private readonly options: WatchedFilesOptions,
    contents: readonly Buffer[],
  ) {
    this.last = contents;
    this.timer = setInterval(() => void this.look(), interval).unref();
  }

  /**
   * Looks at once. A look that is under way may have read before the change, so another one follows it.
   *
   * It resolves once changes are in use, or were refused.
   */
  look(): Promise<void> {
    this.next ??= this.looking.then(() => {
      this.next = undefined;
      return this.lookOnce();
    });
    this.looking = this.next;
    return this.next;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async lookOnce(): Promise<void> {
    const { files, changed } = this.options;
    try {
      const contents = await Promise.all(files.map((file) => readRegularFile(file, maxBytes)));
      if (contents.every((each, i) => each.equals(this.last[i] as Buffer))) {
        this.failure = '';
        return;
      }
      changed(contents);
      this.last = contents;
      this.failure = '';
    } catch (error) {
      // Two files are replaced one after the other, so a failure may be gone at the next look.
      const failure = String(error);
      if (failure !== this.failure) this.options.failed(error);
      this.failure = failure;
    }
  }
}
