/**
 * Refuses settings that contradict each other. Such a pair is a mistake on every machine, so the server does not start.
 * A setting that only this machine cannot satisfy causes a warning instead (`engines/tensorflow/compute-mode.ts`),
 * because one configuration may be for several machines.
 */
import { invalidArgument } from '../errors.js';
import { flagOf, type SettingName, type Settings, settings as table } from './settings.js';

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

/** The options that need another one. */
const needs: readonly (readonly [option: SettingName, other: SettingName])[] = [
  ['tlsCert', 'tlsKey'],
  ['tlsKey', 'tlsCert'],
  ['tlsClientCa', 'tlsCert'],
];

/** The options that say how the access log is written. */
const ofAccessLog = ['accessLogFormat', 'accessLogSample'] as const;

/** @throws ServingError INVALID_ARGUMENT naming two settings, one of which means nothing with or without the other */
export function checkCombinations(settings: Settings): void {
  for (const [option, other] of needs) {
    if (settings[option] !== undefined && settings[other] === undefined)
      throw invalidArgument(`${flagOf(option)} needs ${flagOf(other)}: give both`);
  }
  for (const option of ofAccessLog) {
    const isDefault = settings[option] === table[option].schema.parse(undefined);
    if (settings.accessLog === 'off' && !isDefault)
      throw invalidArgument(`${flagOf(option)} needs ${flagOf('accessLog')}: give both`);
  }
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
