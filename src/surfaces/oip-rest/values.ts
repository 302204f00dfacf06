/**
 * Answers of the protocol without tensors: always JSON.
 */
import type { Context } from 'koa';
import { encodeJson } from '../../codec/json/encode.js';
import { httpStatusOf, type Remedy, type ServingError } from '../../errors.js';
import type { ErrorAnswer } from '../../http/answer/answer.js';
import { send } from '../../http/answer/koa-exit.js';
import type { Head } from '../../http/request/head.js';
import type { Dtype } from '../../tensors/dtypes.js';
import { datatypes } from './datatypes.js';

const mediaType = 'application/json';

export function sendValue(ctx: Context, value: unknown): void {
  send(ctx, mediaType, encodeJson(value));
}

/** Writes `{"error": "…"}`. */
export function errorAnswer(_head: Head, { code, message, retryAfter, remedy }: ServingError): ErrorAnswer {
  return {
    status: httpStatusOf[code],
    mediaType,
    body: encodeJson({ error: `${message}${remedy ? help(remedy) : ''}` }),
    headers: retryAfter === undefined ? [] : ['retry-after', String(retryAfter)],
  };
}

/** Describes a remedy with the paths of this protocol. They always name a model. */
function help(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'list models':
      return ': POST /v2/repository/index lists them';
    case 'load':
      return `: POST /v2/repository/models/${encodeURIComponent(remedy.model)}/load loads it again`;
    case 'look at a model':
      return '; POST /v2/repository/index says why';
    case 'look at the paths':
      return '; see docs/open-inference-protocol.md for those there are';
    case 'send a dtype':
      return `; as datatype ${datatypes[remedy.dtype as Dtype]}`;
    case 'name a model':
      return '';
  }
}
