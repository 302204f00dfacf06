/**
 * Passes requests that only the main thread can answer on to it: those of the control plane, for handlers, and whatever
 * else a worker does not know. They go through connections within the process, as the same HTTP.
 */
import { Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { httpStatusOf, ServingError } from '../errors.js';
import { errorValue } from '../http/answer/error-value.js';
import { connectionHeader, connectionOf } from '../http/connection/peer.js';
import { isLastOn } from '../http/connection/pipelined.js';

export interface ForwarderOptions {
  /** Opens a connection to the main thread. @returns the descriptor of this end */
  readonly connect: () => number;
  /** Aborted once the server has been told to stop. */
  readonly draining: AbortSignal;
}

/** The headers that concern one connection, and not the request (RFC 9110, section 7.6.1). */
const ofConnection: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection']);

export class Forwarder {
  private readonly agent: Agent;

  constructor(private readonly options: ForwarderOptions) {
    this.agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
    Object.assign(this.agent, {
      createConnection: () => new Socket({ fd: options.connect(), readable: true, writable: true }),
    });
  }

  /** Answers a request with what the main thread answers. */
  forward(req: IncomingMessage, res: ServerResponse): void {
    const headers = withoutConnection(req.rawHeaders);
    headers.push(connectionHeader, JSON.stringify(connectionOf(req)));
    // HTTP/1.0 may leave the host out, and the main thread is asked by HTTP/1.1.
    if (req.httpVersion === '1.0' && req.headers.host === undefined) headers.push('host', 'localhost');
    const passed = this.open(req, headers);
    if (!passed) {
      refuse(res);
      return;
    }
    let isOver = false;
    const giveUp = () => {
      if (isOver) return;
      isOver = true;
      passed.destroy();
      req.socket.destroy();
    };
    passed.on('continue', () => res.writeContinue());
    passed.on('response', (answer) => this.answer(answer, req, res, giveUp));
    passed.on('error', giveUp);
    // The client may leave while the main thread works on its request.
    res.on('close', () => {
      if (!res.writableFinished) giveUp();
    });
    // The main thread may answer before it has read the body. Then the rest of the body is read and dropped.
    req.on('error', giveUp);
    req.pipe(passed);
  }

  /** @returns undefined if no connection can be made: the process may have no descriptor left */
  private open({ method, url }: IncomingMessage, headers: string[]): ClientRequest | undefined {
    try {
      return request({ agent: this.agent, method, path: url, headers, setHost: false });
    } catch {
      return undefined;
    }
  }

  private answer(
    answer: IncomingMessage,
    req: IncomingMessage,
    res: ServerResponse,
    giveUp: () => void,
  ): void {
    if (this.options.draining.aborted && isLastOn(req.socket, res)) res.shouldKeepAlive = false;
    if (endsConnection(answer)) res.shouldKeepAlive = false;
    const headers = withoutConnection(answer.rawHeaders, 'transfer-encoding');
    res.writeHead(answer.statusCode as number, answer.statusMessage, headers);
    // A stream may take long to its first answer.
    res.flushHeaders();
    pipeline(answer, res, (error) => {
      if (error) giveUp();
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

function refuse(res: ServerResponse): void {
  const failure = new ServingError('UNAVAILABLE', 'the server has no descriptors left for connections', {
    retryAfter: 1,
  });
  res.writeHead(httpStatusOf.UNAVAILABLE, {
    'content-type': 'application/json',
    'retry-after': '1',
    connection: 'close',
  });
  res.end(`${JSON.stringify(errorValue(failure))}\n`);
}

/** True if the main thread would read nothing more by a connection of the client. */
function endsConnection({ headers }: IncomingMessage): boolean {
  return headers.connection?.toLowerCase() === 'close';
}

/** @returns names and values in turn, spelt as they came */
function withoutConnection(raw: readonly string[], ...more: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i] as string, raw[i + 1] as string];
    const lower = name.toLowerCase();
    if (ofConnection.has(lower) || more.includes(lower) || lower === connectionHeader) continue;
    kept.push(name, value);
  }
  return kept;
}
