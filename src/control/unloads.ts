/** Unloads versions: each one after its last request has ended. Then it releases the files. */
import { messageOf } from '../errors.js';
import type { Servable } from '../serving/servable.js';
import type { LocalVersion } from '../stores/source.js';
import type { Logger } from '../telemetry/logger.js';
import type { DataPlane } from './data-plane.js';

export class Unloads {
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly logger: Logger,
    private readonly dataPlane: DataPlane | undefined,
  ) {}

  /**
   * @param name is that of the version, for the log
   * @param onEnd is called when nothing of it is left
   */
  begin(name: string, servable: Servable, local: LocalVersion | undefined, onEnd: () => void): void {
    const unload = this.retire(servable)
      .catch((error: unknown) => this.logger.error(`cannot unload ${name}: ${messageOf(error)}`))
      .then(() => this.giveBack(name, local))
      .then(() => {
        this.logger.info(`${name} is unloaded`);
        onEnd();
      });
    this.track(unload);
  }

  /** The other event loops come first: the main thread's reference keeps what they use. */
  private async retire(servable: Servable): Promise<void> {
    await this.dataPlane?.retired(servable);
    await servable.retire();
  }

  /** Releases the files of a version that could not be loaded. */
  release(name: string, local: LocalVersion | undefined): void {
    this.track(this.giveBack(name, local));
  }

  private async giveBack(name: string, local: LocalVersion | undefined): Promise<void> {
    try {
      await local?.release?.();
    } catch (error) {
      this.logger.error(`cannot release the files of ${name}: ${messageOf(error)}`);
    }
  }

  private track(work: Promise<void>): void {
    this.underWay.add(work);
    void work.finally(() => this.underWay.delete(work));
  }

  /** Resolves when all unloads are over. */
  async ended(): Promise<void> {
    await Promise.all(this.underWay);
  }
}
