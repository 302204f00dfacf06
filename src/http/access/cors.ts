/**
 * Lets pages of other origins ask for predictions, and read what every key of the scope `infer` may read (CORS). It is off
 * unless `--cors-origin` names origins.
 *
 * Browsers keep answers from pages of other origins, and ask before they send most requests. Administrative routes,
 * metrics and routes of handlers stay closed to such pages.
 */
import cors from '@koa/cors';
import type { Context, Middleware } from 'koa';
import type { Scope } from './api-keys.js';
import type { PageOrigins } from './page-origins.js';

/** The headers of answers that scripts of pages may read, besides those that they always may. */
const exposed = ['X-Request-Id', 'Retry-After', 'Server-Timing', 'Inference-Header-Content-Length'];

/** The seconds for which a browser need not ask again. */
const maxAge = 600;

/**
 * Answers the questions that browsers ask before a request, and marks the answers that pages may read.
 *
 * @param scopeOf is the scope of the route that takes a method at the path of a request; undefined if there is none, or
 * if it is a handler's
 */
export function allowPages(
  origins: PageOrigins,
  scopeOf: (ctx: Context, method: string) => Scope | undefined,
): Middleware {
  return cors({
    origin(ctx) {
      const origin = ctx.get('origin');
      const method = ctx.method === 'OPTIONS' ? ctx.get('access-control-request-method') : ctx.method;
      const scope = scopeOf(ctx, method);
      // No header is set without an origin.
      if (!origins.has(origin) || (scope !== 'infer' && scope !== 'open')) return '';
      return origins.takesAny ? '*' : origin;
    },
    // A page of any origin must not use what the browser knows of its reader, such as a certificate.
    credentials: !origins.takesAny,
    allowMethods: ['GET', 'HEAD', 'POST'],
    exposeHeaders: exposed,
    maxAge,
    // Errors leave through the same context, which has the headers.
    keepHeadersOnError: false,
  });
}
