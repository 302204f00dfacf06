/**
 * Gives loaded versions back: each once its last request has ended, and then its files.
 */
import { messageOf } from '../errors.js';
import type { Servable } from '../serving/servable.js';
import type { LocalVersion } from '../stores/source.js';
import type { Logger } from '../telemetry/logger.js';

export class Unloads {
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly logger: Logger) {}

  /**
   * @param name the version, for the log
   * @param onEnd is called when nothing of it is left
   */
  begin(name: string, servable: Servable, local: LocalVersion | undefined, onEnd: () => void): void {
    const unload = servable
      .retire()
      .catch((error: unknown) => this.logger.error(`unloading ${name}: ${messageOf(error)}`))
      .then(() => this.giveBack(name, local))
      .then(() => {
        this.logger.info(`${name} is unloaded`);
        onEnd();
      });
    this.track(unload);
  }

  /** Gives the files of a version back that could not be loaded. */
  release(name: string, local: LocalVersion | undefined): void {
    this.track(this.giveBack(name, local));
  }

  private async giveBack(name: string, local: LocalVersion | undefined): Promise<void> {
    try {
      await local?.release?.();
    } catch (error) {
      this.logger.error(`the files of ${name} cannot be given back: ${messageOf(error)}`);
    }
  }

  private track(work: Promise<void>): void {
    this.underWay.add(work);
    void work.finally(() => this.underWay.delete(work));
  }

  /** Resolves when those that were begun are over. */
  async ended(): Promise<void> {
    await Promise.all(this.underWay);
  }
}
