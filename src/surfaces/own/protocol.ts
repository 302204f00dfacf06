/**
 * How inference requests of our own protocol are read and answered.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { answerCodecs, cborAnswers, cborRequests } from '../../codec/codecs.js';
import { adviceOnBody } from '../../codec/foreign-body.js';
import type { InferBody } from '../../codec/infer-body.js';
import { invalidArgument, ServingError } from '../../errors.js';
import { expectsContinue } from '../../http/body/body.js';
import { type InferenceProtocol, unsupportedType } from '../../http/inference-protocol.js';
import type { Head } from '../../http/request/head.js';
import type { CommonRequests } from '../../http/surface.js';
import { answerCodec } from './answers.js';
import { bodyDecoders, cborDecoder, decoderOf } from './body-decoders.js';
import { checkInferQuery } from './infer-query.js';
import { streamCodec } from './stream-codecs.js';

export const ownProtocol: InferenceProtocol = {
  decoders: bodyDecoders,
  decoder({ req, query }) {
    checkInferQuery(query);
    return decoderOf(req);
  },
  refuseBody,
  withHead: withQuery,
  answerCodec: (head) => answerCodec(head, answerCodecs),
  streamCodec,
};

/** Requests with CBOR in and out, and without a query. */
export const commonRequests: CommonRequests = {
  path: (model) => `/models/${encodeURIComponent(model)}/infer`,
  defaultPath: '/infer',
  isCommon: ({ 'content-type': type, accept }) =>
    type === cborRequests.mediaType &&
    (accept === undefined || accept === '*/*' || accept === cborAnswers.mediaType),
  protocol: {
    ...ownProtocol,
    decoder: () => cborDecoder,
    withHead: undefined,
    answerCodec: () => cborAnswers,
  },
};

/** Adds the signature and outputs in the query, for bodies without an envelope. */
function withQuery(request: InferBody, { query: { signature, outputs } }: Head): InferBody {
  if (signature === undefined && outputs === undefined) return request;
  if (Array.isArray(signature)) throw invalidArgument('`signature` comes twice in the query');
  if (signature !== undefined && request.signature !== undefined)
    throw invalidArgument('say the signature in the query or in the body, not in both');
  if (outputs !== undefined && request.outputs !== undefined)
    throw invalidArgument('say the outputs in the query or in the body, not in both');
  return {
    ...request,
    signature: signature ?? request.signature,
    outputs: outputs === undefined ? request.outputs : [outputs].flat().flatMap((names) => names.split(',')),
  };
}

async function refuseBody(head: Head, inputName: string): Promise<ServingError> {
  const advice = adviceOnBody(await firstBytes(head.req), inputName);
  return advice === undefined
    ? unsupportedType(ownProtocol, head)
    : new ServingError('UNSUPPORTED_MEDIA_TYPE', advice);
}

/** Reads the first bytes of a body that will be refused. */
async function firstBytes(req: IncomingMessage): Promise<Uint8Array> {
  const nothing = new Uint8Array(0);
  if (expectsContinue(req) || req.readableEnded) return nothing;
  if (req.readableLength === 0 && !req.complete) {
    await once(req, 'readable', { signal: AbortSignal.timeout(500) }).catch(() => undefined);
  }
  const chunk: unknown = req.read();
  return chunk instanceof Uint8Array ? chunk : nothing;
}
