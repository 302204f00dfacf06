/**
 * The common inference request, past Koa: CBOR in and out, with a body of known length.
 *
 * It takes a request only if it can answer it just as the general way does (`routes/infer.ts`), and hands everything else
 * to that, failures too. What it saves is Koa's context, the router's match, and a dozen listeners and timers per request,
 * which are most of the time that a small model's request takes: see docs/performance.md.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { cborAnswers, cborRequests } from '../codec/codecs.js';
import type { AnswerBody } from '../codec/infer-answer.js';
import type { InferRequest } from '../codec/infer-request.js';
import type { Claim } from '../codec/steps.js';
import { httpStatusOf, type ServingError } from '../errors.js';
import { streamingHandler } from '../handlers/stream.js';
import type { Signature } from '../runtime/signature.js';
import { disposeTensors } from '../runtime/tensors.js';
import { queueFull } from '../serving/batcher.js';
import { Cancellation } from '../serving/cancellation.js';
import type { PredictResult } from '../serving/predict.js';
import { refusedInputs } from '../serving/refused-inputs.js';
import type { Table, Target } from '../serving/table.js';
import type { ApiKeys } from './api-keys.js';
import { unpacksTooLarge } from './body.js';
import { Arrival } from './byte-budget.js';
import { clientGone, cutOffIfStalled, whenFinished, whenSocketCloses } from './finished.js';
import { predictDecoded } from './predict-decoded.js';
import { isPlainHead } from './request-head.js';
import { requestIdOf } from './request-id.js';
import { drainBytes, errorValue, streamOf, toBuffer, toServingError } from './respond.js';
import { ServerTiming } from './server-timing.js';
import type { Services } from './services.js';
import { readTimeout } from './timeout.js';

export interface Shortcut {
  readonly listener: RequestListener;
  /** Requests that it has taken and not answered. */
  readonly underWay: number;
}

/**
 * @param general takes every other request
 * @param fail answers a failure as the general way would
 */
export function createShortcut(
  services: Services,
  keys: ApiKeys,
  general: RequestListener,
  fail: (req: IncomingMessage, res: ServerResponse, error: ServingError) => void,
): Shortcut {
  const paths = new Paths();
  const shared = { services, fail, underWay: 0 };
  return {
    listener(req, res) {
      const { table } = services.manager;
      const target = req.method === 'POST' ? paths.target(table, req.url ?? '') : undefined;
      const length = target && lengthIfCommon(req, services, keys);
      if (target && length !== undefined) new Exchange(req, res, length, shared).start(target);
      else general(req, res);
    },
    get underWay() {
      return shared.underWay;
    },
  };
}

/** The paths that requests are sent to as a rule, spelt the usual way. */
class Paths {
  private table: Table | undefined;
  private targets = new Map<string, Target>();

  target(table: Table, path: string): Target | undefined {
    if (table !== this.table) {
      this.table = table;
      this.targets = new Map();
      for (const { name: model, serving } of table.models.values()) {
        // Answers that come one after another are sent the general way.
        if (serving && streamingHandler(serving)) continue;
        this.targets.set(`/models/${encodeURIComponent(model)}/infer`, { model });
        if (model === table.defaultModel) this.targets.set('/infer', {});
      }
    }
    return this.targets.get(path);
  }
}

/** The length of the body, if nothing in the head asks for more than the short cut can do. */
function lengthIfCommon(req: IncomingMessage, services: Services, keys: ApiKeys): number | undefined {
  const { headers } = req;
  const { accept } = headers;
  const length = Number(headers['content-length']);
  const isCommon =
    headers['content-type'] === cborRequests.mediaType &&
    isPlainHead(req, services.hosts) &&
    (accept === undefined || accept === '*/*' || accept === cborAnswers.mediaType) &&
    length > 0 &&
    length <= services.bodyLimits.maxBytes &&
    headers['content-encoding'] === undefined &&
    !services.draining.aborted &&
    (!keys.configured || keys.scopesOf(String(headers['x-api-key'] ?? ''))?.has('infer'));
  return isCommon ? length : undefined;
}

