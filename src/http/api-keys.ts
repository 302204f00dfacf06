/**
 * API keys and what each of them may do.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, ServingError } from '../errors.js';

/** What a route needs. `open` needs nothing. */
export const scopes = ['open', 'infer', 'admin', 'metrics'] as const;
export type Scope = (typeof scopes)[number];

/** A scope that a key can be given. */
export type KeyScope = Exclude<Scope, 'open'>;

const keyScopes: readonly KeyScope[] = ['infer', 'admin', 'metrics'];

interface Key {
  readonly digest: Buffer;
  readonly scopes: ReadonlySet<Scope>;
}

export class ApiKeys {
  private constructor(private readonly keys: readonly Key[]) {}

  /**
   * @param lines one key each, for everything, or `scope+scope:key` for these scopes; empty lines and those that begin
   * with `#` say nothing
   * @throws ServingError INVALID_ARGUMENT for a scope without a key
   */
  static parse(lines: readonly string[]): ApiKeys {
    const meant = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
    return new ApiKeys(meant.map(parseKey));
  }

  /** False where none is configured, and nothing is asked for. */
  get configured(): boolean {
    return this.keys.length > 0;
  }

  /** The scopes of a key, or undefined if there is no such key. Takes as long for a wrong key as for a right one. */
  scopesOf(key: string): ReadonlySet<Scope> | undefined {
    const digest = digestOf(key);
    let found: Key | undefined;
    for (const candidate of this.keys) {
      if (timingSafeEqual(candidate.digest, digest)) found = candidate;
    }
    return found?.scopes;
  }
}

function parseKey(line: string): Key {
  const separator = line.indexOf(':');
  const names = separator < 0 ? [] : line.slice(0, separator).split('+');
  const named = keyScopes.filter((scope) => names.includes(scope));
  // A key may have a colon of its own: what stands before it counts as scopes only if all of it is.
  const isScoped = named.length > 0 && named.length === names.length;
  const key = isScoped ? line.slice(separator + 1) : line;
  if (key === '')
    throw new ServingError('INVALID_ARGUMENT', `an API key is empty after its scopes ${names.join('+')}`);
  return { digest: digestOf(key), scopes: new Set(isScoped ? named : keyScopes) };
}

/** Digests are all of one length, which a comparison in constant time needs. */
function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/**
 * @param file `--api-key-file`: one key a line
 * @param list keys from the environment, separated by commas
 */
export function readApiKeys(file: string | undefined, list: string | undefined): ApiKeys {
  const lines = list?.split(',') ?? [];
  if (file === undefined) return ApiKeys.parse(lines);
  try {
    return ApiKeys.parse([...lines, ...readFileSync(file, 'utf8').split('\n')]);
  } catch (error) {
    if (error instanceof ServingError) throw error;
    throw new ServingError('FAILED_PRECONDITION', `--api-key-file cannot be read: ${messageOf(error)}`);
  }
}
