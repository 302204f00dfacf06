/** Logs what was found in the source: each thing once, until it changes or goes away. */
import type { Logger } from '../../telemetry/logger.js';
import type { Milliseconds, Moment } from '../../time.js';

/** What one scan found. */
export interface News {
  /** Things that cannot be read. They are logged at once. */
  readonly problems: readonly string[];
  /**
   * Settings and files that the owner probably did not intend. They are logged if they stay, because files may still be
   * on their way.
   */
  readonly doubts: readonly string[];
  /** Versions that will be loaded later, and when. */
  readonly waits: readonly string[];
}

export class SourceNews {
  /** When each doubt was first seen. */
  private readonly seen = new Map<string, number>();
  private readonly told = new Set<string>();

  /** @param patience is how long a doubt must stay before it is logged */
  constructor(
    private readonly logger: Logger,
    private readonly patience: Milliseconds,
  ) {}

  /** @param patience is 0 for a first scan, after which somebody waits for the log */
  tell({ problems, doubts, waits }: News, moment: Moment, patience = this.patience): void {
    const current = new Set([...problems, ...doubts, ...waits]);
    for (const text of [...this.seen.keys(), ...this.told]) {
      if (current.has(text)) continue;
      this.seen.delete(text);
      this.told.delete(text);
    }
    for (const text of problems) this.once('warn', text, `looking for models: ${text}`);
    for (const text of waits) this.once('info', text);
    for (const text of doubts) {
      const since = this.seen.get(text) ?? moment;
      this.seen.set(text, since);
      if (moment - since >= patience) this.once('warn', text);
    }
  }

  private once(level: 'info' | 'warn', text: string, message = text): void {
    if (this.told.has(text)) return;
    this.told.add(text);
    this.logger[level](message);
  }
}
