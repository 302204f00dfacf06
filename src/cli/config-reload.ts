/** Reads the settings again on SIGHUP, and has the server take over those that can change while it serves. */
import { checkCombinations } from '../config/combinations.js';
import { differencesOf } from '../config/live-settings.js';
import { parseSettings } from '../config/parse.js';
import { flagOf, type Settings } from '../config/settings.js';
import { messageOf } from '../errors.js';
import type { Server } from '../server.js';
import type { Logger } from '../telemetry/logger.js';

export class ConfigReload {
  /** The settings in use, as they were read. */
  readonly current: Settings;

  constructor(
    settings: Settings,
    private readonly args: readonly string[],
    private readonly logger: Logger,
  ) {
    this.current = { ...settings };
  }

  /** Reads them. If something is wrong, all stays as it is, and the log says why. */
  reload(server: Server): void {
    const { current, logger } = this;
    try {
      const wanted = parseSettings(this.args, process.env);
      if (!wanted) return;
      checkCombinations(wanted);
      const { live, held } = differencesOf(current, wanted);
      server.adjust(live);
      Object.assign(current, live);
      if (held.length > 0)
        logger.warn(`SIGHUP: these settings have changed, and need a new start: ${flags(held)}`);
      const names = Object.keys(live);
      if (names.length > 0) logger.info(`SIGHUP: in use from now on: ${flags(names)}`);
    } catch (error) {
      logger.error(`SIGHUP: the settings stay as they were: ${messageOf(error)}`);
    }
  }
}

function flags(names: readonly string[]): string {
  return names.map(flagOf).join(', ');
}
