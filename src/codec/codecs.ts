/**
 * The encodings that requests and answers come in, by media type.
 */
import { decodeInferRequest } from './cbor-decode.js';
import { encodeCbor, encodeCborAnswer } from './cbor-encode.js';
import type { EncodedBody, InferAnswer } from './infer-answer.js';
import type { InferRequest } from './infer-request.js';
import { decodeJsonRequest } from './json-decode.js';
import { encodeJson, encodeJsonAnswer, encodeStrictJsonAnswer } from './json-encode.js';
import type { WireLimits } from './wire.js';

/** How answers are written. */
export interface AnswerCodec {
  readonly mediaType: string;
  encodeAnswer(answer: InferAnswer): EncodedBody;
  /** Anything without tensors: errors, states. */
  encodeValue(value: unknown): EncodedBody;
}

/** How inference requests are read. */
export interface RequestCodec {
  readonly mediaType: string;
  /** @throws ServingError INVALID_ARGUMENT */
  decode(body: Uint8Array, limits: WireLimits): InferRequest;
}

export const cborAnswers: AnswerCodec = {
  mediaType: 'application/cbor',
  encodeAnswer: encodeCborAnswer,
  encodeValue: encodeCbor,
};

export const jsonAnswers: AnswerCodec = {
  mediaType: 'application/json',
  encodeAnswer: encodeJsonAnswer,
  encodeValue: encodeJson,
};

/** For parsers that take no bare NaN. */
const strictJsonAnswers: AnswerCodec = {
  mediaType: 'application/json; strict=true',
  encodeAnswer: encodeStrictJsonAnswer,
  encodeValue: encodeJson,
};

export const cborRequests: RequestCodec = { mediaType: 'application/cbor', decode: decodeInferRequest };
const jsonRequests: RequestCodec = { mediaType: 'application/json', decode: decodeJsonRequest };

/** In the order in which they are preferred where a client does not care. */
export const answerCodecs: readonly AnswerCodec[] = [cborAnswers, jsonAnswers, strictJsonAnswers];
export const requestCodecs: readonly RequestCodec[] = [cborRequests, jsonRequests];
