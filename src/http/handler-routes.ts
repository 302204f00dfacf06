/**
 * Endpoints of handlers: below `/models/{name}`, where the server has none of its own.
 */
import type { Context, Middleware } from 'koa';
import { koaBody } from 'koa-body';
import { HandledModel } from '../handlers/handled-model.js';
import type { Servable } from '../serving/servable.js';
import type { Services } from './services.js';

interface Found {
  readonly servable: Servable;
  readonly handled: HandledModel;
  /** What follows the model's name. */
  readonly path: string;
  readonly methods: readonly string[];
}

/** The handler that has a route of this path, whatever its method. */
export function findHandlerRoute({ manager }: Services, path: string): Found | undefined {
  const [, encoded = '', rest = ''] = /^\/models\/([^/]+)(\/.+)$/.exec(path) ?? [];
  const servable = manager.table.models.get(decode(encoded))?.serving;
  if (!servable || !(servable.loaded instanceof HandledModel)) return undefined;
  const handled = servable.loaded;
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

/** Runs the handler's own route. The version stays until it has answered. */
export function handlerRoutes(services: Services): Middleware {
  const { maxBytes } = services.bodyLimits;
  const parse = koaBody({ jsonLimit: maxBytes, formLimit: maxBytes, textLimit: maxBytes, multipart: false });
  return async (ctx, next) => {
    const found = findHandlerRoute(services, pathOf(ctx));
    if (!found) return next();
    const { servable, handled, path } = found;
    servable.acquire();
    try {
      await parse(ctx, async () => {});
      ctx['newRouterPath'] = path;
      await handled.answerRoute(async () => handled.router?.routes()(ctx as never, async () => {}));
    } finally {
      servable.release();
    }
  };
}

/** As the router chooses: an application that mounts this one may have named another path for routers. */
export function pathOf(ctx: Context): string {
  return ctx['newRouterPath'] || ctx.path;
}
