/**
 * Calls of the file system that end in time, as seen by who waits for them.
 *
 * A network mount whose server is gone keeps a call for ever, and with it one of the few threads that Node has for files.
 * Such a call cannot be ended. So it is given up after a while, and while too many are stuck no more are begun: the
 * threads that are left are for everything else in the process.
 */

/** Seconds that one call may take. A slow disk answers within that; what takes longer hangs. */
const patience = 30;

/** Node has four threads for files. */
const mostStuck = 2;

/** An error in the form of the system's own, so that it counts as the storage's fault. */
class StorageTimeout extends Error {
  readonly code = 'ETIMEDOUT';
  readonly errno = -110;

  constructor(what: string) {
    super(`ETIMEDOUT: ${what}`);
  }
}

/** Bounds calls in time and number. */
export class StorageCalls {
  private stuckNow = 0;

  /** @param seconds that one call may take */
  constructor(private readonly seconds = patience) {}

  /** Calls that were given up and have not ended. */
  get stuck(): number {
    return this.stuckNow;
  }

  /**
   * What the call gives, if it does so in time.
   *
   * @param begin makes the call
   * @throws what the call throws, or an error with the code ETIMEDOUT
   */
  async make<Value>(begin: () => Promise<Value>): Promise<Value> {
    if (this.stuckNow >= mostStuck)
      throw new StorageTimeout(`${this.stuckNow} earlier calls of the file system still hang`);
    const call = begin();
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.stuckNow += 1;
        const ended = () => {
          this.stuckNow -= 1;
        };
        call.then(ended, ended);
        reject(new StorageTimeout(`a call of the file system took more than ${this.seconds} s`));
      }, this.seconds * 1000);
      timer.unref();
    });
    try {
      return await Promise.race([call, expiry]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The process's own. */
export const storageCalls = new StorageCalls();
