/** The endpoints of handlers, below `/models/{name}`, at paths where the server has none of its own. */
import type { Context, Middleware } from 'koa';
import { shuttingDown } from '../../errors.js';
import { HandledModel } from '../../handlers/handled-model.js';
import type { Servable } from '../../serving/servable.js';
import { type Body, hasBody, readBody } from '../body/body.js';
import type { InferenceServices } from '../services.js';
import { parseInto } from './handler-body.js';
import { visibleTable } from './visible-table.js';

interface Found {
  readonly servable: Servable;
  readonly handled: HandledModel;
  /** The part of the path after the name of the model. */
  readonly path: string;
  readonly methods: readonly string[];
}

/** The handler that has a route with this path, for any method. */
export function findHandlerRoute({ table }: InferenceServices, path: string): Found | undefined {
  const [, encoded = '', rest = ''] = /^\/models\/([^/]+)(\/.+)$/.exec(path) ?? [];
  const servable = table().models.get(decode(encoded))?.serving;
  if (!servable || !(servable.model instanceof HandledModel)) return undefined;
  const handled = servable.model;
  const layers = handled.router?.match(rest, '').path ?? [];
  if (layers.length === 0) return undefined;
  return { servable, handled, path: rest, methods: [...new Set(layers.flatMap(({ methods }) => methods))] };
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
    const { servable, handled, path } = found;
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
      await handled.answerRoute(async () => handled.router?.routes()(ctx as never, async () => {}));
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
