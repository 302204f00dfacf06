/**
 * The rows of the route table: from these the router, the authentication and the OpenAPI document are made.
 */
import type { RouterContext } from '@koa/router';
import type { Scope } from '../access/api-keys.js';
import type { Operation } from './operation.js';

/** What every row has. */
export interface Place {
  /** As @koa/router writes them: `/models/:model`. */
  readonly path: string;
  /** The OpenAPI document leaves out a route without it. */
  readonly operation?: Operation;
}

/** One row of the table. */
export interface TableRoute extends Place {
  readonly method: 'GET' | 'POST';
  readonly scope: Scope;
  readonly handle: (ctx: RouterContext) => void | Promise<void>;
}

/** One that the OpenAPI document has. */
export interface Route extends TableRoute {
  readonly operation: Operation;
}
