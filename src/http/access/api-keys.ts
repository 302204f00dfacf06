/**
 * API keys and what each of them may do.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { quoted, ServingError } from '../../errors.js';
import { didYouMean, nearest } from '../../nearest.js';

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

/** Who asks. */
export interface Principal {
  /** Names a key in logs without telling it: the start of its SHA-256. Empty where no key was asked for. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
}

export class ApiKeys {
  private constructor(private keys: readonly Key[]) {}

  /**
   * @param lines one key each, for everything, or `scope+scope:key` for these scopes; empty lines and those that begin
   * with `#` say nothing
   * @throws ServingError INVALID_ARGUMENT for a scope without a key, a scope that there is none of, or a key that no header can
   * carry
   */
  static parse(lines: readonly string[]): ApiKeys {
    const meant = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
    return new ApiKeys(meant.map(parseKey));
  }

  /** From now on, these keys and no others are known. */
  become({ keys }: ApiKeys): void {
    this.keys = keys;
  }

  /** False where none is configured, and nothing is asked for. */
  get configured(): boolean {
    return this.keys.length > 0;
  }

  /**
   * Whose key it is, with the scopes of all its lines together; undefined if there is no such key. Takes as long for a wrong
   * key as for a right one.
   */
  find(key: string): Principal | undefined {
    const digest = digestOf(key);
    const found = this.keys.filter((candidate) => timingSafeEqual(candidate.digest, digest));
    if (found.length === 0) return undefined;
    return { id: digest.toString('hex', 0, 4), scopes: new Set(found.flatMap((each) => [...each.scopes])) };
  }
}

/** Anybody, where no keys are configured. */
const anybody: Principal = { id: '', scopes: new Set(scopes) };

/**
 * Who asks for something of that scope.
 *
 * @throws ServingError UNAUTHENTICATED without a key that is known, PERMISSION_DENIED if it does not have the scope, or if no
 * keys are configured and somebody beyond this machine asks for what only administrators may do
 */
export function checkAccess(keys: ApiKeys, scope: Scope, { headers, socket }: IncomingMessage): Principal {
  if (scope === 'open') return anybody;
  if (!keys.configured) {
    if (scope === 'admin') checkLoopback(socket.remoteAddress);
    return anybody;
  }
  const [header, key] = sentKey(headers);
  const principal = keys.find(key);
  if (!principal)
    throw new ServingError(
      'UNAUTHENTICATED',
      key === ''
        ? 'this route needs a key: send it as X-API-Key, or as Authorization: Bearer'
        : `the key in ${header} is not known`,
    );
  if (!principal.scopes.has(scope))
    throw new ServingError('PERMISSION_DENIED', `the key in ${header} does not have the scope \`${scope}\``);
  return principal;
}

/** The key of a request and the header that holds it: of several headers, the first of these. */
function sentKey(headers: IncomingHttpHeaders): readonly [header: string, key: string] {
  const own = headers['x-api-key'];
  if (own !== undefined) return ['X-API-Key', String(own)];
  const short = headers['api-key'];
  if (short !== undefined) return ['Api-Key', String(short)];
  return ['Authorization', /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? ''];
}

function checkLoopback(address: string | undefined): void {
  if (address !== undefined && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address)) return;
  throw new ServingError(
    'PERMISSION_DENIED',
    'without API keys this route answers on loopback only: configure keys with --api-key-file',
  );
}

function parseKey(line: string): Key {
  const separator = line.indexOf(':');
  const names = separator < 0 ? [] : line.slice(0, separator).split('+');
  const named = keyScopes.filter((scope) => names.includes(scope));
  // A key may have a colon of its own: what stands before it counts as scopes only if all of it is.
  const isScoped = named.length > 0 && named.length === names.length;
  if (!isScoped) refuseMistyped(names);
  const key = isScoped ? line.slice(separator + 1) : line;
  if (key === '')
    throw new ServingError('INVALID_ARGUMENT', `an API key is empty after its scopes ${names.join('+')}`);
  // The key itself stays out of the message, which may end up in a log.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new ServingError(
      'INVALID_ARGUMENT',
      'an API key holds a space or a letter beyond ASCII: no header carries it',
    );
  return { digest: digestOf(key), scopes: new Set(isScoped ? named : keyScopes) };
}

/** A key for everything is not what somebody means who mistypes a scope. */
function refuseMistyped(names: readonly string[]): void {
  const isScope = (name: string) => keyScopes.some((scope) => scope === name);
  if (!names.some((name) => nearest(name, keyScopes) !== undefined)) return;
  const wrong = names.find((name) => !isScope(name)) ?? '';
  throw new ServingError(
    'INVALID_ARGUMENT',
    `expected the scopes ${keyScopes.join(', ')} before the colon of an API key, got ${quoted(wrong)}${didYouMean(wrong, keyScopes)}; ` +
      `if your key itself contains a colon, put all scopes before it: ${keyScopes.join('+')}:KEY`,
  );
}

/** Digests are all of one length, which a comparison in constant time needs. */
function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
