/**
 * Reads API keys from a list in JSON or YAML. An entry may give the SHA-256 in place of the key, and limit the key.
 *
 * No error repeats what the file says, because any of it may be a key in the wrong place.
 */
import { createRequire } from 'node:module';
import { z } from 'zod';
import { invalidArgument, quoted } from '../../errors.js';
import { didYouMean } from '../../handwritten/nearest.js';
import { expectationOf } from '../../handwritten/schema-faults.js';
import { defaultId, digestOf, type Grant, keyScopes } from './api-keys.js';
import { isSendable } from './key-lines.js';
import { RateLimit, type RateMemory } from './rate-limit.js';

const fields = {
  id: z
    .string()
    .regex(/^[\w.@-]{1,64}$/, 'up to 64 letters, digits and . _ @ -')
    .optional(),
  key: z.string().refine(isSendable, 'a text without spaces or letters beyond ASCII').optional(),
  sha256: z
    .string()
    .regex(/^[\da-f]{64}$/i, 'the SHA-256 of a key, as 64 hexadecimal digits')
    .optional(),
  scopes: z.array(z.enum(keyScopes as [(typeof keyScopes)[number]])).min(1),
  models: z.array(z.string().min(1)).min(1).optional(),
  expires: z
    .union(
      [z.iso.date(), z.iso.datetime({ offset: true })],
      'a date, as in 2027-01-31 or 2027-01-31T12:00:00Z',
    )
    .optional(),
  rate: z.number().positive().max(1e6).optional(),
  burst: z.number().int().positive().max(1e6).optional(),
  queue_share: z.number().positive().max(1).optional(),
};

const schema = z.strictObject(fields);
type Entry = z.output<typeof schema>;

/** How a file has its keys. */
export type ListForm = 'json' | 'yaml';

/** The form of a list; undefined if the file has one key a line. */
export function listForm(file: string, text: string): ListForm | undefined {
  if (/\.ya?ml$/i.test(file)) return 'yaml';
  return text.trimStart().startsWith('[') ? 'json' : undefined;
}

/**
 * @param memory has the places where rates are counted
 * @throws ServingError INVALID_ARGUMENT naming the key by its id or its place in the list, and the field
 */
export function grantsOfList(form: ListForm, text: string, memory: RateMemory): Grant[] {
  const list = form === 'yaml' ? parseYaml(text) : parseJson(text);
  return list.map((value, i) => grantOf(checked(value, i), memory));
}

// The messages of parsers are left out, because they repeat parts of the file.

function parseJson(text: string): readonly unknown[] {
  try {
    return JSON.parse(text.trim()) as readonly unknown[];
  } catch {
    throw invalidArgument(
      'it begins with [ and is no JSON list: of keys one a line, the first may not begin like that, unless a line with # comes before it',
    );
  }
}

function parseYaml(text: string): readonly unknown[] {
  // The package is loaded only for such a file.
  const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) throw invalidArgument(`line ${lines.linePos(fault.pos[0]).line} is no YAML (${fault.code})`);
  let value: unknown;
  try {
    value = document.toJS() ?? [];
  } catch {
    throw invalidArgument('an alias has no anchor, or stands for too much');
  }
  if (!Array.isArray(value)) throw invalidArgument('expected a list of keys');
  return value;
}

function checked(value: unknown, i: number): Entry {
  const parsed = schema.safeParse(value);
  const entry = parsed.success ? parsed.data : undefined;
  const name = nameOf(value, i);
  if (!entry) throw invalidArgument(`${name}: ${faultOf(parsed.error?.issues[0] as Issue)}`);
  const refuse = (why: string) => invalidArgument(`${name}: ${why}`);
  if ((entry.key === undefined) === (entry.sha256 === undefined))
    throw refuse('expected one of `key` and `sha256`');
  if (entry.burst !== undefined && entry.rate === undefined) throw refuse('`burst` needs `rate`');
  if (entry.models && entry.scopes.some((scope) => scope !== 'infer'))
    throw refuse(
      'with `models`, expected `infer` as the only one of `scopes`: the others concern all models',
    );
  return entry;
}

/** Names an entry by its id, or by its place in the list. */
function nameOf(value: unknown, i: number): string {
  const id = fields.id.safeParse(typeof value === 'object' && value !== null ? Reflect.get(value, 'id') : 0);
  return id.success && id.data !== undefined ? `the key ${quoted(id.data)}` : `the key in place ${i + 1}`;
}

type Issue = z.core.$ZodIssue;

function faultOf(issue: Issue): string {
  const [field] = issue.path;
  const known = Object.keys(fields);
  if (issue.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys;
    const near = didYouMean(unknown, known);
    return `there is a field that is not known${near}; there are ${known.join(', ')}`;
  }
  const expected =
    issue.code === 'invalid_format' || issue.code === 'invalid_union' ? issue.message : expectationOf(issue);
  return `expected ${expected}${field === undefined ? '' : ` at \`${String(field)}\``}`;
}

function grantOf(entry: Entry, memory: RateMemory): Grant {
  const { key, sha256 = digestOf(key ?? ''), scopes, models, expires, rate, queue_share: queueShare } = entry;
  const digest = sha256.toLowerCase();
  const { id = defaultId(digest), burst = Math.ceil(rate ?? 1) } = entry;
  return {
    digest,
    id,
    scopes,
    models: models && new Set(models),
    expires: expires === undefined ? undefined : endOf(expires),
    rate: rate === undefined ? undefined : new RateLimit({ perSecond: rate, burst }, memory.placeOf(digest)),
    queue: queueShare === undefined ? undefined : { id, queueShare },
    isLine: false,
  };
}

/** The moment at which a key ends. A date without a time is its last day, in UTC. */
function endOf(expires: string): number {
  const isDay = !expires.includes('T');
  return Date.parse(isDay ? `${expires}T24:00:00Z` : expires);
}
