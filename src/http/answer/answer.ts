/** Sends answers, through Koa or past it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { AnswerBody, BodyInPieces, EncodedBody } from '../../codec/infer-answer.js';
import type { ServingError } from '../../errors.js';
import { piecesInTurns } from '../../flow/turns.js';
import type { Milliseconds } from '../../time.js';
import { expectsContinue, hasBody } from '../body/body.js';
import { whenFinished } from '../connection/finished.js';
import type { Exchange } from '../request/exchange.js';

/** The bytes of a refused body that are still read, so that the client gets to read the answer. */
const drainBytes = 1024 * 1024;
const drainTime: Milliseconds = 2000;

/** An answer before it is sent. */
export interface Answer {
  readonly status: number;
  /** The content type, with its parameters. */
  readonly mediaType: string;
  readonly body: AnswerBody;
  /** Names and values in turn, besides the headers that every answer has. */
  readonly headers: readonly string[];
}

/** An answer in place of a result. It is short and whole. */
export interface ErrorAnswer extends Answer {
  readonly body: EncodedBody;
}

/** Makes Koa send an answer. */
export function setAnswer(ctx: Context, { status, mediaType, body, headers }: Answer): void {
  ctx.status = status;
  for (let i = 0; i < headers.length; i += 2) ctx.set(String(headers[i]), String(headers[i + 1]));
  send(ctx, { mediaType }, body);
}

/**
 * Sends an answer past Koa.
 *
 * @param freeBody is called when the memory of the body may be freed
 */
export function writeAnswer(exchange: Exchange, answer: Answer, freeBody: () => void = () => {}): void {
  const { res } = exchange;
  const { body } = answer;
  exchange.headIsNext();
  res.writeHead(answer.status, headOf(exchange, answer));
  if ('pieces' in body) {
    whenFinished(exchange.req.socket, res, freeBody);
    streamOf(body, res).pipe(res);
  } else {
    const { parts } = body;
    for (let i = 0; i < parts.length - 1; i++) res.write(toBuffer(parts[i] as Uint8Array));
    res.end(toBuffer(parts.at(-1) ?? nothing));
    // A single part is a copy. If there are several, the long ones are views on the outputs.
    if (parts.length === 1) freeBody();
    else whenFinished(exchange.req.socket, res, freeBody);
  }
  exchange.answered();
}

const nothing = new Uint8Array(0);

function headOf({ requestId }: Exchange, { mediaType, headers, body: { byteLength } }: Answer): string[] {
  const head = ['x-request-id', requestId, ...headers, 'Content-Type', mediaType];
  if (byteLength !== undefined) head.push('Content-Length', String(byteLength));
  return head;
}

/**
 * Makes Koa send an encoded body. Several parts are sent one after another, without being copied together. Pieces are
 * made as fast as the client takes them, and no more once it has left.
 */
export function send(ctx: Context, { mediaType }: { readonly mediaType: string }, body: AnswerBody): void {
  if ('pieces' in body) {
    ctx.body = streamOf(body, ctx.res);
  } else {
    const [only] = body.parts;
    ctx.body =
      body.parts.length === 1 && only
        ? toBuffer(only)
        : Readable.from(body.parts.map(toBuffer), { objectMode: false });
  }
  // This follows the body, which sets both headers to guesses. `ctx.type` would add a charset, which JSON does not
  // have.
  ctx.set('Content-Type', mediaType);
  if (body.byteLength !== undefined) ctx.length = body.byteLength;
}

/** The bytes of pieces that are made before the client takes them. */
const piecesAhead = 2 ** 18;

/** The pieces of a body as a stream. They are made in turns, until the answer is over. */
function streamOf({ pieces }: BodyInPieces, res: ServerResponse): Readable {
  const isWanted = () => !res.closed && res.socket?.destroyed === false;
  return Readable.from(buffersOf(piecesInTurns(pieces, isWanted)), {
    objectMode: false,
    highWaterMark: piecesAhead,
  });
}

async function* buffersOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  for await (const piece of pieces) yield toBuffer(piece);
}

function toBuffer(part: Uint8Array): Buffer {
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}

/** Makes Koa answer with an error. */
export async function sendError(ctx: Context, error: ServingError, answer: ErrorAnswer): Promise<void> {
  setAnswer(ctx, answer);
  if (!mustRefuseBody(ctx.req, error)) return;
  ctx.set('connection', 'close');
  // A client that waits for "100 Continue" sends nothing more.
  if (expectsContinue(ctx.req)) return;
  const { req, res } = ctx;
  ctx.respond = false;
  res.writeHead(res.statusCode);
  res.write(Buffer.concat(answer.body.parts));
  await drained(req, res);
  res.end();
}

/** Answers with an error past Koa. */
export function writeError(exchange: Exchange, error: ServingError, answer: ErrorAnswer): void {
  const { req, res } = exchange;
  exchange.bytesOut = answer.body.byteLength;
  if (!mustRefuseBody(req, error)) {
    writeAnswer(exchange, answer);
    return;
  }
  const closing = { ...answer, headers: [...answer.headers, 'connection', 'close'] };
  if (expectsContinue(req)) {
    writeAnswer(exchange, closing);
    return;
  }
  const { parts, byteLength } = answer.body;
  res.writeHead(answer.status, headOf(exchange, closing));
  res.write(Buffer.concat(parts, byteLength));
  void drained(req, res).then(() => {
    res.end();
    exchange.answered();
  });
}

/**
 * True if more of the body is still coming than Node should read and drop. A short rest is read, so that the connection
 * stays usable.
 */
function mustRefuseBody(req: IncomingMessage, { code }: ServingError): boolean {
  if (req.complete || !hasBody(req)) return false;
  const length = Number(req.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return code === 'REQUEST_TIMEOUT' || length > drainBytes || expectsContinue(req);
}

/**
 * Resolves when the client has had time to read an answer while it may still be sending. Closing at once would reset
 * the connection before it has read. Reading on for ever would let it send the refused body.
 */
function drained(req: IncomingMessage, res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, drainTime);
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > drainBytes) resolve();
    });
    for (const event of ['end', 'close', 'error']) req.on(event, () => resolve());
    req.resume();
    res.on('close', () => clearTimeout(timer));
  });
}
