/** Reads settings from the command line, the environment and the config file, in that order of precedence. */
import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { invalidArgument, messageOf, quoted } from '../errors.js';
import { argumentIn, didYouMean, unknownFlagIn } from '../handwritten/nearest.js';
import { describeFaults, expectationOf } from '../handwritten/schema-faults.js';
import { type FileEntry, readConfigFile } from './config-file.js';
import {
  flagOf,
  keyOf,
  namesOf,
  type SettingName,
  type Settings,
  settingNames,
  settings,
  variableOf,
} from './settings.js';

/** A value and its origin, for errors. */
interface Given {
  readonly value: unknown;
  readonly origin: string;
}

/**
 * @param args are those after `serve` on the command line
 * @param environment is usually process.env
 * @returns undefined if help is asked for
 * @throws ServingError INVALID_ARGUMENT naming what is wrong and what is allowed
 */
export function parseSettings(args: readonly string[], environment: NodeJS.ProcessEnv): Settings | undefined {
  const flags = parseFlags(args);
  if (flags['help']) return undefined;
  const file = readConfig(flags['config'] ?? environment['TFJS_SERVING_CONFIG']);
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const given = find(name, flags, environment, file);
    values[name] = check(name, given);
  }
  return values as Settings;
}

/**
 * Completes settings that a program gives with the defaults of the command line.
 *
 * @throws ServingError INVALID_ARGUMENT naming what is wrong and what is allowed
 */
export function completeSettings(given: Readonly<Record<string, unknown>>): Settings {
  const known = settingNames.flatMap(namesOf);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalidArgument(`there is no option ${quoted(unknown)}; there are ${settingNames.join(', ')}`);
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const origin = namesOf(name).find((each) => given[each] !== undefined) ?? name;
    values[name] = check(name, { value: given[origin], origin });
  }
  return values as Settings;
}

/** True if a flag, a variable or the file gives a setting, false if its default is used. */
export function isGiven(name: SettingName, args: readonly string[], environment: NodeJS.ProcessEnv): boolean {
  const flags = parseFlags(args);
  const file = readConfig(flags['config'] ?? environment['TFJS_SERVING_CONFIG']);
  return find(name, flags, environment, file) !== undefined;
}

/** Variables that are no settings: the keys, the program's own, and those of clients and documents. */
const otherVariables: readonly string[] = [
  'TFJS_SERVING_ADDON',
  'TFJS_SERVING_API_KEYS',
  'TFJS_SERVING_CACHE',
  'TFJS_SERVING_CONFIG',
  'TFJS_SERVING_DEMO_URL',
  'TFJS_SERVING_NODE',
  'TFJS_SERVING_URL',
];

/** A sentence for each variable that begins like a setting and is none. Most often it is misspelt. */
export function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
  const known = [...settingNames.flatMap(namesOf).map(variableOf), ...otherVariables];
  return Object.keys(environment)
    .filter((name) => name.startsWith('TFJS_SERVING_') && !known.includes(name) && !isOfService(name))
    .map((name) => `the environment variable ${quoted(name)} means nothing${didYouMean(name, known)}`);
}

type Flags = Readonly<Record<string, string | boolean | undefined>>;

function parseFlags(args: readonly string[]): Flags {
  const names = settingNames.flatMap((name) => {
    const type = settings[name].value === '' ? 'boolean' : 'string';
    return namesOf(name).map((each) => [flagOf(each).slice(2), { type }] as const);
  });
  const options = {
    ...Object.fromEntries(names),
    config: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values as Flags;
  } catch (error) {
    const flag = unknownFlagIn(error);
    if (flag !== undefined)
      throw invalidArgument(
        `there is no flag \`${flag}\`${didYouMean(
          flag,
          Object.keys(options).map((name) => `--${name}`),
        )}\nrun \`tfjs-serving serve --help\` for the flags there are`,
      );
    const argument = argumentIn(error);
    if (argument !== undefined)
      throw invalidArgument(
        `serve takes no arguments, got ${quoted(argument)}: did you mean --model-path ${argument}?\nrun \`tfjs-serving serve --help\` for the flags there are`,
      );
    throw invalidArgument(`${messageOf(error)}\nrun \`tfjs-serving serve --help\` for the flags there are`);
  }
}

function readConfig(file: string | boolean | undefined): ReadonlyMap<string, FileEntry> {
  if (typeof file !== 'string') return new Map();
  const entries = readConfigFile(file);
  const known = settingNames.flatMap(namesOf).map(keyOf);
  for (const [key, { place }] of entries) {
    if (!known.includes(key))
      throw invalidArgument(
        `--config ${place}: there is no setting ${quoted(key)}${didYouMean(key, known)}; there are ${known.join(', ')}`,
      );
  }
  return entries;
}

function find(
  name: SettingName,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
  file: ReadonlyMap<string, FileEntry>,
): Given | undefined {
  const names = namesOf(name);
  for (const each of names) {
    const flag = flags[flagOf(each).slice(2)];
    if (flag !== undefined) return { value: flag, origin: flagOf(each) };
  }
  for (const each of names) {
    const variable = environment[variableOf(each)];
    if (variable !== undefined && variable !== '' && !isServiceAddress(variable))
      return { value: variable, origin: variableOf(each) };
  }
  for (const key of names.map(keyOf)) {
    const entry = file.get(key);
    if (entry) return { value: entry.value, origin: `${key} in ${entry.place}` };
  }
  return undefined;
}

/**
 * True for an address that Kubernetes sets. In a pod beside a Service called tfjs-serving, it sets
 * TFJS_SERVING_PORT=tcp://10.0.0.1:50000.
 */
function isServiceAddress(variable: string): boolean {
  return /^(tcp|udp|sctp):\/\//.test(variable);
}

/**
 * True for the other variables that Kubernetes sets there: TFJS_SERVING_SERVICE_HOST, TFJS_SERVING_PORT_50000_TCP_ADDR
 * and the like.
 */
function isOfService(variable: string): boolean {
  return /^TFJS_SERVING_(.*_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$/.test(
    variable,
  );
}

function check(name: SettingName, given: Given | undefined): unknown {
  const setting = settings[name];
  const parsed = setting.schema.safeParse(given?.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if ('within' in setting && typeof given?.value === 'object')
    throw invalidArgument(`${given.origin}: ${describeFaults(parsed.error, given.value, setting.within)}`);
  const expected = setting.value === '' ? 'true or false' : expectedOf(setting.value, issue);
  throw invalidArgument(
    `${given?.origin}: expected ${expected} (${setting.help}), got ${shown(given?.value)}`,
  );
}

/**
 * Describes what was expected. For words and lists, `--help` says it best.
 * @param value is the form that `--help` shows
 */
function expectedOf(value: string, issue: z.core.$ZodIssue | undefined): string {
  if (/[|,]|^(PATH|FILE|NAME|ADDRESS)$/.test(value) || !issue) return value;
  return expectationOf(issue);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value || "''" : JSON.stringify(value);
}
