/** The encodings of requests and answers, by media type. */
import { invalidArgument } from '../errors.js';
import type { Claim } from '../flow/steps.js';
import { runInTurns } from '../flow/turns.js';
import { inferRequestInSteps, knownRequest } from './cbor/decode.js';
import { encodeCbor, encodeCborAnswer } from './cbor/encode.js';
import { imageTensor } from './image/decode.js';
import { foreignImage } from './image/header.js';
import type { EncodedAnswer, EncodedBody, InferAnswer } from './infer-answer.js';
import type { InferBody } from './infer-body.js';
import { jsonRequestInSteps } from './json/decode.js';
import { encodeJson, encodeJsonAnswer, encodeStrictJsonAnswer } from './json/encode.js';
import { npyInSteps } from './numpy/npy.js';
import { decodeNpz, encodeNpzAnswer } from './numpy/npz.js';
import type { WireLimits, WireTensor } from './wire.js';

/** Writes anything without tensors, for example errors and states. */
export interface ValueCodec {
  readonly mediaType: string;
  encodeValue(value: unknown): EncodedBody;
}

/** Writes inference answers. */
export interface AnswerCodec {
  readonly mediaType: string;
  /**
   * @throws ServingError INVALID_ARGUMENT for outputs that this encoding has no form for, NOT_ACCEPTABLE for outputs
   * that are too large for it
   */
  encodeAnswer(answer: InferAnswer): EncodedAnswer;
}

/** Reads inference requests. */
export interface RequestCodec {
  readonly mediaType: string;
  /**
   * @param claim is called with the bytes that the unpacked values take, before they do; it throws if there is no room
   * @throws ServingError INVALID_ARGUMENT
   */
  decode(body: Uint8Array, limits: WireLimits, claim: Claim): InferBody | Promise<InferBody>;
}

export const cborAnswers: AnswerCodec & ValueCodec = {
  mediaType: 'application/cbor',
  encodeAnswer: encodeCborAnswer,
  encodeValue: encodeCbor,
};

export const jsonAnswers: AnswerCodec & ValueCodec = {
  mediaType: 'application/json',
  encodeAnswer: encodeJsonAnswer,
  encodeValue: encodeJson,
};

/** For parsers that do not accept a bare NaN. */
const strictJsonAnswers: AnswerCodec & ValueCodec = {
  mediaType: 'application/json; strict=true',
  encodeAnswer: encodeStrictJsonAnswer,
  encodeValue: encodeJson,
};

const npzAnswers: AnswerCodec = { mediaType: 'application/x-npz', encodeAnswer: encodeNpzAnswer };

export const cborRequests = {
  mediaType: 'application/cbor',
  /** Knows a body at once if it differs from an earlier one only in its values. */
  decode: (body: Uint8Array, limits: WireLimits, claim: Claim) =>
    knownRequest(body, limits) ?? runInTurns(inferRequestInSteps(body, limits, claim)),
} satisfies RequestCodec;

export const jsonRequests: RequestCodec = {
  mediaType: 'application/json',
  decode: (body, limits, claim) => runInTurns(jsonRequestInSteps(body, limits, claim)),
};

const npyRequests: RequestCodec = {
  mediaType: 'application/x-npy',
  decode: async (body, limits, claim) =>
    unnamed(await runInTurns(npyInSteps('the body', body, limits, claim))),
};

const npzRequests: RequestCodec = {
  mediaType: 'application/x-npz',
  decode: async (body, limits, claim) => ({
    inputs: await decodeNpz('the body', body, limits, claim),
    signature: undefined,
    outputs: undefined,
  }),
};

/** The bytes tell the format of an image, so each of these media types is read alike. */
const imageRequests = ['image/jpeg', 'image/png', 'image/gif', 'image/bmp'].map(
  (mediaType): RequestCodec => ({
    mediaType,
    decode(body, _limits, claim) {
      const image = imageTensor(body, claim);
      if (!image)
        throw invalidArgument(
          `expected a JPEG, PNG, GIF or BMP, got ${foreignImage(body) ?? 'something else'}`,
        );
      return unnamed(image);
    },
  }),
);

function unnamed(onlyInput: WireTensor): InferBody {
  return { inputs: new Map(), onlyInput, signature: undefined, outputs: undefined };
}

/** The encodings, in the order in which they are preferred if a client accepts several alike. */
export const valueCodecs: readonly ValueCodec[] = [cborAnswers, jsonAnswers, strictJsonAnswers];
export const answerCodecs: readonly AnswerCodec[] = [cborAnswers, jsonAnswers, strictJsonAnswers, npzAnswers];
export const requestCodecs: readonly RequestCodec[] = [
  cborRequests,
  jsonRequests,
  npyRequests,
  npzRequests,
  ...imageRequests,
];
