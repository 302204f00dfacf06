/**
 * The parts of a request's head that decoders and encoders read. A Koa context has them. {@link PlainHead} reads them when they
 * are asked for, which is seldom.
 */
import type { IncomingMessage } from 'node:http';
import { type ParsedUrlQuery, parse as parseQuery } from 'node:querystring';
import accepts from 'accepts';

export interface Head {
  readonly req: IncomingMessage;
  readonly protocol: string;
  /** Without the query. */
  readonly path: string;
  /** Where an application mounts this one: what stands before the path. */
  readonly mountPath?: string;
  readonly query: ParsedUrlQuery;
  /** The first of the types that the client takes, as `Accept` has them; false if it takes none. */
  accepts(types: string[]): string | false;
}

/** The head of a request that did not pass Koa. */
export class PlainHead implements Head {
  readonly protocol = 'http';

  constructor(readonly req: IncomingMessage) {}

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
