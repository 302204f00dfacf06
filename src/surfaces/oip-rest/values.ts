/**
 * Answers of the protocol without tensors: always JSON.
 */
import type { Context } from 'koa';
import { encodeJson } from '../../codec/json/encode.js';
import { httpStatusOf, type ServingError } from '../../errors.js';
import { type ErrorAnswer, send } from '../../http/answer/answer.js';
import type { Head } from '../../http/request/head.js';

const mediaType = 'application/json';

export function sendValue(ctx: Context, value: unknown): void {
  send(ctx, { mediaType }, encodeJson(value));
}

/** `{"error": "…"}` */
export function errorAnswer(_head: Head, { code, message, retryAfter }: ServingError): ErrorAnswer {
  return {
    status: httpStatusOf[code],
    mediaType,
    body: encodeJson({ error: message }),
    headers: retryAfter === undefined ? [] : ['retry-after', String(retryAfter)],
  };
}
