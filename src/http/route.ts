import type { RouterContext } from '@koa/router';
import type { Scope } from './access/api-keys.js';
import type { Operation } from './operation.js';

/** One row of the route table: from this the router, the authentication and the OpenAPI document are made. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** As @koa/router writes them: `/models/:model`. */
  readonly path: string;
  readonly scope: Scope;
  readonly operation: Operation;
  readonly handle: (ctx: RouterContext) => void | Promise<void>;
}
