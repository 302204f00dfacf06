/**
 * One HTTP request and its answer. Every request has one, whichever way it takes, and it ends once, here.
 *
 * An exchange is also the record of its request, which metrics read at its end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ErrorCode, httpStatusOf, type ServingError } from '../../errors.js';
import { onlyLoop, SharedNumbers } from '../../flow/shared-numbers.js';
import {
  blankRecord,
  type RecordObserver,
  type RequestRecord,
  type RequestStatus,
} from '../../telemetry/request-record.js';
import { type Microseconds, type Moment, now, type Seconds, secondsSince } from '../../time.js';
import { anybody, type Principal } from '../access/api-keys.js';
import { whenFinished, whenSocketCloses } from '../connection/finished.js';
import { peerOf } from '../connection/peer.js';
import { isLastOn } from '../connection/pipelined.js';
import type { Stalls } from '../connection/stalls.js';
import type { UnreadAnswers } from '../connection/unread-answers.js';
import { requestIdOf } from './request-id.js';

/** All requests of a server, including those of the program that it runs in. */
export class Exchanges {
  private readonly refusals = new WeakMap<ServerResponse, ErrorCode>();

  /**
   * @param observers are told of each request that has ended
   * @param draining is aborted once the server has been told to stop; undefined if the connections are those of another program
   * @param numbers has in its first column the requests of each event loop
   */
  constructor(
    private readonly observers: readonly RecordObserver[],
    readonly stalls: Stalls,
    readonly unread: UnreadAnswers,
    readonly draining: AbortSignal | undefined,
    private readonly numbers: SharedNumbers = SharedNumbers.make(onlyLoop, 1),
  ) {}

  /** The number of requests that have begun and not ended, on all event loops together. */
  get underWay(): number {
    return this.numbers.total(0);
  }

  begun(): void {
    this.count(1);
  }

  ended(record: RequestRecord): void {
    this.count(-1);
    this.observe(record);
  }

  private count(requests: number): void {
    const { mine } = this.numbers;
    mine[0] = (mine[0] as number) + requests;
  }

  /** Reports a request that Node's parser refused, and that never became an exchange. */
  unreadable(peer: string, { code }: ServingError): void {
    const request = { via: 'http', method: '-', path: '-', httpVersion: '-', requestId: '-' } as const;
    this.observe({ ...blankRecord, ...request, peer, status: code, httpStatus: httpStatusOf[code] });
  }

  /** Says that Node's parser refused the body of a request, and that its answer was written past the exchange. */
  refused(res: ServerResponse, { code }: ServingError): void {
    this.refusals.set(res, code);
  }

  /** The code that a request was refused with by Node's parser; undefined for all others. */
  refusalOf(res: ServerResponse): ErrorCode | undefined {
    return this.refusals.get(res);
  }

  private observe(record: RequestRecord): void {
    for (const observe of this.observers) observe(record);
  }
}

export class Exchange implements RequestRecord {
  isInference = false;
  model = '';
  version: number | '' = '';
  /** Until there is an answer, the client may still leave. */
  status: RequestStatus = 'CANCELLED';
  principal: Principal = anybody;
  bytesIn = 0;
  bytesOut = 0;
  decodeMicros: Microseconds = 0;
  queueMicros: Microseconds = 0;
  runMicros: Microseconds = 0;
  encodeMicros: Microseconds = 0;
  batchSize = 0;
  seconds: Seconds = 0;
  /** Called if the connection closes before the answer has been sent. */
  onGone: (() => void) | undefined;

  readonly started: Moment = now();
  /** The bytes that wait for the client after the answer was given to Node. */
  private unread = 0;
  private isOver = false;
  private wasRead: (() => void) | undefined;
  private readonly stopWatching: () => void;

  constructor(
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    private readonly all: Exchanges,
  ) {
    all.begun();
    this.stopWatching = whenSocketCloses(req.socket, this.socketClosed);
    all.stalls.listen(res);
  }

  get via(): 'http' {
    return 'http';
  }

  get method(): string {
    return this.req.method ?? '';
  }

  get path(): string {
    return this.req.url ?? '';
  }

  get keyId(): string {
    return this.principal.id;
  }

  get requestId(): string {
    return requestIdOf(this.req);
  }

  get peer(): string {
    return peerOf(this.req) ?? '';
  }

  get httpStatus(): number {
    const { status, res } = this;
    return status === 'ok' || res.headersSent ? res.statusCode : httpStatusOf[status];
  }

  get httpVersion(): string {
    return this.req.httpVersion;
  }

  get userAgent(): string {
    return this.req.headers['user-agent'] ?? '';
  }

  get referer(): string {
    return this.req.headers.referer ?? '';
  }

  get isGone(): boolean {
    return this.isOver || this.req.socket.destroyed;
  }

  /**
   * Called before an answer is sent.
   *
   * @param bytes is the length of its body, or an estimate
   * @throws ServingError UNAVAILABLE if clients that do not read hold too much
   */
  admitAnswer(bytes: number): void {
    this.all.unread.makeRoom(bytes);
    this.countAnswer(bytes);
  }

  /** Called instead for an answer that is sent in any case, because operators look when memory is short. */
  countAnswer(bytes: number): void {
    this.bytesOut = bytes;
    this.unread = bytes;
  }

  /**
   * Called before one of several answers is sent.
   *
   * @throws ServingError UNAVAILABLE as {@link admitAnswer} does
   */
  admitPart(bytes: number): void {
    this.all.unread.makeRoom(bytes);
    this.bytesOut += bytes;
    // The answers before it have been taken.
    this.unread = bytes;
  }

  /** Counts bytes that wait for the client to read them. @returns a function that ends this */
  waitForReader(bytes: number): () => void {
    return this.all.unread.add(this.req.socket, bytes);
  }

  /**
   * Called right before the head of the answer is written. While the server drains, the last answer of a connection tells the
   * client to send nothing more by it.
   */
  headIsNext(): void {
    if (this.all.draining?.aborted && isLastOn(this.req.socket, this.res)) this.res.shouldKeepAlive = false;
  }

  /** Starts the client's idle timer. The exchange ends once the answer has been sent. */
  answered(): void {
    const { req, res } = this;
    if (res.writableEnded && res.socket !== null && res.socket.writableLength === 0) {
      this.end();
      return;
    }
    this.all.stalls.startTimer(res);
    this.wasRead = this.all.unread.add(req.socket, this.unread);
    whenFinished(req.socket, res, this.end);
  }

  private readonly end = (): void => {
    if (this.isOver) return;
    this.isOver = true;
    this.wasRead?.();
    this.stopWatching();
    if (this.status === 'CANCELLED') this.status = this.all.refusalOf(this.res) ?? 'CANCELLED';
    this.seconds = secondsSince(this.started);
    this.all.ended(this);
  };

  private readonly socketClosed = (): void => {
    this.onGone?.();
    if (this.status === 'ok' && !this.res.writableFinished) this.status = 'CANCELLED';
    this.end();
  };
}
