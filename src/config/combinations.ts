/**
 * Refuses settings that contradict each other. Such a pair is a mistake on every machine, so the server does not start.
 * A setting that only this machine cannot satisfy causes a warning instead (`engines/tensorflow/compute-mode.ts`),
 * because one configuration may be for several machines.
 */
import { invalidArgument } from '../errors.js';
import { flagOf, type SettingName, type Settings } from './settings.js';

/** The options that mean nothing beside another one. */
const withoutEffect: readonly {
  readonly beside: string;
  readonly applies: (settings: Settings) => boolean;
  readonly options: readonly SettingName[];
  readonly why: string;
}[] = [
  {
    beside: '--runtime tfjs',
    applies: ({ runtime }) => runtime === 'tfjs',
    options: ['xla', 'mixedPrecision', 'gpuMemoryFraction'],
    why: 'upstream opens its sessions without options',
  },
  {
    beside: '--device cpu',
    applies: ({ device }) => device === 'cpu',
    options: ['gpuMemoryGrowth', 'gpuMemoryFraction', 'visibleDevices'],
    why: 'no GPU is used',
  },
];

/** @throws ServingError INVALID_ARGUMENT naming two settings, one of which makes the other meaningless */
export function checkCombinations(settings: Settings): void {
  for (const { beside, applies, options, why } of withoutEffect) {
    if (!applies(settings)) continue;
    // A switch that is off asks for nothing.
    const given = options.find((name) => settings[name] !== undefined && settings[name] !== false);
    if (given)
      throw invalidArgument(
        `${flagOf(given)} has no effect under ${beside}, where ${why}: leave one of them out`,
      );
  }
}
