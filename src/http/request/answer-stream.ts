/**
 * Sends several answers, one after another, in any protocol: as fast as the client reads, until there are no more, or
 * nobody wants more.
 */
import { once } from 'node:events';
import type { AnswerBody, EncodedBody } from '../../codec/infer-answer.js';
import { ServingError, shuttingDown } from '../../errors.js';
import { piecesInTurns, Turns } from '../../flow/turns.js';
import { unlessAborted } from '../../flow/unless-aborted.js';
import type { ServableId } from '../../serving/deployment.js';
import { disposeTensors, type NamedTensors } from '../../tfjs/tensors.js';
import { type Moment, now } from '../../time.js';
import type { Exit } from '../answer/exit.js';
import { toServingError } from '../answer/failure.js';
import { clientGone, whenFinished } from '../connection/finished.js';
import type { StreamCodec } from '../inference-protocol.js';
import type { InferenceServices } from '../services.js';

export interface AnswerStream {
  readonly exit: Exit;
  readonly codec: StreamCodec;
  readonly id: ServableId;
  readonly deadline: Moment;
}

/**
 * Sends answers until there are no more, the client leaves, or its time is over. A failure before the first answer has
 * the status of its error. A later failure is the last item.
 *
 * @returns the error that ended it early, if it had begun
 */
export async function sendAnswers(
  { draining, logger }: InferenceServices,
  { exit, codec, id, deadline }: AnswerStream,
  answers: AsyncGenerator<NamedTensors, void, void>,
): Promise<ServingError | undefined> {
  const { exchange } = exit;
  const { req, res } = exchange;
  const begin = () => {
    if (!res.headersSent) exit.beginStream(codec);
  };
  const ended = new AbortController();
  const end = (reason: ServingError) => ended.abort(reason);
  const timer = setTimeout(() => end(tooLate()), Math.max(0, deadline - now()));
  const drain = () => end(shuttingDown());
  draining.addEventListener('abort', drain);
  whenFinished(req.socket, res, () => end(clientGone()));
  /** True while an answer has begun and not ended. Nothing else can be said within it. */
  let isWithinAnswer = false;
  // A generator that waits for nothing would leave the event loop to nobody, and never reach its deadline.
  const turns = new Turns('in its turn');
  try {
    for (;;) {
      const pause = turns.pause();
      if (pause) await unlessAborted(ended.signal, pause);
      const coming = answers.next();
      const next = await unlessAborted(ended.signal, coming).catch((error: unknown) => {
        // The answer may still come, although nobody waits for it any more.
        coming.then(({ value }) => value && disposeTensors(value)).catch(() => {});
        throw error;
      });
      if (next.done) break;
      try {
        const answer = codec.encodeAnswer({ ...id, outputs: next.value });
        begin();
        isWithinAnswer = 'pieces' in answer;
        for await (const piece of piecesOf(answer, ended.signal)) {
          exchange.admitPart(piece.length);
          if (res.write(piece)) continue;
          const taken = exchange.waitForReader(piece.length);
          await unlessAborted(ended.signal, once(res, 'drain')).finally(taken);
        }
        ended.signal.throwIfAborted();
        isWithinAnswer = false;
      } finally {
        disposeTensors(next.value);
      }
    }
    begin();
    if (codec.encodeEnd) {
      const last = joined(codec.encodeEnd());
      exchange.admitPart(last.length);
      res.write(last);
    }
    return undefined;
  } catch (error) {
    if (!res.headersSent) throw error;
    const failure = toServingError(error, logger, exchange.requestId);
    if (isWithinAnswer) res.destroy();
    if (!res.destroyed) res.write(joined(codec.encodeError(failure)));
    return failure;
  } finally {
    clearTimeout(timer);
    draining.removeEventListener('abort', drain);
    // A generator that waits for ever must not keep the answer from ending.
    void answers.return().catch(() => {});
    if (res.headersSent) res.end();
  }
}

/** A short answer in one piece, made at once. A long one is made in turns until the stream ends. */
function piecesOf(answer: AnswerBody, ended: AbortSignal): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return 'parts' in answer ? [joined(answer)] : piecesInTurns(answer.pieces, () => !ended.aborted);
}

function joined({ parts, byteLength }: EncodedBody): Uint8Array {
  return Buffer.concat(parts, byteLength);
}

function tooLate(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', 'the answer was not complete within its time');
}
