/**
 * The end of an exchange: one answer, one error, or one stream.
 *
 * Inference requests end here whichever entrance they used, and so do the errors of all other routes. What holds for
 * every answer is said here. The two kinds of exit only write: `direct-exit.ts` past Koa, `koa-exit.ts` through it.
 */
import { httpStatusOf } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import { expectsContinue } from '../body/body.js';
import { whenFinished } from '../connection/finished.js';
import type { Exchange } from '../request/exchange.js';
import type { Head } from '../request/head.js';
import type { Surface } from '../surface.js';
import { type Answer, type ErrorAnswer, headersOf, needsOutputs } from './answer.js';
import { toServingError } from './failure.js';
import { drained, mustRefuseBody } from './refused-body.js';
import { surfaceError } from './surface-error.js';

/** Either `answer` is called, or `fail`, or `beginStream` and then `endStream`. */
export abstract class Exit {
  constructor(
    readonly exchange: Exchange,
    readonly head: Head,
    private readonly logger: Logger,
  ) {}

  /** The surface that errors are answered in. */
  protected abstract get surface(): Surface;

  /** Writes an answer with these headers and no others of its own. */
  protected abstract write(answer: Answer, headers: string[]): void;

  /** Called before the exit writes to Node's response by itself. */
  protected abstract takeOver(): void;

  /** @param freeBody is called once nothing of the answer's body is needed any more */
  answer(answer: Answer, freeBody: () => void = () => {}): void {
    const { exchange } = this;
    exchange.headIsNext();
    this.write(answer, headersOf(exchange, answer));
    if (needsOutputs(answer.body)) whenFinished(exchange.req.socket, exchange.res, freeBody);
    else freeBody();
    this.ended();
  }

  /** Answers with an error. Anything else that was thrown is a fault of ours, which the log has. */
  fail(thrown: unknown): void {
    const { exchange, head, logger } = this;
    const error = toServingError(thrown, logger, exchange.requestId);
    const { code, message } = error;
    exchange.status = code;
    logger.debug({ code, path: head.path, request_id: exchange.requestId }, message);
    if (exchange.isGone) {
      exchange.res.statusCode = httpStatusOf[code];
      this.ended();
      return;
    }
    const answer = surfaceError(this.surface, head, error, logger);
    exchange.bytesOut = answer.body.byteLength;
    if (mustRefuseBody(exchange.req, error)) this.refuseBody(answer);
    else this.answer(answer);
  }

  /** Writes the head of a stream. From then on the caller writes. */
  beginStream({ mediaType, headers = [] }: { mediaType: string; headers?: readonly string[] }): void {
    const { exchange } = this;
    this.takeOver();
    exchange.headIsNext();
    const all = ['Cache-Control', 'no-store', ...headers];
    exchange.res.writeHead(200, headersOf(exchange, { mediaType, headers: all }));
  }

  /** @param failure ended the stream early */
  endStream(failure: { readonly code: Exchange['status'] } | undefined): void {
    this.exchange.status = failure?.code ?? 'ok';
    this.ended();
  }

  /** The answer was given to Node, or will be by Koa. */
  protected ended(): void {
    this.exchange.answered();
  }

  /** Answers while more of the body is still coming, and ends the connection. */
  private refuseBody(answer: ErrorAnswer): void {
    const closing = { ...answer, headers: [...answer.headers, 'connection', 'close'] };
    const { exchange } = this;
    const { req, res } = exchange;
    // A client that waits for "100 Continue" sends nothing more.
    if (expectsContinue(req)) {
      this.answer(closing);
      return;
    }
    this.takeOver();
    res.writeHead(answer.status, headersOf(exchange, closing));
    res.write(Buffer.concat(answer.body.parts));
    void drained(req, res).then(() => {
      res.end();
      this.ended();
    });
  }
}
