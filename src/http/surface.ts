/**
 * A surface is a wire protocol. This is all that the server asks of one; `surfaces.ts` lists those there are.
 */
import type { IncomingMessage } from 'node:http';
import type { ServingError } from '../errors.js';
import type { Target } from '../serving/table.js';
import type { ErrorAnswer } from './answer/answer.js';
import type { InferenceProtocol } from './inference-protocol.js';
import type { Head } from './request/head.js';
import type { Place, TableRoute } from './routes/route.js';
import type { Services } from './services.js';

/** A wire protocol. */
export interface Surface {
  /** For errors of the server's own. */
  readonly name: string;
  /**
   * True for every path of this protocol, also for unknown ones: their 404 has this protocol's form. No two surfaces own the same
   * path. Our own protocol owns all paths that no other owns. Letters may come in any case.
   */
  owns(path: string): boolean;
  /** Its routes. Called once, when the server is made. @param services what routes other than inference work with */
  routes(services: Services): readonly (TableRoute | InferRoute)[];
  /**
   * What is answered in place of a result. If it throws, the client is answered with an INTERNAL error in JSON.
   *
   * @param error with its code, its message, after how many seconds to ask again, and as a fact what would help
   */
  errorAnswer(head: Head, error: ServingError): ErrorAnswer;
  /** The requests that need not pass Koa, if the protocol has such. */
  readonly common?: CommonRequests;
}

/** A path at which `POST` asks for one prediction, with keys of the scope `infer`. */
export interface InferRoute extends Place {
  readonly protocol: InferenceProtocol;
  /**
   * Which model is meant. Left out: the parameters `model`, `version` and `label` of the path say so.
   *
   * @param params of the path, by their names
   * @throws ServingError INVALID_ARGUMENT
   */
  readonly target?: ((params: Readonly<Record<string, string>>) => Target) | undefined;
}

/** The inference requests that clients of a protocol send as a rule. They need not pass Koa. */
export interface CommonRequests {
  /** The path that asks a model's serving version, spelt the usual way. */
  path(model: string): string;
  /** The path that asks the default model, if there is such. */
  readonly defaultPath?: string;
  /** True if `protocol` alone can answer this head: no other media type, for example. Called for each request: it must be cheap. */
  isCommon(headers: IncomingMessage['headers']): boolean;
  readonly protocol: InferenceProtocol;
}
