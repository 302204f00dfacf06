/** What a model with code of users around it adds to other models: endpoints, and what the code takes. */
import type { Context } from 'koa';
import type { Seconds } from '../time.js';

/** The endpoints of a model's own. */
export interface ModelRoutes {
  /** The methods that a path takes; none for a path that is not there. */
  methodsOf(path: string): readonly string[];
  /**
   * Answers a request, whose path the context has as `newRouterPath`.
   * @throws ServingError (rejects); an error with an HTTP status, if the code has thrown one
   */
  answer(ctx: Context): Promise<void>;
}

/** What the code around a model has done, for people. */
export interface HandlerFacts {
  /** How long it has kept the event loop. */
  readonly blocked: Blocked;
  /**
   * The runs of the model behind it, and the rows in them; undefined if that model has no queue of its own.
   */
  readonly runsBehind: { readonly runs: number; readonly rows: number } | undefined;
}

export interface Blocked {
  /** The number of calls of the handler's functions. */
  readonly calls: number;
  /** The time of all calls together. */
  readonly seconds: Seconds;
  /** The time of the longest call. */
  readonly longestSeconds: Seconds;
}
