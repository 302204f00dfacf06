/**
 * The parts of a request's head that decoders and encoders read. A Koa context has them. {@link DirectHead} reads them
 * when they are asked for, which is rare.
 */
import type { IncomingMessage } from 'node:http';
import { type ParsedUrlQuery, parse as parseQuery } from 'node:querystring';
import accepts from 'accepts';
import { connectionOf } from '../connection/peer.js';

/** The head of a request, as surfaces read it. */
export interface Head {
  /** Node's own request. Only the server reads its body. */
  readonly req: IncomingMessage;
  /** The scheme: `http` or `https`. */
  readonly protocol: string;
  /** The path, without the query, escaped as it came. */
  readonly path: string;
  /** The part before the path, if an application mounts the server. */
  readonly mountPath?: string;
  /** The parameters behind the `?`, without escapes. */
  readonly query: ParsedUrlQuery;
  /** The first of these types that `Accept` takes; false if it takes none. */
  accepts(types: string[]): string | false;
}

/** The head of a request that did not pass Koa. */
export class DirectHead implements Head {
  constructor(readonly req: IncomingMessage) {}

  get protocol(): string {
    return connectionOf(this.req).scheme;
  }

  get path(): string {
    return this.split[0];
  }

  get query(): ParsedUrlQuery {
    return parseQuery(this.split[1]);
  }

  accepts(types: string[]): string | false {
    return accepts(this.req).type(types) as string | false;
  }

  private get split(): [path: string, query: string] {
    const { url = '' } = this.req;
    const mark = url.indexOf('?');
    return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
  }
}
