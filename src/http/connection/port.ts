/** The port that the server listens on, with Node's HTTP server behind it. */
import {
  createServer as createHttpServer,
  type ServerOptions as HttpOptions,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, ServingError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import { inMilliseconds, type Microseconds, type Milliseconds, now, type Seconds } from '../../time.js';
import { nameOf } from '../access/hosts.js';
import type { Services } from '../services.js';
import { stayingAwake } from './busy-poll.js';
import type { Certificate } from './certificate.js';
import { answerParserErrors } from './client-error.js';
import { trustConnection } from './peer.js';
import { oneATurn } from './pipelined.js';

export interface PortOptions {
  /** A name or an address. An IPv6 address may be in brackets, as in a URL. */
  readonly host: string;
  /** The port; 0 picks a free one. */
  readonly port: number;
  /** How long a connection may be idle; 0 for any time. */
  readonly idleTimeout: Seconds;
  /** How long a body may take to arrive. */
  readonly bodyTimeout: Seconds;
  /** How long the event loop stays awake after a request. With 0 it sleeps at once. */
  readonly busyPollMicros: Microseconds;
  /** A socket that listens already, in place of host and port. */
  readonly descriptor?: number | undefined;
  /** The certificate. Without one, the port takes plain HTTP. */
  readonly certificate: Certificate | undefined;
}

/** How long a client may take to agree on TLS. */
const handshakeTime: Milliseconds = 10_000;

/** How long clients have for closing their ends. */
const partingTime: Milliseconds = 1000;

export class Port {
  private readonly http: Server;
  private readonly sockets = new Set<Socket>();
  private isClosing = false;

  constructor(
    private readonly options: PortOptions,
    listener: RequestListener,
    services: Pick<Services, 'logger' | 'exchanges'>,
  ) {
    const { idleTimeout, bodyTimeout, busyPollMicros, certificate } = options;
    const spread = oneATurn((req, res) => {
      if (this.isClosing) req.resume();
      else listener(req, res);
    });
    const awake = busyPollMicros > 0 ? stayingAwake(spread, busyPollMicros / 1000) : spread;
    const settings = {
      // Node's own answer would have no body.
      requireHostHeader: false,
      keepAliveTimeout: inMilliseconds(idleTimeout),
      // Node's own limit for head and body together is 300 s by default, and must not come before --body-timeout.
      requestTimeout: inMilliseconds(60 + bodyTimeout),
    };
    const http = certificate
      ? secureServer(certificate, settings, awake, services.logger)
      : createHttpServer(settings, awake);
    // Without a listener, Node asks every client for its body at once, even one that is about to be refused.
    http.on('checkContinue', (req, res) => http.emit('request', req, res));
    // Node's own answer to other expectations would have no body.
    http.on('checkExpectation', (req, res) => http.emit('request', req, res));
    // By default, Node leaves out headers after the 2,000th, which may be a second Host. A head has at most 16 KiB.
    http.maxHeadersCount = 0;
    http.on(certificate ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.sockets.add(socket);
      // Node keeps the address once it was asked for: records need it after the connection has closed.
      void socket.remoteAddress;
      socket.once('close', () => this.sockets.delete(socket));
    });
    answerParserErrors(http, services);
    this.http = http;
  }

  /** `http://127.0.0.1:50000`, or `https://…`, while it listens. */
  get address(): string | undefined {
    if (!this.http.listening) return undefined;
    const { address, port, family } = this.http.address() as AddressInfo;
    const scheme = this.options.certificate ? 'https' : 'http';
    return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** @throws ServingError (rejects) FAILED_PRECONDITION if the port cannot be opened */
  async listen(): Promise<void> {
    const { http } = this;
    const { host, port, descriptor } = this.options;
    const place =
      descriptor === undefined
        ? { port, host: host.startsWith('[') ? nameOf(host) : host }
        : { fd: descriptor };
    await new Promise<void>((resolve, reject) => {
      http.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? inUse : messageOf(error);
        reject(new ServingError('FAILED_PRECONDITION', `cannot listen on ${host}:${port}: ${why}`));
      });
      http.listen(place, resolve);
    });
  }

  /** Takes a connection that a worker has opened, for requests that it passes on. */
  adopt(descriptor: number): void {
    const socket = new Socket({ fd: descriptor });
    trustConnection(socket);
    this.http.emit('connection', socket);
  }

  /**
   * Takes no more connections and ends those that there are. A client may send a request at that moment: it is read and
   * dropped, so that the client sees the end of the connection and no reset.
   */
  async close(): Promise<void> {
    const { http, sockets } = this;
    this.isClosing = true;
    // `http.Server.close` would also cut idle connections off.
    NetServer.prototype.close.call(http);
    for (const socket of sockets) socket.end();
    const end = now() + partingTime;
    while (sockets.size > 0 && now() < end) await delay(10);
    http.closeAllConnections();
    http.close();
  }
}

function secureServer(
  certificate: Certificate,
  settings: HttpOptions,
  listener: RequestListener,
  logger: Logger,
): Server {
  const server = createHttpsServer(
    {
      ...settings,
      ...certificate.options,
      requestCert: certificate.asksClients,
      handshakeTimeout: handshakeTime,
    },
    listener,
  );
  // Among them are clients that speak plain HTTP, scanners, and clients without a certificate.
  server.on('tlsClientError', (error) =>
    logger.debug(`a client and the server did not agree on TLS: ${error.message}`),
  );
  certificate.keepCurrent(server);
  return server;
}

/** Closing a terminal does not end a server, so the program on the port is often an earlier server of ours. */
const inUse =
  'the port is in use (EADDRINUSE), perhaps by a server that was started before: stop that, or choose another with --port';
