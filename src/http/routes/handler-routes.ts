/** The endpoints of handlers, below `/models/{name}`, at paths where the server has none of its own. */
import type { Context, Middleware } from 'koa';
import type { ModelRoutes } from '../../engines/model-handler.js';
import { shuttingDown } from '../../errors.js';
import type { Servable } from '../../serving/servable.js';
import { type Body, hasBody, readBody } from '../body/body.js';
import type { InferenceServices } from '../services.js';
import { parseInto } from './handler-body.js';
import { visibleTable } from './visible-table.js';

interface Found {
  readonly servable: Servable;
  readonly routes: ModelRoutes;
  /** The part of the path after the name of the model. */
  readonly path: string;
  readonly methods: readonly string[];
}

/** The handler that has a route with this path, for any method. */
export function findHandlerRoute({ table }: InferenceServices, path: string): Found | undefined {
  const [, encoded = '', rest = ''] = /^\/models\/([^/]+)(\/.+)$/.exec(path) ?? [];
  const servable = table().models.get(decode(encoded))?.serving;
  const routes = servable?.model.routes;
  const methods = routes?.methodsOf(rest) ?? [];
  return servable && routes && methods.length > 0 ? { servable, routes, path: rest, methods } : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/**
 * Runs the handler's own route, with the same limits for bodies as predictions. The version stays until it has
 * answered.
 */
export function handlerRoutes(services: InferenceServices): Middleware {
  return async (ctx, next) => {
    const found = findHandlerRoute(services, pathOf(ctx));
    if (!found) return next();
    if (services.draining.aborted) throw shuttingDown();
    const { servable, routes, path } = found;
    // A key that is limited to other models is refused.
    visibleTable(ctx, services).get(servable.id.model);
    servable.acquire();
    let body: Body | undefined;
    try {
      if (hasBody(ctx.req)) {
        body = await readBody(ctx.req, ctx.res, services.bodyLimits);
        await parseInto(ctx, body);
      }
      ctx['newRouterPath'] = path;
      await routes.answer(ctx);
    } finally {
      servable.release();
      body?.release();
    }
  };
}

/** The path as the router sees it. An application that mounts this one may have set another path for routers. */
export function pathOf(ctx: Context): string {
  return ctx['newRouterPath'] || ctx.path;
}
