/** The Koa application: request ids, errors, authentication, routes. */
import type { RequestListener } from 'node:http';
import Router from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { quoted, ServingError } from '../errors.js';
import type { Scope } from './access/api-keys.js';
import { authenticate, type RouteAccess } from './access/auth.js';
import { allowPages } from './access/cors.js';
import { KoaExit } from './answer/koa-exit.js';
import { checkHead } from './request/check-head.js';
import { Exchange } from './request/exchange.js';
import { findHandlerRoute, handlerRoutes, pathOf } from './routes/handler-routes.js';
import type { InferenceServices, Services } from './services.js';
import type { Surface } from './surface.js';

export interface App {
  readonly koa: Koa;
  /** Takes every request. */
  readonly listener: RequestListener;
}

/** The services of a loop that has a route table. */
type Routed = InferenceServices & Pick<Services, 'routes'>;

export function createKoa(services: Routed, surfaces: readonly Surface[]): App {
  const { router, scopeOf, scopeFor } = createRouter(services);
  const app = new Koa();
  app.use(exchanges(services, surfaces));
  app.use(async ({ req }, next) => {
    checkHead(req, services.hosts);
    await next();
  });
  const { keys, hosts, pageOrigins } = services;
  if (!pageOrigins.isEmpty) app.use(allowPages(pageOrigins, scopeFor));
  app.use(authenticate({ keys, scopeOf, hosts, pageOrigins }));
  app.use(router.routes());
  app.use(handlerRoutes(services));
  // Koa reports events after an answer has begun here, for example clients that leave.
  app.on('error', (error) => services.logger.debug({ err: error }, 'a connection ended early'));
  return { koa: app, listener: app.callback() };
}

function createRouter(services: Routed) {
  const router = new Router();
  const scopes = new Map<string, Scope>();
  for (const { method, path, scope, handle } of services.routes()) {
    const name = `${method} ${path}`;
    scopes.set(name, scope);
    router.register(path, [method], (ctx) => handle(ctx), { name });
  }

  /** The scope of the server's own route that takes a method; undefined if there is none. */
  function scopeFor(ctx: Context, method: string): Scope | undefined {
    return scopes.get(router.match(pathOf(ctx), method).pathAndMethod[0]?.name ?? '');
  }

  function scopeOf(ctx: Context): RouteAccess {
    const { method } = ctx;
    const path = pathOf(ctx);
    const { pathAndMethod, path: samePath } = router.match(path, method);
    const scope = scopes.get(pathAndMethod[0]?.name ?? '');
    if (scope) return { scope, isOfHandler: false };
    if (samePath.length === 0) return scopeOfHandler(ctx, path);
    const methods = allowed(samePath.flatMap((layer) => layer.methods));
    ctx.set('allow', methods);
    throw new ServingError('METHOD_NOT_ALLOWED', `${quoted(path)} takes ${methods}, not ${method}`, {
      remedy: { kind: 'look at the paths', path },
    });
  }

  /** The scope of handlers' routes, which are as open as predictions. */
  function scopeOfHandler(ctx: Context, path: string): RouteAccess {
    const found = findHandlerRoute(services, path);
    if (!found)
      throw new ServingError('NOT_FOUND', `no route ${quoted(path)}`, {
        remedy: { kind: 'look at the paths', path },
      });
    if (found.methods.includes(ctx.method)) return { scope: 'infer', isOfHandler: true };
    const methods = allowed(found.methods);
    ctx.set('allow', methods);
    throw new ServingError('METHOD_NOT_ALLOWED', `${quoted(path)} takes ${methods}, not ${ctx.method}`);
  }

  function allowed(methods: readonly string[]): string {
    return [...new Set(methods)].join(', ');
  }

  return { router, scopeOf, scopeFor };
}

/**
 * Begins and ends the exchange. The answer repeats the caller's request id, or has a new one. An error is answered in
 * the form of the surface that owns the path.
 */
function exchanges({ exchanges, logger }: InferenceServices, surfaces: readonly Surface[]): Middleware {
  return async (ctx, next) => {
    const exchange = new Exchange(ctx.req, ctx.res, exchanges);
    const exit = new KoaExit(exchange, ctx, logger, surfaces);
    ctx.set('x-request-id', exchange.requestId);
    // An inference request tells more exactly what it has read.
    exchange.bytesIn = ctx.request.length ?? 0;
    try {
      await next();
      if (!exchange.isInference) exit.routeAnswered();
    } catch (error) {
      exit.fail(error);
    }
    await exit.isDone;
  };
}