interface Shared {
  readonly services: Services;
  readonly fail: (req: IncomingMessage, res: ServerResponse, error: ServingError) => void;
  underWay: number;
}

/** One request and its answer. */
class Exchange extends Arrival {
  readonly started = performance.now();
  private readonly cancellation = new Cancellation();
  private body: Buffer | undefined;
  /** What the body was collected in, if it came in pieces. */
  private memory: Buffer | undefined;
  received = 0;
  reserved = 0;
  /** The decoder or the run holds the body's bytes, and says when it does not any more. */
  private isHandedOver = false;
  private unpacked = 0;
  private isOver = false;
  private model = '';
  private version: number | '' = '';
  /** The one that is meant if the body names none. */
  private signature: Signature | undefined;
  private stopWatching: () => void = () => {};
  private readonly startStallTimer: () => void;
  private readonly timing: ServerTiming | undefined;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly length: number,
    private readonly shared: Shared,
  ) {
    super();
    this.startStallTimer = cutOffIfStalled(res, shared.services.idleTimeout);
    this.timing = shared.services.serverTiming ? new ServerTiming() : undefined;
  }

  get timeout(): number {
    return this.shared.services.bodyLimits.timeout;
  }

  giveUp(error: ServingError): void {
    this.failed(error);
  }

  start(target: Target): void {
    const { req, shared } = this;
    const { manager, bodyLimits } = shared.services;
    shared.underWay += 1;
    this.stopWatching = whenSocketCloses(req.socket, this.socketClosed);
    try {
      const { id, isFull, defaultSignature } = manager.table.find(target);
      this.model = id.model;
      this.version = id.version;
      this.signature = defaultSignature;
      // Before a body is read that could not be queued.
      if (isFull) throw queueFull();
      bodyLimits.budget.reserve(this.length, this);
      this.reserved = this.length;
    } catch (error) {
      this.failed(error);
      return;
    }
    bodyLimits.budget.expect(this);
    req.on('data', this.take);
    req.on('end', () => this.run(target));
  }

  private readonly take = (chunk: Buffer): void => {
    if (this.isOver) return;
    const { length } = chunk;
    if (this.received === 0 && length === this.length) {
      this.body = chunk;
    } else {
      const { memory } = this.shared.services.bodyLimits;
      this.memory ??= memory.take(this.length);
      memory.move(chunk, this.memory, this.received);
      this.body = this.memory;
    }
    this.received += length;
  };

  private run(target: Target): void {
    const { services } = this.shared;
    services.bodyLimits.budget.forget(this);
    if (this.isOver || this.body === undefined) return;
    this.timing?.decodeBegins();
    try {
      const seconds = readTimeout(this.req.headers['x-request-timeout'], services.requestTimeout);
      const deadline = this.started + seconds * 1000;
      const request = this.decode(this.body);
      if (request instanceof Promise) this.runLater(request, target, deadline);
      else this.predict(request, target, deadline);
    } catch (error) {
      this.failed(error);
    }
  }

  /** Once a body is decoded that takes a while. */
  private runLater(request: Promise<InferRequest>, target: Target, deadline: number): void {
    this.isHandedOver = true;
    request.then(
      (decoded) => this.predict(decoded, target, deadline),
      (error: unknown) => {
        this.release();
        this.failed(this.refused(error));
      },
    );
  }

  private predict(request: InferRequest, target: Target, deadline: number): void {
    const { services } = this.shared;
    const { cancellation, claim } = this;
    this.isHandedOver = true;
    const asked = { target, deadline, cancellation, settled: this.release, claim };
    const result = predictDecoded(services, request, asked);
    this.timing?.decodeEnds();
    result.then(this.answer, (error: unknown) => this.failed(error));
  }

  private decode(body: Uint8Array): InferRequest | Promise<InferRequest> {
    try {
      return cborRequests.decode(body, this.shared.services.wireLimits, this.claim);
    } catch (error) {
      throw this.refused(error);
    }
  }

  private refused(error: unknown): unknown {
    return refusedInputs(error, this.signature);
  }

  /** Takes more out of the budget, for what the body becomes. */
  private readonly claim: Claim = (bytes, kind) => {
    const { bodyLimits } = this.shared.services;
    if (kind === 'unpacked') this.unpacked += bytes;
    if (this.unpacked > bodyLimits.maxBytes) throw unpacksTooLarge(bodyLimits);
    bodyLimits.budget.reserve(bytes, this);
    this.reserved += bytes;
  };

  private readonly release = (): void => {
    const { budget, memory } = this.shared.services.bodyLimits;
    budget.release(this.reserved);
    this.reserved = 0;
    if (this.memory) memory.giveBack(this.memory);
    this.memory = undefined;
  };

  private readonly answer = (result: PredictResult): void => {
    const { req, res, timing } = this;
    this.version = result.version;
    if (this.isOver || req.socket.destroyed) {
      disposeTensors(result.outputs);
      return;
    }
    let encoded: AnswerBody;
    try {
      timing?.encodeBegins();
      encoded = cborAnswers.encodeAnswer(result);
      const head = ['x-request-id', requestIdOf(req), 'Content-Type', cborAnswers.mediaType];
      if (timing) head.push('Server-Timing', timing.value(result));
      if (encoded.byteLength !== undefined) head.push('Content-Length', String(encoded.byteLength));
      res.writeHead(200, head);
    } catch (error) {
      disposeTensors(result.outputs);
      this.failed(error);
      return;
    }
    if ('pieces' in encoded) {
      streamOf(encoded, res).pipe(res);
      whenFinished(req.socket, res, () => {
        disposeTensors(result.outputs);
        this.over('ok');
      });
      this.startStallTimer();
      return;
    }
    const { parts } = encoded;
    for (let i = 0; i < parts.length - 1; i++) res.write(toBuffer(parts[i] as Uint8Array));
    res.end(toBuffer(parts.at(-1) as Uint8Array));
    // A single part has been copied together; of several, the long ones are views on the outputs.
    if (parts.length === 1) disposeTensors(result.outputs);
    else whenFinished(req.socket, res, () => disposeTensors(result.outputs));
    const hasLeft = res.socket !== null && res.socket.writableLength === 0;
    if (hasLeft) {
      this.over('ok');
      return;
    }
    this.startStallTimer();
    whenFinished(req.socket, res, () => this.over('ok'));
  };

  private failed(error: unknown): void {
    if (this.isOver) return;
    const { req, res, shared } = this;
    const failure = toServingError(error, shared.services.logger, requestIdOf(req));
    req.off('data', this.take);
    req.pause();
    this.over(failure.code);
    if (failure.code === 'UNAVAILABLE' && this.length <= drainBytes) this.refuse(failure);
    else shared.fail(req, res, failure);
  }

  /**
   * Answers that there is too much to do, as the general way would. Under overload most requests end here, and while they
   * are dearer than those that are served, they leave these no time. Node reads away what is still to come of the body.
   */
  private refuse(failure: ServingError): void {
    const { req, res, shared } = this;
    const requestId = requestIdOf(req);
    shared.services.logger.debug(
      { code: failure.code, path: req.url, request_id: requestId },
      failure.message,
    );
    const { parts, byteLength } = cborAnswers.encodeValue(errorValue(failure));
    const { retryAfter } = failure;
    res.writeHead(httpStatusOf[failure.code], [
      ...['x-request-id', requestId],
      ...(retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]),
      ...['Content-Type', cborAnswers.mediaType],
      ...['Content-Length', String(byteLength)],
    ]);
    res.end(Buffer.concat(parts, byteLength));
    if (res.socket !== null && res.socket.writableLength > 0) this.startStallTimer();
  }

  private readonly socketClosed = (): void => {
    this.cancellation.cancel(clientGone);
    this.over('CANCELLED');
  };

  /** Counts it, once, and gives back what it holds. */
  private over(status: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopWatching();
    const { model, version, started, shared } = this;
    shared.services.bodyLimits.budget.forget(this);
    shared.underWay -= 1;
    if (!this.isHandedOver) this.release();
    shared.services.telemetry.observe({
      model,
      version,
      status,
      seconds: (performance.now() - started) / 1000,
    });
  }
}
