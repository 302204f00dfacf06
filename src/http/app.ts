/**
 * The Koa application: request ids, errors, authentication, routes.
 */
import { randomUUID } from 'node:crypto';
import Router from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { quoted, ServingError } from '../errors.js';
import type { ApiKeys, Scope } from './api-keys.js';
import { authenticate } from './auth.js';
import { sendError, toServingError } from './respond.js';
import type { Route } from './route.js';
import { healthRoutes } from './routes/health.js';
import { inferRoutes } from './routes/infer.js';
import { metricsRoutes } from './routes/metrics.js';
import { modelRoutes } from './routes/models.js';
import { updateModelRoutes } from './routes/update-model.js';
import type { Services } from './services.js';

export function createApp(services: Services, keys: ApiKeys): Koa {
  const routes = [inferRoutes, updateModelRoutes, healthRoutes, modelRoutes, metricsRoutes].flatMap((make) =>
    make(services),
  );
  const { router, scopeOf } = createRouter(routes);
  const app = new Koa();
  app.use(requestId);
  app.use(cutOffStalled(services));
  app.use(answerErrors(services));
  app.use(authenticate({ keys, scopeOf }));
  app.use(router.routes());
  // Koa reports here what happens after an answer has begun: clients that go away.
  app.on('error', (error) => services.logger.debug({ err: error }, 'a connection ended early'));
  return app;
}

function createRouter(routes: readonly Route[]) {
  const router = new Router();
  const scopes = new Map<string, Scope>();
  for (const { method, path, scope, handle } of routes) {
    const name = `${method} ${path}`;
    scopes.set(name, scope);
    router.register(path, [method], (ctx) => handle(ctx), { name });
  }

  function scopeOf(ctx: Context): Scope {
    const { path, method } = ctx;
    const { pathAndMethod, path: samePath } = router.match(path, method);
    const scope = scopes.get(pathAndMethod[0]?.name ?? '');
    if (scope) return scope;
    if (samePath.length === 0)
      throw new ServingError('NOT_FOUND', `no route ${quoted(path)}; see the README for those there are`);
    const methods = [...new Set(samePath.flatMap((layer) => layer.methods))].join(', ');
    ctx.set('allow', methods);
    throw new ServingError('METHOD_NOT_ALLOWED', `${quoted(path)} takes ${methods}, not ${method}`);
  }

  return { router, scopeOf };
}

/** Echoes the caller's request id, or gives the request one. */
const requestId: Middleware = async (ctx, next) => {
  const given = ctx.get('x-request-id');
  ctx.set('x-request-id', /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID());
  await next();
};

/** Who takes nothing of an answer keeps its tensors: cut off after as long as who sends nothing. */
function cutOffStalled({ idleTimeout }: Services): Middleware {
  return async ({ res, req }, next) => {
    // The timer is the connection's: of two requests sent at once, it may be set by one and fire during the other's run.
    res.on('timeout', () => res.headersSent && req.socket.destroy());
    await next();
    res.setTimeout(idleTimeout * 1000);
  };
}

function answerErrors({ logger }: Services): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const failure = toServingError(error, logger);
      logger.debug({ code: failure.code, path: ctx.path }, failure.message);
      await sendError(ctx, failure);
    }
  };
}
