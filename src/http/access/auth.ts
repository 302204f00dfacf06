/**
 * Decides who may call what, in one step before the router.
 *
 * The scope is that of the very route that the router will run. So no spelling of a path can pass this step as one
 * route and reach another.
 */
import type { Context, Middleware } from 'koa';
import { quoted, ServingError } from '../../errors.js';
import { exitOf } from '../answer/koa-exit.js';
import { mediaTypeOf } from '../body/media-type.js';
import { type ApiKeys, checkAccess, isAdministrative, type Scope } from './api-keys.js';
import { type Hosts, nameOf } from './hosts.js';
import type { PageOrigins } from './page-origins.js';

/** What must be known of a route before it runs. */
export interface RouteAccess {
  readonly scope: Scope;
  /** True if it is a handler's route, which may do anything. */
  readonly isOfHandler: boolean;
}

export interface AuthOptions {
  readonly keys: ApiKeys;
  readonly hosts: Hosts;
  readonly pageOrigins: PageOrigins;
  /**
   * The access of the route that the router will run.
   * @throws ServingError NOT_FOUND or METHOD_NOT_ALLOWED if there is none
   */
  readonly scopeOf: (ctx: Context) => RouteAccess;
}

export function authenticate({ keys, hosts, pageOrigins, scopeOf }: AuthOptions): Middleware {
  return async (ctx, next) => {
    const { scope, isOfHandler } = scopeOf(ctx);
    if (isAdministrative(scope)) refuseForeignOrigin(ctx, hosts);
    else if (isOfHandler) refuseOtherOrigin(ctx, hosts);
    else if (scope === 'infer' && isSimple(ctx) && !pageOrigins.has(ctx.get('origin')))
      refuseOtherOrigin(ctx, hosts);
    checkAccess(keys, scope, exitOf(ctx).exchange);
    await next();
  };
}

/** Refuses pages of other origins. A web page must not be able to change a model on its reader's machine. */
function refuseForeignOrigin(ctx: Context, hosts: Hosts): void {
  const origin = ctx.get('origin');
  if (origin !== '' && !hosts.isOwn(nameOf(hostOf(origin)))) throw foreign(origin);
}

/**
 * The types that a page of any origin may send (https://fetch.spec.whatwg.org/#cors-safelisted-request-header). For all
 * others, the browser first asks the server, which does not allow it.
 */
const simpleTypes: ReadonlySet<string> = new Set([
  '',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]);

function isSimple({ method, req }: Context): boolean {
  return method === 'POST' && simpleTypes.has(mediaTypeOf(req));
}

/** Refuses pages of other origins. A page of this server, or of this machine, may ask. */
function refuseOtherOrigin(ctx: Context, hosts: Hosts): void {
  const origin = ctx.get('origin');
  // Only browsers send this header, and a proxy may have changed the host.
  if (origin === '' || ctx.get('sec-fetch-site') === 'same-origin') return;
  const host = hostOf(origin);
  if (host !== ctx.get('host').toLowerCase() && !hosts.isOwn(nameOf(host))) throw foreign(origin);
}

/**
 * The host of an origin, with the port if it is not that of the scheme; empty for `null` and for anything that is no
 * origin.
 */
function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : '';
}

function foreign(origin: string): ServingError {
  return new ServingError(
    'PERMISSION_DENIED',
    `requests from other origins are refused here, and ${quoted(origin)} is one: --allow-host allows it`,
  );
}
