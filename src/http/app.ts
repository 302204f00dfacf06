/**
 * The Koa application: request ids, errors, authentication, routes.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import Router from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { adviceForPath } from '../codec/other-protocols.js';
import { quoted, ServingError } from '../errors.js';
import type { ApiKeys, Scope } from './api-keys.js';
import { authenticate, type RouteAccess } from './auth.js';
import { cutOffIfStalled, whenFinished } from './finished.js';
import { findHandlerRoute, handlerRoutes, pathOf } from './handler-routes.js';
import { checkHead } from './request-head.js';
import { requestIdOf } from './request-id.js';
import { sendError, toServingError, withDocs } from './respond.js';
import type { Route } from './route.js';
import { docsRoutes } from './routes/docs.js';
import { healthRoutes } from './routes/health.js';
import { inferRoutes } from './routes/infer.js';
import { metricsRoutes } from './routes/metrics.js';
import { modelRoutes } from './routes/models.js';
import { openApiRoutes } from './routes/openapi.js';
import { profileRoutes } from './routes/profile.js';
import { startRoutes } from './routes/start.js';
import { updateModelRoutes } from './routes/update-model.js';
import type { Services } from './services.js';

export interface App {
  readonly koa: Koa;
  /** Takes every request. */
  readonly listener: RequestListener;
  /** Requests from their head to the end of their answer. */
  readonly underWay: number;
  /** Answers a request that has failed already. */
  fail(req: IncomingMessage, res: ServerResponse, error: ServingError): void;
}

export function createApp(services: Services, keys: ApiKeys): App {
  const routes: Route[] = [
    inferRoutes,
    updateModelRoutes,
    healthRoutes,
    modelRoutes,
    metricsRoutes,
    profileRoutes,
  ].flatMap((make) => make(services));
  routes.push(...openApiRoutes(services, () => routes, keys), ...docsRoutes(), ...startRoutes());
  const { router, scopeOf } = createRouter(routes, services);
  const failures = new WeakMap<IncomingMessage, ServingError>();
  const app = new Koa();
  let underWay = 0;
  app.use(async ({ req, res }, next) => {
    underWay += 1;
    whenFinished(req.socket, res, () => {
      underWay -= 1;
    });
    await next();
  });
  app.use(requestId);
  app.use(cutOffStalled(services));
  app.use(answerErrors(services));
  app.use(async ({ req }, next) => {
    const failure = failures.get(req);
    if (failure) throw failure;
    await next();
  });
  app.use(async ({ req }, next) => {
    checkHead(req, services.hosts);
    await next();
  });
  app.use(authenticate({ keys, scopeOf, hosts: services.hosts }));
  app.use(router.routes());
  app.use(handlerRoutes(services));
  // Koa reports here what happens after an answer has begun: clients that go away.
  app.on('error', (error) => services.logger.debug({ err: error }, 'a connection ended early'));
  const listener = app.callback();
  return {
    koa: app,
    listener,
    get underWay() {
      return underWay;
    },
    fail(req, res, error) {
      failures.set(req, error);
      listener(req, res);
    },
  };
}

function createRouter(routes: readonly Route[], services: Services) {
  const router = new Router();
  const scopes = new Map<string, Scope>();
  for (const { method, path, scope, handle } of routes) {
    const name = `${method} ${path}`;
    scopes.set(name, scope);
    router.register(path, [method], (ctx) => handle(ctx), { name });
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
    throw new ServingError(
      'METHOD_NOT_ALLOWED',
      `${quoted(path)} takes ${methods}, not ${method}${adviceForPath(path)}`,
    );
  }

  /** Those of handlers are as open as predictions. */
  function scopeOfHandler(ctx: Context, path: string): RouteAccess {
    const found = findHandlerRoute(services, path);
    if (!found)
      throw new ServingError(
        'NOT_FOUND',
        `no route ${quoted(path)}${adviceForPath(path)}; see /docs for those there are`,
      );
    if (found.methods.includes(ctx.method)) return { scope: 'infer', isOfHandler: true };
    const methods = allowed(found.methods);
    ctx.set('allow', methods);
    throw new ServingError('METHOD_NOT_ALLOWED', `${quoted(path)} takes ${methods}, not ${ctx.method}`);
  }

  function allowed(methods: readonly string[]): string {
    return [...new Set(methods)].join(', ');
  }

  return { router, scopeOf };
}

/** Echoes the caller's request id, or gives the request one. */
const requestId: Middleware = async (ctx, next) => {
  ctx.set('x-request-id', requestIdOf(ctx.req));
  await next();
};

function cutOffStalled({ idleTimeout }: Services): Middleware {
  return async ({ res }, next) => {
    const startTimer = cutOffIfStalled(res, idleTimeout);
    await next();
    startTimer();
  };
}

function answerErrors({ logger }: Services): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const failure = toServingError(error, logger, requestIdOf(ctx.req));
      logger.debug({ code: failure.code, path: ctx.path, request_id: requestIdOf(ctx.req) }, failure.message);
      // Not where a handler's route says 404.
      await sendError(ctx, failure === error ? withDocs(failure) : failure);
    }
  };
}
