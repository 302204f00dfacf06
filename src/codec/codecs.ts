/**
 * The encodings that requests and answers come in, by media type.
 */
import { invalidArgument } from '../errors.js';
import { decodeInferRequest } from './cbor-decode.js';
import { encodeCbor, encodeCborAnswer } from './cbor-encode.js';
import { imageTensor } from './image.js';
import type { AnswerBody, EncodedBody, InferAnswer } from './infer-answer.js';
import type { InferRequest } from './infer-request.js';
import { decodeJsonRequest } from './json-decode.js';
import { encodeJson, encodeJsonAnswer, encodeStrictJsonAnswer } from './json-encode.js';
import { decodeNpy } from './npy.js';
import { decodeNpz, encodeNpzAnswer } from './npz.js';
import type { WireLimits, WireTensor } from './wire.js';

/** How anything without tensors is written: errors, states. */
export interface ValueCodec {
  readonly mediaType: string;
  encodeValue(value: unknown): EncodedBody;
}

/** How inference answers are written. */
export interface AnswerCodec {
  readonly mediaType: string;
  /**
   * @throws ServingError INVALID_ARGUMENT for outputs that it has no form for, NOT_ACCEPTABLE for those that are too large for it
   */
  encodeAnswer(answer: InferAnswer): AnswerBody;
}

/** How inference requests are read. */
export interface RequestCodec {
  readonly mediaType: string;
  /**
   * @param claim is told how many bytes what is unpacked takes, before it does; throws if there is no room
   * @throws ServingError INVALID_ARGUMENT
   */
  decode(
    body: Uint8Array,
    limits: WireLimits,
    claim: (bytes: number) => void,
  ): InferRequest | Promise<InferRequest>;
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

/** For parsers that take no bare NaN. */
const strictJsonAnswers: AnswerCodec & ValueCodec = {
  mediaType: 'application/json; strict=true',
  encodeAnswer: encodeStrictJsonAnswer,
  encodeValue: encodeJson,
};

const npzAnswers: AnswerCodec = { mediaType: 'application/x-npz', encodeAnswer: encodeNpzAnswer };

export const cborRequests = {
  mediaType: 'application/cbor',
  decode: decodeInferRequest,
} satisfies RequestCodec;

export const jsonRequests: RequestCodec = { mediaType: 'application/json', decode: decodeJsonRequest };

const npyRequests: RequestCodec = {
  mediaType: 'application/x-npy',
  decode: (body, limits) => unnamed(decodeNpy('the body', body, limits)),
};

const npzRequests: RequestCodec = {
  mediaType: 'application/x-npz',
  decode: async (body, limits, claim) => ({
    inputs: await decodeNpz('the body', body, limits, claim),
    signature: undefined,
    outputs: undefined,
  }),
};

/** Whichever format is said, the bytes tell. */
const imageRequests = ['image/jpeg', 'image/png', 'image/gif', 'image/bmp'].map(
  (mediaType): RequestCodec => ({
    mediaType,
    decode(body, _limits, claim) {
      const image = imageTensor('the body', body, claim);
      if (!image) throw invalidArgument('the body is no JPEG, PNG, GIF or BMP');
      return unnamed(image);
    },
  }),
);

function unnamed(onlyInput: WireTensor): InferRequest {
  return { inputs: new Map(), onlyInput, signature: undefined, outputs: undefined };
}

/** In the order in which they are preferred where a client does not care. */
export const valueCodecs: readonly ValueCodec[] = [cborAnswers, jsonAnswers, strictJsonAnswers];
export const answerCodecs: readonly AnswerCodec[] = [cborAnswers, jsonAnswers, strictJsonAnswers, npzAnswers];
export const requestCodecs: readonly RequestCodec[] = [
  cborRequests,
  jsonRequests,
  npyRequests,
  npzRequests,
  ...imageRequests,
];
