/**
 * How inference requests of the protocol are read and answered.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { InferRequest } from '../../codec/infer-request.js';
import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { Head } from '../../http/head.js';
import type { BodyDecoder, InferenceProtocol } from '../../http/inference-protocol.js';
import type { CommonRequests } from '../../http/surface.js';
import { OipAnswers } from './answers.js';
import { readRequest } from './read-request.js';
import { OipRequest, type Wanted } from './request.js';

const jsonType = 'application/json';
const binaryType = 'application/octet-stream';

/** Clients send these, the last one curl's `-d`; tritonclient says no type at all. Which it is, another header tells. */
const types: ReadonlySet<string> = new Set([jsonType, binaryType, '', 'application/x-www-form-urlencoded']);

const decoder: BodyDecoder = {
  mediaType: jsonType,
  decode: ({ req }, { bytes, claim }, limits) =>
    readRequest(bytes, jsonLength(req.headers, bytes.length), limits, claim),
};

/** @throws ServingError INVALID_ARGUMENT */
function jsonLength(headers: IncomingHttpHeaders, bodyLength: number): number {
  const text = headers['inference-header-content-length'];
  if (text === undefined) return bodyLength;
  const length = typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (length < 0)
    throw invalidArgument(
      `expected the bytes of the JSON as Inference-Header-Content-Length, got ${quoted(String(text))}`,
    );
  if (length === 0)
    throw new ServingError(
      'UNIMPLEMENTED',
      'bodies without JSON are not taken: send a JSON object that tells of the binary tensors behind it',
    );
  return length;
}

export const oipProtocol: InferenceProtocol = {
  decoder: ({ req }) => (types.has(mediaTypeOf(req)) ? decoder : undefined),
  refuseBody: async ({ req }) =>
    new ServingError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${quoted(mediaTypeOf(req))} is not supported; send ${jsonType}, or ${binaryType} for JSON with binary tensors behind it`,
    ),
  withHead: (request: InferRequest, _head: Head) => request,
  answerCodec: (_head, request) => new OipAnswers(request instanceof OipRequest ? request.wanted : asJson),
};

const asJson: Wanted = { id: undefined, isBinary: false, isBinaryOutput: new Map() };

/** Of clients that are no web pages: those are looked at more closely on the other way. */
export const commonRequests: CommonRequests = {
  path: (model) => `/v2/models/${encodeURIComponent(model)}/infer`,
  isCommon: ({ 'content-type': type, origin }) =>
    origin === undefined && (type === undefined || type === binaryType || type === jsonType),
  protocol: { ...oipProtocol, decoder: () => decoder },
};
