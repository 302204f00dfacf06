/**
 * How inference requests of the protocol are read and answered.
 */
import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { BodyDecoder, InferenceProtocol } from '../../http/inference-protocol.js';
import type { CommonRequests } from '../../http/surface.js';
import { OipAnswers } from './answers.js';
import { rawRequest } from './raw-binary.js';
import { readRequest } from './read-request.js';
import { OipRequest, type Wanted } from './request.js';

const jsonType = 'application/json';
const binaryType = 'application/octet-stream';

/**
 * The types that clients send. The last is that of curl's `-d`, and tritonclient sends none. Another header says where
 * the JSON ends.
 */
const types: ReadonlySet<string> = new Set([jsonType, binaryType, '', 'application/x-www-form-urlencoded']);

const decoder: BodyDecoder = {
  mediaType: jsonType,
  decode({ req }, { bytes, claim }, limits) {
    const text = req.headers['inference-header-content-length'];
    if (text === '0') return rawRequest(bytes, claim);
    return readRequest(bytes, text === undefined ? bytes.length : jsonLength(text), limits, claim);
  },
};

/** @throws ServingError INVALID_ARGUMENT */
function jsonLength(text: string | string[]): number {
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text);
  throw invalidArgument(
    `expected the bytes of the JSON as Inference-Header-Content-Length, got ${quoted(String(text))}`,
  );
}

export const oipProtocol: InferenceProtocol = {
  decoders: [decoder],
  decoder: ({ req }) => (types.has(mediaTypeOf(req)) ? decoder : undefined),
  refuseBody: async ({ req }) =>
    new ServingError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${quoted(mediaTypeOf(req))} is not supported; send ${jsonType}, or ${binaryType} for JSON with binary tensors behind it`,
    ),
  answerCodec: ({ req }, request) =>
    new OipAnswers(request instanceof OipRequest ? request.wanted : asJson, isStrict(req.headers.accept)),
};

/** True for clients whose JSON parser does not accept a bare `NaN`. */
function isStrict(accept: string | undefined): boolean {
  return accept !== undefined && /\bjson\s*;\s*strict=true\b/i.test(accept);
}

const asJson: Wanted = { id: undefined, isBinary: false, isBinaryOutput: new Map() };

export const commonRequests: CommonRequests = {
  path: (model) => `/v2/models/${encodeURIComponent(model)}/infer`,
  isCommon: ({ 'content-type': type }) => type === undefined || type === binaryType || type === jsonType,
  protocol: { ...oipProtocol, decoder: () => decoder },
};
