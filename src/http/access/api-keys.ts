/** API keys, and what each of them may do. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { invalidArgument, quoted, ServingError } from '../../errors.js';
import type { QueueOwner } from '../../serving/queue/queue-entry.js';
import type { Seconds, WallTime } from '../../time.js';
import { peerOf } from '../connection/peer.js';
import type { RateLimit } from './rate-limit.js';

/** What a route requires. `open` requires nothing. */
export const scopes = ['open', 'infer', 'admin', 'metrics', 'debug'] as const;
export type Scope = (typeof scopes)[number];

/** A scope that a key can have. */
export type KeyScope = Exclude<Scope, 'open'>;

export const keyScopes: readonly KeyScope[] = ['infer', 'admin', 'metrics', 'debug'];

/** True for the scopes of routes that change the server, or that show its inside. */
export function isAdministrative(scope: Scope): boolean {
  return scope === 'admin' || scope === 'debug';
}

/** Who sends a request. */
export interface Principal {
  /** Names a key in logs without revealing it. It is empty if no key was asked for. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The models that it may use; undefined for all. */
  readonly models?: ReadonlySet<string> | undefined;
  /** When the key ends; undefined for never. */
  readonly expires?: WallTime | undefined;
  /** How many requests it may send; undefined for any number. */
  readonly rate?: RateLimit | undefined;
  /** The share of a queue that its requests may hold; undefined for all of it. */
  readonly queue?: QueueOwner | undefined;
}

/** A key as it is configured. */
export interface Grant extends Omit<Principal, 'scopes'> {
  /** The SHA-256 of the key, in hexadecimal. */
  readonly digest: string;
  readonly scopes: readonly KeyScope[];
  /** True for a line: its scopes are added to those of other lines with the same key. */
  readonly isLine: boolean;
}

export class ApiKeys {
  /** @param owners by the digest of their key */
  private constructor(private owners: ReadonlyMap<string, Principal>) {}

  /** @throws ServingError INVALID_ARGUMENT for a key or an id that stands twice */
  static of(grants: readonly Grant[]): ApiKeys {
    const owners = new Map<string, Principal>();
    const lines = new Set<string>();
    const ids = new Set<string>();
    for (const { digest, isLine, ...grant } of grants) {
      const before = owners.get(digest);
      if (before && !(isLine && lines.has(digest)))
        throw invalidArgument(`the API keys ${quoted(before.id)} and ${quoted(grant.id)} are the same key`);
      if (!before && ids.has(grant.id)) throw invalidArgument(`two API keys have the id ${quoted(grant.id)}`);
      if (isLine) lines.add(digest);
      ids.add(grant.id);
      owners.set(digest, {
        ...grant,
        scopes: new Set([...(before?.scopes ?? []), ...grant.scopes, ...impliedBy(grant.scopes)]),
      });
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

  get all(): Iterable<Principal> {
    return this.owners.values();
  }

  /**
   * The owner of a key; undefined if there is no such key. Only digests are compared, so the time that this takes tells
   * nothing of a key.
   */
  find(key: string): Principal | undefined {
    return this.owners.get(digestOf(key));
  }
}

/** Profiles needed the scope `admin` before there was one for them. Such keys still do. */
function impliedBy(given: readonly KeyScope[]): KeyScope[] {
  return given.includes('admin') ? ['debug'] : [];
}

/** The principal of every request for which no key is asked. */
export const anybody: Principal = { id: '', scopes: new Set(scopes) };

/** A request whose sender is to be known. */
export interface Incoming {
  readonly req: IncomingMessage;
  /** Set once its key is known, even if the request is then refused. */
  principal: Principal;
}

/**
 * Finds who sends a request, checks the scope, and counts the request against the rate of its key.
 *
 * @throws ServingError UNAUTHENTICATED without a known key or after its end, PERMISSION_DENIED if the key lacks the
 * scope, RESOURCE_EXHAUSTED if the key has sent too many, PERMISSION_DENIED if no keys are configured and somebody
 * beyond this machine asks for an administrative route
 */
export function checkAccess(keys: ApiKeys, scope: Scope, incoming: Incoming): void {
  if (scope === 'open') return;
  const { req } = incoming;
  if (!keys.configured) {
    if (isAdministrative(scope)) checkLoopback(peerOf(req));
    return;
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
  incoming.principal = principal;
  if (hasExpired(principal))
    throw new ServingError('UNAUTHENTICATED', `the key in ${header} has expired: ask for a new one`);
  if (!principal.scopes.has(scope))
    throw new ServingError('PERMISSION_DENIED', `the key in ${header} does not have the scope \`${scope}\``);
  checkRate(principal);
}

export function hasExpired({ expires }: Principal): boolean {
  return expires !== undefined && Date.now() >= expires;
}

function checkRate({ rate }: Principal): void {
  const wait = rate?.take() ?? 0;
  if (!rate || wait === 0) return;
  const retryAfter: Seconds = Math.max(1, Math.ceil(wait / 1000));
  throw new ServingError('RESOURCE_EXHAUSTED', `this key may send ${rate}; wait ${retryAfter} s`, {
    retryAfter,
  });
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

/** The SHA-256 of a key, in hexadecimal. */
export function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The id of a key that is given none: the start of its digest. */
export function defaultId(digest: string): string {
  return digest.slice(0, 8);
}
