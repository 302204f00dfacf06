/** Writes answers in the encoding that the caller wants. */
import type { Context } from 'koa';
import { jsonAnswers, valueCodecs } from '../../codec/codecs.js';
import { httpStatusOf, type ServingError } from '../../errors.js';
import type { ErrorAnswer } from '../../http/answer/answer.js';
import { errorValue } from '../../http/answer/error-value.js';
import { send } from '../../http/answer/koa-exit.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { Head } from '../../http/request/head.js';
import { RefusedInputs } from '../../serving/refused-inputs.js';
import { exampleFor } from './example-request.js';
import { helpfulMessage } from './remedies.js';

/**
 * Chooses the encoding of an answer: what `Accept` asks for, else that of the request, else JSON.
 *
 * An `Accept` that nothing satisfies is ignored: an answer in another encoding says more than a refusal.
 *
 * @param codecs are the possible ones, among them one for JSON
 */
export function answerCodec<Codec extends { readonly mediaType: string }>(
  head: Pick<Head, 'req' | 'accepts'>,
  codecs: readonly Codec[],
): Codec {
  const ofType = (type: string) => codecs.find(({ mediaType }) => mediaType === type);
  const own = (ofType(mediaTypeOf(head.req)) ?? ofType(jsonAnswers.mediaType)) as Codec;
  const { accept } = head.req.headers;
  if (accept === undefined || accept === '*/*' || accept === own.mediaType) return own;
  const preferred = [own, ...codecs.filter((codec) => codec !== own)];
  const accepted = head.accepts(preferred.map(({ mediaType }) => mediaType));
  return preferred.find(({ mediaType }) => mediaType === accepted) ?? own;
}

/** Sends an answer without tensors. */
export function sendValue(ctx: Context, value: unknown): void {
  const codec = answerCodec(ctx, valueCodecs);
  send(ctx, codec.mediaType, codec.encodeValue(value));
}

/** Writes `{"status": "error", "error": {"code", "message", "example"?}}`. */
export function errorAnswer(head: Head, error: ServingError): ErrorAnswer {
  const { code, retryAfter } = error;
  const codec = answerCodec(head, valueCodecs);
  const example = error instanceof RefusedInputs ? exampleFor(head, error.signature) : undefined;
  return {
    status: httpStatusOf[code],
    mediaType: codec.mediaType,
    body: codec.encodeValue(errorValue({ code, message: helpfulMessage(error) }, example)),
    headers: retryAfter === undefined ? [] : ['retry-after', String(retryAfter)],
  };
}
