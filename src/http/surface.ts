/**
 * A surface is a wire protocol. The server asks no more of one than this. `surfaces.ts` lists the surfaces there are.
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
  /** The name, for errors of the server's own. */
  readonly name: string;
  /**
   * True for every path of this protocol, even an unknown one, whose 404 has the form of this protocol. No two surfaces
   * own the same path. Our own protocol owns all paths that no other owns. Letters may be in any case.
   */
  owns(path: string): boolean;
  /**
   * The routes. It is called once, when the server is made.
   * @param services are what routes other than inference work with
   */
  routes(services: Services): readonly (TableRoute | InferRoute)[];
  /**
   * The answer in place of a result. If it throws, the client gets an INTERNAL error in JSON.
   *
   * @param error has its code, its message, the seconds after which to ask again, and as a fact what would help
   */
  errorAnswer(head: Head, error: ServingError): ErrorAnswer;
  /** The requests that need not pass Koa, if the protocol has any. */
  readonly common?: CommonRequests;
}

/** A path at which `POST` asks for one prediction, with keys of the scope `infer`. */
export interface InferRoute extends Place {
  readonly protocol: InferenceProtocol;
  /**
   * The model that is meant. By default, the parameters `model`, `version` and `label` of the path say so.
   *
   * @param params of the path, by name
   * @throws ServingError INVALID_ARGUMENT
   */
  readonly target?: ((params: Readonly<Record<string, string>>) => Target) | undefined;
}

/** The inference requests that clients of a protocol usually send. They need not pass Koa. */
export interface CommonRequests {
  /** The path for the serving version of a model, in the usual spelling. */
  path(model: string): string;
  /** The path for the default model, if there is one. */
  readonly defaultPath?: string;
  /**
   * True if `protocol` alone can answer this head, for example if it has no other media type. It is called for each
   * request, so it must be cheap.
   */
  isCommon(headers: IncomingMessage['headers']): boolean;
  readonly protocol: InferenceProtocol;
}
