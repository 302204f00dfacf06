/** API keys, and what each of them may do. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { quoted, ServingError } from '../../errors.js';
import { didYouMean, nearest } from '../../nearest.js';
import { peerOf } from '../connection/peer.js';

/** What a route requires. `open` requires nothing. */
export const scopes = ['open', 'infer', 'admin', 'metrics'] as const;
export type Scope = (typeof scopes)[number];

/** A scope that a key can have. */
export type KeyScope = Exclude<Scope, 'open'>;

const keyScopes: readonly KeyScope[] = ['infer', 'admin', 'metrics'];

interface Key {
  /** Its SHA-256, in hexadecimal. */
  readonly digest: string;
  readonly scopes: readonly Scope[];
}

/** Who sends a request. */
export interface Principal {
  /** Identifies a key in logs without revealing it: the start of its SHA-256. It is empty if no key was asked for. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
}

export class ApiKeys {
  /** @param owners by the digest of their key */
  private constructor(private owners: ReadonlyMap<string, Principal>) {}

  /**
   * @param lines each have one key for everything, or `scope+scope:key` for these scopes; empty lines and lines that
   * begin with `#` are skipped
   * @throws ServingError INVALID_ARGUMENT for a scope without a key, an unknown scope, or a key that no header can
   * carry
   */
  static parse(lines: readonly string[]): ApiKeys {
    const meant = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
    const owners = new Map<string, Principal>();
    for (const { digest, scopes } of meant.map(parseKey)) {
      const before = owners.get(digest)?.scopes ?? [];
      owners.set(digest, { id: digest.slice(0, 8), scopes: new Set([...before, ...scopes]) });
    }
    return new ApiKeys(owners);
  }

  /** Takes over the keys of another object. No other keys are known from now on. */
  become({ owners }: ApiKeys): void {
    this.owners = owners;
  }

  /** False if no key is configured. Then none is asked for. */
  get configured(): boolean {
    return this.owners.size > 0;
  }

  /**
   * The owner of a key, with the scopes of all its lines together; undefined if there is no such key. Only digests are
   * compared, so the time that this takes tells nothing of a key.
   */
  find(key: string): Principal | undefined {
    return this.owners.get(digestOf(key));
  }
}

/** The principal of every request if no keys are configured. */
const anybody: Principal = { id: '', scopes: new Set(scopes) };

/**
 * Finds who sends a request, and checks the scope.
 *
 * @throws ServingError UNAUTHENTICATED without a known key, PERMISSION_DENIED if the key lacks the scope, or if no keys
 * are configured and somebody beyond this machine asks for an admin route
 */
export function checkAccess(keys: ApiKeys, scope: Scope, req: IncomingMessage): Principal {
  if (scope === 'open') return anybody;
  if (!keys.configured) {
    if (scope === 'admin') checkLoopback(peerOf(req));
    return anybody;
  }
  const { header, key } = sentKey(req.headers);
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

/** The key that a request sends, empty if it sends none, and the header that holds it. Of several headers, the first of these. */
export function sentKey(headers: IncomingHttpHeaders): { readonly header: string; readonly key: string } {
  const { 'x-api-key': own, 'api-key': short, authorization = '' } = headers;
  if (own !== undefined) return { header: 'X-API-Key', key: String(own) };
  if (short !== undefined) return { header: 'Api-Key', key: String(short) };
  return { header: 'Authorization', key: /^bearer +(\S+)$/i.exec(authorization)?.[1] ?? '' };
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
  // A key may itself have a colon. The text before it counts as scopes only if all of it is scopes.
  const isScoped = named.length > 0 && named.length === names.length;
  if (!isScoped) refuseMistyped(names);
  const key = isScoped ? line.slice(separator + 1) : line;
  if (key === '')
    throw new ServingError('INVALID_ARGUMENT', `an API key is empty after its scopes ${names.join('+')}`);
  // The key stays out of the message, which may end up in a log.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new ServingError(
      'INVALID_ARGUMENT',
      'an API key holds a space or a letter beyond ASCII: no header carries it',
    );
  return { digest: digestOf(key), scopes: isScoped ? named : keyScopes };
}

/** Refuses a line whose scope is mistyped. Otherwise it would be a key for everything. */
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

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
