/**
 * Answers that come one after another: as server-sent events, or as a CBOR sequence (RFC 8742).
 */
import { once } from 'node:events';
import { cborAnswers, jsonAnswers } from '../../codec/codecs.js';
import { type AnswerBody, type EncodedBody, encodedBody } from '../../codec/infer-answer.js';
import { ServingError, shuttingDown } from '../../errors.js';
import { piecesInTurns, Turns } from '../../flow/turns.js';
import { errorValue } from '../../http/answer/error-value.js';
import { toServingError } from '../../http/answer/failure.js';
import { clientGone, whenFinished } from '../../http/connection/finished.js';
import type { StreamRequest } from '../../http/inference-protocol.js';
import type { Services } from '../../http/services.js';
import type { ServableId } from '../../serving/deployment.js';
import { disposeTensors, type NamedTensors } from '../../tfjs/tensors.js';

interface StreamCodec {
  readonly mediaType: string;
  /** @throws ServingError as the codec of its answers does */
  answer(id: ServableId, outputs: NamedTensors): AnswerBody;
  error(error: ServingError): Uint8Array;
}

const eventStart = Buffer.from('event: message\ndata: ');
const eventEnd = Buffer.from('\n');

const events: StreamCodec = {
  mediaType: 'text/event-stream',
  answer: (id, outputs) => event(jsonAnswers.encodeAnswer({ ...id, outputs })),
  error: (error) =>
    Buffer.concat([
      Buffer.from('event: error\ndata: '),
      joined(jsonAnswers.encodeValue(errorValue(error))),
      eventEnd,
    ]),
};

const cborSequence: StreamCodec = {
  mediaType: 'application/cbor-seq',
  answer: (id, outputs) => cborAnswers.encodeAnswer({ ...id, outputs }),
  error: (error) => joined(cborAnswers.encodeValue(errorValue(error))),
};

export const streamCodecs: readonly StreamCodec[] = [events, cborSequence];

/** The JSON is one line. */
function event(body: AnswerBody): AnswerBody {
  if ('parts' in body) return encodedBody([eventStart, ...body.parts, eventEnd]);
  return { pieces: within(body.pieces), byteLength: undefined };
}

function* within(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  yield eventStart;
  yield* pieces;
  yield eventEnd;
}

function joined({ parts, byteLength }: EncodedBody): Uint8Array {
  return Buffer.concat(parts, byteLength);
}

/**
 * Sends answers until there are no more, the client leaves, or its time is over. What goes wrong before the first one has the
 * status of its error; later, it is the last item.
 *
 * @returns what ended it before its end, if it had begun
 */
export async function sendStream(
  { draining, logger }: Services,
  { exchange, head, id, deadline, begins }: StreamRequest,
  answers: AsyncGenerator<NamedTensors, void, void>,
): Promise<ServingError | undefined> {
  const { req, res } = exchange;
  const accepted = head.accepts(streamCodecs.map(({ mediaType }) => mediaType));
  const codec = streamCodecs.find(({ mediaType }) => mediaType === accepted) ?? events;
  const begin = () => {
    if (res.headersSent) return;
    begins();
    res.setHeader('x-request-id', exchange.requestId);
    res.setHeader('Content-Type', codec.mediaType);
    res.setHeader('Cache-Control', 'no-store');
    res.writeHead(200);
  };
  const ended = new AbortController();
  const end = (reason: ServingError) => ended.abort(reason);
  const timer = setTimeout(() => end(tooLate()), Math.max(0, deadline - performance.now()));
  const drain = () => end(shuttingDown());
  draining.addEventListener('abort', drain);
  whenFinished(req.socket, res, () => end(clientGone()));
  /** An answer has begun and not ended: nothing else can be said within it. */
  let isWithinAnswer = false;
  // A generator that waits for nothing would leave the loop to nobody, and never meet its deadline.
  const turns = new Turns('in its turn');
  try {
    for (;;) {
      const pause = turns.pause();
      if (pause) await unlessEnded(ended.signal, pause);
      const coming = answers.next();
      const next = await unlessEnded(ended.signal, coming).catch((error: unknown) => {
        // It may come yet, and nobody waits for it any more.
        coming.then(({ value }) => value && disposeTensors(value)).catch(() => {});
        throw error;
      });
      if (next.done) break;
      try {
        const answer = codec.answer(id, next.value);
        begin();
        isWithinAnswer = 'pieces' in answer;
        for await (const piece of piecesOf(answer, ended.signal)) {
          exchange.admitPart(piece.length);
          if (res.write(piece)) continue;
          const taken = exchange.waitForReader(piece.length);
          await unlessEnded(ended.signal, once(res, 'drain')).finally(taken);
        }
        ended.signal.throwIfAborted();
        isWithinAnswer = false;
      } finally {
        disposeTensors(next.value);
      }
    }
    begin();
    return undefined;
  } catch (error) {
    if (!res.headersSent) throw error;
    const failure = toServingError(error, logger, exchange.requestId);
    if (isWithinAnswer) res.destroy();
    if (!res.destroyed) res.write(codec.error(failure));
    return failure;
  } finally {
    clearTimeout(timer);
    draining.removeEventListener('abort', drain);
    // A generator that waits for something for ever must not keep the answer from ending.
    void answers.return().catch(() => {});
    if (res.headersSent) res.end();
  }
}

/** A short answer as one piece, at once; a long one in turns, until the stream ends. */
function piecesOf(answer: AnswerBody, ended: AbortSignal): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return 'parts' in answer ? [joined(answer)] : piecesInTurns(answer.pieces, () => !ended.aborted);
}

function tooLate(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', 'the answer was not complete within its time');
}

async function unlessEnded<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
