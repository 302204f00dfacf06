/**
 * Standard output for the log: a reader that stands still makes nobody wait.
 *
 * A line is written at once where there is room, so that it is there even if the process ends right after. Where there is none
 * (a full pipe), lines are kept up to a bound, and further ones are dropped and counted.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Bytes of lines that wait for a reader. */
const mostWaiting = 2 ** 20;

/** Milliseconds between two looks for room. */
const retryInterval = 25;

const standardOutput = 1;

export class LogOutput {
  private readonly waiting: Buffer[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private untold = 0;
  private dropped = 0;
  /** Nobody reads it any more, and nobody will. */
  private isClosed = false;

  /**
   * @param descriptor that writes without waiting
   * @param onRoom is told, once there is room again, how many lines were dropped since the last time
   */
  constructor(
    private readonly descriptor: number,
    private readonly onRoom: (dropped: number) => void,
  ) {}

  /** Lines that nobody will see. */
  get droppedLines(): number {
    return this.dropped;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.isClosed || this.waitingBytes + bytes.length > mostWaiting) {
      this.dropped += 1;
      this.untold += 1;
      return;
    }
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    if (this.timer === undefined) this.flush();
  }

  /** Resolves when every line has left, or after so many milliseconds. */
  async drained(milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    this.flush();
    while (this.waiting.length > 0 && performance.now() < end) await delay(retryInterval);
  }

  private readonly flush = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (;;) {
      const [first] = this.waiting;
      if (!first) break;
      const written = this.tryWrite(first);
      this.waitingBytes -= written;
      if (written < first.length) {
        this.waiting[0] = first.subarray(written);
        if (!this.isClosed) this.timer = setTimeout(this.flush, retryInterval).unref();
        return;
      }
      this.waiting.shift();
    }
    const { untold } = this;
    this.untold = 0;
    if (untold > 0) this.onRoom(untold);
  };

  /** @returns how many bytes left */
  private tryWrite(bytes: Buffer): number {
    try {
      return writeSync(this.descriptor, bytes);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EAGAIN') return 0;
      this.isClosed = true;
      this.dropped += this.waiting.length;
      this.waiting.length = 0;
      this.waitingBytes = 0;
      return 0;
    }
  }
}

/** Has nobody wait who writes to standard error, as TensorFlow does on its own: what no reader makes room for is lost. */
export function neverWaitForErrors(): void {
  // Node sets pipes and sockets so when it first opens them.
  void process.stderr;
}

/** A descriptor of standard output that writes without waiting, also for others that share the output. */
export function openWithoutWaiting(): number {
  const stat = fstatSync(standardOutput);
  // A file has room; a second description of it would have a place of its own, and overwrite what others write.
  if (stat.isFile()) return standardOutput;
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    try {
      return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch {
      // No Linux, or not ours to open.
    }
  }
  // Node sets pipes and sockets so when it first opens them.
  void process.stdout;
  return standardOutput;
}
