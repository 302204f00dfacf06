/**
 * Makes calls of the file system that end in time for the caller.
 *
 * If the server of a network mount is gone, a call may hang for ever and hold one of the few threads that Node has for
 * files. Such a call cannot be ended, so the caller gives up after a while. While too many calls hang, no new ones
 * begin: the threads that are left are needed by everything else in the process.
 */
import { inMilliseconds, type Seconds } from '../time.js';

/** The seconds that one call may take. A slow disk answers within this time; a call that takes longer hangs. */
const patience: Seconds = 30;

/** Node has four threads for files. Two of them may hang. */
const mostStuck = 2;

/** A timeout in the form of an error of the operating system, so that it counts as a fault of the storage. */
class StorageTimeout extends Error {
  readonly code = 'ETIMEDOUT';
  readonly errno = -110;

  constructor(what: string) {
    super(`ETIMEDOUT: ${what}`);
  }
}

/** Bounds calls of the file system in time and in number. */
export class StorageCalls {
  private stuckNow = 0;

  /** @param seconds that one call may take */
  constructor(private readonly seconds: Seconds = patience) {}

  /** The number of calls that were given up and have not ended. */
  get stuck(): number {
    return this.stuckNow;
  }

  /**
   * Makes a call, and resolves with its value if it comes in time.
   *
   * @param begin makes the call
   * @throws the error of the call, or an error with the code ETIMEDOUT
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
      }, inMilliseconds(this.seconds));
      timer.unref();
    });
    try {
      return await Promise.race([call, expiry]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The calls of this process. */
export const storageCalls = new StorageCalls();
