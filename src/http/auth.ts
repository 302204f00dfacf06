/**
 * Who may call what: one step before the router, over the router's own match.
 *
 * The scope is that of the very route the router is about to run, so no spelling of a path can pass this step as one
 * route and reach another.
 */
import type { Context, Middleware } from 'koa';
import { ServingError } from '../errors.js';
import type { ApiKeys, Scope } from './api-keys.js';

export interface AuthOptions {
  readonly keys: ApiKeys;
  /** The scope of the route that the router will run. @throws ServingError NOT_FOUND or METHOD_NOT_ALLOWED if there is none */
  readonly scopeOf: (ctx: Context) => Scope;
}

export function authenticate({ keys, scopeOf }: AuthOptions): Middleware {
  return async (ctx, next) => {
    const scope = scopeOf(ctx);
    if (scope === 'admin') refuseForeignOrigin(ctx.get('origin'));
    if (scope !== 'open') {
      if (keys.configured) checkKey(keys, scope, ctx.get('x-api-key'));
      else if (scope === 'admin') checkLoopback(ctx.req.socket.remoteAddress);
    }
    await next();
  };
}

function checkKey(keys: ApiKeys, scope: Scope, key: string): void {
  const allowed = keys.scopesOf(key);
  if (!allowed) {
    throw new ServingError(
      'UNAUTHENTICATED',
      key === '' ? 'this route needs a key: send it as X-API-Key' : 'the key in X-API-Key is not known',
    );
  }
  if (!allowed.has(scope))
    throw new ServingError('PERMISSION_DENIED', `the key in X-API-Key does not have the scope \`${scope}\``);
}

function checkLoopback(address: string | undefined): void {
  if (address === undefined || !/^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address)) {
    throw new ServingError(
      'PERMISSION_DENIED',
      'without API keys this route answers on loopback only: configure keys with --api-key-file',
    );
  }
}

const ownHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** A web page must not be able to change a model on the machine of whoever looks at it. */
function refuseForeignOrigin(origin: string): void {
  if (origin === '') return;
  const host = URL.canParse(origin) ? new URL(origin).hostname : '';
  if (!ownHosts.has(host))
    throw new ServingError('PERMISSION_DENIED', 'requests from other origins are refused here');
}
