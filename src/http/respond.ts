/**
 * Answers in the caller's encoding.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { z } from 'zod';
import { jsonAnswers, valueCodecs } from '../codec/codecs.js';
import type { AnswerBody, BodyInPieces } from '../codec/infer-answer.js';
import { errorCodeOf, httpStatusOf, messageOf, ServingError } from '../errors.js';
import { RefusedInputs } from '../serving/refused-inputs.js';
import type { Logger } from '../telemetry/logger.js';
import { inTurns } from '../turns.js';
import type { errorSchema } from './answer-schemas.js';
import { expectsContinue, hasBody } from './body.js';
import { exampleFor } from './example-request.js';
import { mediaTypeOf } from './media-type.js';

/** After an early refusal, this much more of the body is read so that the client gets to read the answer. */
export const drainBytes = 1024 * 1024;
const drainMilliseconds = 2000;

/**
 * The encoding for an answer: what `Accept` asks for, else that of the request, else JSON.
 *
 * An `Accept` that nothing satisfies is answered as if it were not there: an answer in another encoding says more than a refusal.
 *
 * @param codecs those there are for it, of which one is JSON
 */
export function answerCodec<Codec extends { readonly mediaType: string }>(
  ctx: Context,
  codecs: readonly Codec[],
): Codec {
  const ofType = (type: string) => codecs.find(({ mediaType }) => mediaType === type);
  const own = (ofType(mediaTypeOf(ctx.req)) ?? ofType(jsonAnswers.mediaType)) as Codec;
  const preferred = [own, ...codecs.filter((codec) => codec !== own)];
  const accepted = ctx.accepts(preferred.map(({ mediaType }) => mediaType));
  return preferred.find(({ mediaType }) => mediaType === accepted) ?? own;
}

/**
 * Sends an encoded body. Several parts leave one after another, without being copied together; pieces are made as fast as the
 * client takes them, and no more once it has left.
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
  // After the body, which sets both to guesses.
  ctx.type = mediaType;
  if (body.byteLength !== undefined) ctx.length = body.byteLength;
}

/** Bytes of pieces that are made before the client takes them. */
const piecesAhead = 2 ** 18;

/** The pieces of a body, made in turns until its answer is over. */
export function streamOf({ pieces }: BodyInPieces, res: ServerResponse): Readable {
  const isWanted = () => !res.closed && res.socket?.destroyed === false;
  return Readable.from(buffersOf(inTurns(pieces, isWanted)), {
    objectMode: false,
    highWaterMark: piecesAhead,
  });
}

async function* buffersOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  for await (const piece of pieces) yield toBuffer(piece);
}

export function toBuffer(part: Uint8Array): Buffer {
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}

/** Answers with anything that holds no tensors. */
export function sendValue(ctx: Context, value: unknown): void {
  const codec = answerCodec(ctx, valueCodecs);
  send(ctx, codec, codec.encodeValue(value));
}

/** Whatever was thrown, as an error that a caller may see. The text of our own faults stays in the log. */
export function toServingError(error: unknown, logger: Logger, requestId: string): ServingError {
  if (error instanceof ServingError) return error;
  const status: unknown = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 413) return new ServingError('PAYLOAD_TOO_LARGE', 'the body is too large');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new ServingError(errorCodeOf(status) ?? 'INVALID_ARGUMENT', messageOf(error));
  logger.error({ err: error, request_id: requestId }, 'a request failed unexpectedly');
  return new ServingError('INTERNAL', 'an internal error; the log has the details');
}

/** What is answered in place of a result. @param example a line of shell that would work */
export function errorValue({ code, message }: ServingError, example?: string): z.output<typeof errorSchema> {
  return { status: 'error', error: { code, message, ...(example === undefined ? {} : { example }) } };
}

/** Every 404 of ours says where to look. */
export function withDocs(error: ServingError): ServingError {
  if (httpStatusOf[error.code] !== 404 || error.message.includes('/docs')) return error;
  return new ServingError(error.code, `${error.message}; see /docs`);
}

/** Answers `{"status": "error", "error": {"code", "message", "example"?}}`. */
export async function sendError(ctx: Context, error: ServingError): Promise<void> {
  const { code, retryAfter } = error;
  ctx.status = httpStatusOf[code];
  if (retryAfter !== undefined) ctx.set('retry-after', String(retryAfter));
  const example = error instanceof RefusedInputs ? exampleFor(ctx, error.signature) : undefined;
  sendValue(ctx, errorValue(error, example));
  const isSlow = code === 'REQUEST_TIMEOUT';
  if (!ctx.req.complete && hasBody(ctx.req) && (isSlow || !isSoonOver(ctx))) await refuseRestOfBody(ctx);
}

/** A short body that is on its way anyway: Node reads it away, and the connection can be used on. */
function isSoonOver({ req }: Context): boolean {
  return (
    Number(req.headers['content-length'] ?? Number.POSITIVE_INFINITY) <= drainBytes && !expectsContinue(req)
  );
}

/**
 * Sends the answer while the client may still be sending. To close at once would reset the connection under a client that
 * has not read the answer; to read on for ever would let it send what was just refused.
 */
async function refuseRestOfBody(ctx: Context): Promise<void> {
  ctx.set('connection', 'close');
  // A client that waits for "100 Continue" sends nothing more.
  if (expectsContinue(ctx.req)) return;
  const { req, res } = ctx;
  const body: unknown = ctx.body;
  ctx.respond = false;
  res.writeHead(res.statusCode);
  res.write(body);
  await new Promise<void>((resolve) => {
    let drained = 0;
    const timer = setTimeout(resolve, drainMilliseconds);
    req.on('data', (chunk: Buffer) => {
      drained += chunk.length;
      if (drained > drainBytes) resolve();
    });
    for (const event of ['end', 'close', 'error']) req.on(event, () => resolve());
    req.resume();
    res.on('close', () => clearTimeout(timer));
  });
  res.end();
}
