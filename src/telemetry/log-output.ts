/**
 * Writes lines to standard output, or to a file. A slow or stopped reader makes nobody wait.
 *
 * A line is written at once if there is room, so that it is there even if the process ends right after. If there is no
 * room (a full pipe), lines are kept up to a bound. Further lines are dropped and counted.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Milliseconds, now } from '../time.js';

/** The most bytes of lines that wait for the reader. */
const mostWaiting = 2 ** 20;

/** The milliseconds between two checks for room. */
const retryInterval: Milliseconds = 25;

const standardOutput = 1;

export class LogOutput {
  private readonly waiting: Buffer[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private untold = 0;
  private dropped = 0;
  /** True if the reader is gone for good. */
  private isClosed = false;

  /** Called once there is room again, with the number of lines that were dropped since the last call. */
  onRoom: (dropped: number) => void = () => {};

  /** @param descriptor writes without waiting */
  constructor(private readonly descriptor: number) {}

  /** The number of lines that were dropped. */
  get droppedLines(): number {
    return this.dropped;
  }

  /** @param count of the lines in the text */
  write(text: string, count = 1): void {
    const bytes = Buffer.from(text);
    if (this.isClosed || this.waitingBytes + bytes.length > mostWaiting) {
      this.dropped += count;
      this.untold += count;
      return;
    }
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    if (this.timer === undefined) this.flush();
  }

  /** Resolves when every line has been written, or after so many milliseconds. */
  async drained(patience: Milliseconds): Promise<void> {
    const end = now() + patience;
    this.flush();
    while (this.waiting.length > 0 && now() < end) await delay(retryInterval);
  }

  /** Gives the descriptor back. What still waits is lost. */
  close(): void {
    clearTimeout(this.timer);
    this.isClosed = true;
    closeSync(this.descriptor);
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

  /** Writes what fits. @returns the number of bytes that were written */
  private tryWrite(bytes: Buffer): number {
    try {
      return writeSync(this.descriptor, bytes);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      // A reader that stands still and a disk that is full may have room again.
      if (code === 'EAGAIN' || code === 'ENOSPC' || code === 'EDQUOT') return 0;
      this.isClosed = true;
      this.dropped += this.waiting.length;
      this.waiting.length = 0;
      this.waitingBytes = 0;
      return 0;
    }
  }
}

let shared: LogOutput | undefined;

/** Standard output. There is one, so that the lines of all who write to it stay whole. */
export function sharedOutput(): LogOutput {
  shared ??= new LogOutput(openWithoutWaiting());
  return shared;
}

/**
 * Makes writes to standard error return at once, also those of TensorFlow. Lines for which there is no room are lost.
 */
export function neverWaitForErrors(): void {
  // Node makes pipes and sockets non-blocking when it first opens them.
  void process.stderr;
}

/**
 * A descriptor of standard output that writes without waiting. A pipe or terminal is opened anew, so that other
 * processes that share it are not affected.
 */
function openWithoutWaiting(): number {
  const stat = fstatSync(standardOutput);
  // A file always has room. A second description of it would have its own offset and overwrite what others write.
  if (stat.isFile()) return standardOutput;
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    try {
      return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch {
      // This is not Linux, or we may not open the output again.
    }
  }
  // Node makes pipes and sockets non-blocking when it first opens them.
  void process.stdout;
  return standardOutput;
}
