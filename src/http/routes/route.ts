/** The rows of the route table. The router, the authentication and the OpenAPI document are made from them. */
import type { RouterContext } from '@koa/router';
import type { Scope } from '../access/api-keys.js';
import type { Operation } from './operation.js';

/** What every row has. */
export interface Place {
  /** A pattern of @koa/router: `/models/:model`. */
  readonly path: string;
  /** The operation. The OpenAPI document leaves out a route without it. */
  readonly operation?: Operation;
}

/** One row of the table: a route that answers by itself. */
export interface TableRoute extends Place {
  readonly method: 'GET' | 'POST';
  /** What a key must be good for, if the server has keys. `open` asks for no key. */
  readonly scope: Scope;
  /** Answers. @throws ServingError (or rejects), which is answered in the surface's form */
  readonly handle: (ctx: RouterContext) => void | Promise<void>;
}

/** A row that the OpenAPI document has. */
export interface Route extends TableRoute {
  readonly operation: Operation;
}
