import type { RouterContext } from '@koa/router';
import type { Scope } from './api-keys.js';

/** One row of the route table: from this both the router and the authentication are made. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** As @koa/router writes them: `/models/:model`. */
  readonly path: string;
  readonly scope: Scope;
  readonly handle: (ctx: RouterContext) => void | Promise<void>;
}
