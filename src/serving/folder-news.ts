/**
 * What the log is told of the folder of models: each thing once, until it changes or goes away.
 */
import type { Logger } from '../telemetry/logger.js';

/** What one scan found. */
export interface News {
  /** What cannot be read: told at once. */
  readonly problems: readonly string[];
  /** What is not as its owner will have meant it: told when it stays, as files may be on their way. */
  readonly doubts: readonly string[];
}

export class FolderNews {
  /** Doubts by when they were first seen, in milliseconds. */
  private readonly seen = new Map<string, number>();
  private readonly told = new Set<string>();

  /** @param patience milliseconds that a doubt must stay before it is told */
  constructor(
    private readonly logger: Logger,
    private readonly patience: number,
  ) {}

  /**
   * @param now milliseconds of the monotonic clock
   * @param patience for a first scan, after which somebody waits for the log, 0
   */
  tell({ problems, doubts }: News, now: number, patience = this.patience): void {
    const current = new Set([...problems, ...doubts]);
    for (const text of [...this.seen.keys(), ...this.told]) {
      if (current.has(text)) continue;
      this.seen.delete(text);
      this.told.delete(text);
    }
    for (const text of problems) this.warn(`in the folder: ${text}`, text);
    for (const text of doubts) {
      const since = this.seen.get(text) ?? now;
      this.seen.set(text, since);
      if (now - since >= patience) this.warn(text, text);
    }
  }

  private warn(message: string, text: string): void {
    if (this.told.has(text)) return;
    this.told.add(text);
    this.logger.warn(message);
  }
}
