/** Scans the source: by the clock, after a hint, and when somebody asks. There is one scan at a time. */
import { messageOf } from '../../errors.js';
import type { Source, Watch } from '../../stores/source.js';
import type { Logger } from '../../telemetry/logger.js';
import { inMilliseconds, type Milliseconds, now, type Seconds } from '../../time.js';
import { type CheckedListing, checkListing } from './checked-listing.js';
import { nothingScanned, type Scan, scan } from './scan.js';
import { SourceNews } from './source-news.js';

/** The time between two scans by the clock, also where `--settle` is 0. */
export const shortestInterval: Milliseconds = 20;

export interface ScannerOptions {
  readonly source: Source;
  /** How long a version must stay the same before it is loaded. */
  readonly settle: Seconds;
  /** The time between two scans by the clock. */
  readonly scanInterval: Seconds;
  readonly logger: Logger;
}

export class Scanner {
  private scanned: Scan = nothingScanned;
  private scanning: Promise<void> | undefined;
  private rescanWanted = false;
  private timer: NodeJS.Timeout | undefined;
  private watch: Watch | undefined;
  private closed = false;
  private readonly news: SourceNews;

  /**
   * @param onScan acts on what was found, and returns warnings about settings that the owner probably did not intend
   */
  constructor(
    private readonly options: ScannerOptions,
    private readonly onScan: () => readonly string[],
  ) {
    this.news = new SourceNews(options.logger, inMilliseconds(options.scanInterval));
  }

  /** What the last scan found. */
  get latest(): Scan {
    return this.scanned;
  }

  /** Watches, and scans for the first time. */
  async open(): Promise<void> {
    await this.startWatching();
    await this.begin(true);
  }

  /** Starts watching. Without hints, the server still scans by the clock. */
  private async startWatching(): Promise<void> {
    const { source, logger } = this.options;
    try {
      this.watch = await source.watch?.(() => void this.rescan());
    } catch (error) {
      logger.warn(
        `${source.name} cannot be watched (${messageOf(error)}): the server looks by the clock alone`,
      );
    }
  }

  /**
   * Scans now, or once more after the scan under way. It resolves when everything that was there at the call has been
   * seen.
   */
  async rescan(): Promise<void> {
    if (this.closed) return;
    if (this.scanning) {
      this.rescanWanted = true;
      await this.scanning;
      return this.rescanWanted ? this.rescan() : this.scanning;
    }
    await this.begin(false);
  }

  /** Forgets a model, as if it had never been seen, until it is found again. */
  forget(model: string): void {
    const models = new Map(this.scanned.models);
    models.delete(model);
    this.scanned = { ...this.scanned, models };
  }

  async stopWatching(): Promise<void> {
    const { watch } = this;
    this.watch = undefined;
    await watch?.close();
  }

  /** Stops scanning. It resolves when the scan under way is over. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.stopWatching();
    await this.scanning;
  }

  private begin(atStart: boolean): Promise<void> {
    this.rescanWanted = false;
    this.scanning = this.scanOnce(atStart)
      .catch((error: unknown) => {
        // This is a fault of ours. Versions that serve go on, and the next scan may succeed.
        this.options.logger.error({ err: error }, `the scan of ${this.options.source.name} failed`);
        this.schedule();
      })
      .finally(() => {
        this.scanning = undefined;
      });
    return this.scanning;
  }

  private async scanOnce(atStart: boolean): Promise<void> {
    const { settle, scanInterval } = this.options;
    const wall = Date.now();
    const listing = await this.list();
    const moment = now();
    const times = {
      ...{ moment, wall },
      settle: inMilliseconds(settle),
      emptyFor: inMilliseconds(scanInterval),
    };
    this.scanned = scan(this.scanned, listing, { ...times, atStart });
    this.schedule();
    const doubts = [...listing.unserved, ...this.onScan()];
    const { waits } = this.scanned;
    this.news.tell({ problems: listing.problems, doubts, waits }, moment, atStart ? 0 : undefined);
  }

  private async list(): Promise<CheckedListing> {
    const { source } = this.options;
    try {
      return await checkListing(await source.list());
    } catch (error) {
      return { models: undefined, problems: [`${source.name}: ${messageOf(error)}`], unserved: [] };
    }
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    const { settle, scanInterval } = this.options;
    const seconds = this.scanned.unsettled ? settle : scanInterval;
    // We wait a little longer than the settle time, so that the second listing is far enough from the first.
    this.timer = setTimeout(
      () => void this.rescan(),
      Math.max(inMilliseconds(seconds), shortestInterval) + 5,
    );
    this.timer.unref();
  }
}
