/** The settings that can change while the server serves. All others hold until its end. */
import { isDeepStrictEqual } from 'node:util';
import { invalidArgument, quoted } from '../errors.js';
import type { AccessLog } from '../telemetry/access-log.js';
import type { Logger } from '../telemetry/logger.js';
import { completeSettings } from './parse.js';
import { type SettingName, type Settings, settingNames } from './settings.js';

const liveNames = [
  'requestTimeout',
  'drainDelay',
  'shutdownTimeout',
  'serverTiming',
  'accessLogSample',
  'logLevel',
] as const satisfies readonly SettingName[];

export type LiveSettings = Pick<Settings, (typeof liveNames)[number]>;

/** How settings differ from those in use. */
export interface Differences {
  /** The new values of settings that can change now. */
  readonly live: Partial<LiveSettings>;
  /** The other settings that differ. */
  readonly held: readonly SettingName[];
}

export function differencesOf(current: Settings, wanted: Settings): Differences {
  const changed = settingNames.filter((name) => !isDeepStrictEqual(current[name], wanted[name]));
  return {
    live: Object.fromEntries(changed.filter(isLive).map((name) => [name, wanted[name]])),
    held: changed.filter((name) => !isLive(name)),
  };
}

/**
 * Checks changes that a program asks for.
 *
 * @throws ServingError INVALID_ARGUMENT naming what is wrong and what is allowed
 */
export function checkChanges(changes: Partial<LiveSettings>): Partial<LiveSettings> {
  const held = Object.keys(changes).find((name) => !liveNames.some((each) => each === name));
  if (held !== undefined)
    throw invalidArgument(
      `${quoted(held)} cannot change while the server serves; these can: ${liveNames.join(', ')}`,
    );
  const complete = completeSettings(changes);
  return Object.fromEntries(Object.keys(changes).map((name) => [name, complete[name as keyof LiveSettings]]));
}

/**
 * Takes over new values.
 *
 * @param settings are changed themselves: whoever reads them later sees the new values
 */
export function adjust(
  settings: Settings,
  changes: Partial<LiveSettings>,
  { logger, accessLog }: { readonly logger: Logger; readonly accessLog: AccessLog | undefined },
): void {
  Object.assign(settings, changes);
  if (changes.logLevel !== undefined) logger.level = changes.logLevel;
  if (accessLog && changes.accessLogSample !== undefined) accessLog.sample = changes.accessLogSample;
}

function isLive(name: SettingName): boolean {
  return liveNames.some((each) => each === name);
}
