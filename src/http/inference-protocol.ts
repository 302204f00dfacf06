/**
 * How a surface reads and answers inference requests. All else that becomes of one is the server's: see `inference-request.ts`.
 */
import type { AnswerCodec } from '../codec/codecs.js';
import type { AnswerBody, EncodedBody, InferAnswer } from '../codec/infer-answer.js';
import type { InferBody } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import { quoted, ServingError } from '../errors.js';
import type { Body } from './body/body.js';
import { mediaTypeOf } from './body/media-type.js';
import type { Head } from './request/head.js';

/** How one inference request is read and answered. */
export interface InferenceProtocol {
  /** What reads bodies, each of one media type, in the order in which a refusal lists the types. */
  readonly decoders: readonly BodyDecoder[];
  /**
   * The decoder for this head; undefined if its media type is not supported. Left out: the one of its media type among
   * {@link decoders}.
   *
   * @throws ServingError for other faults of the head
   */
  decoder?: ((head: Head) => BodyDecoder | undefined) | undefined;
  /**
   * Says why there is no decoder. Left out: the types that there are.
   *
   * @param inputName of an input of the model, for lines that can be pasted
   */
  refuseBody?: ((head: Head, inputName: string) => Promise<ServingError>) | undefined;
  /**
   * Adds what the query and the headers say to the decoded request. Left out: they say nothing.
   *
   * @throws ServingError INVALID_ARGUMENT
   */
  withHead?: ((request: InferBody, head: Head) => InferBody) | undefined;
  /** How the answer is written. @param request as the decoder gave it */
  answerCodec(head: Head, request: InferBody): AnswerCodec;
  /**
   * How answers that come one after another are framed. Left out where the protocol has no form for them: models that stream are
   * refused with UNIMPLEMENTED.
   *
   * @param request as the decoder gave it
   */
  streamCodec?: ((head: Head, request: InferBody) => StreamCodec) | undefined;
}

/** How answers that come one after another are framed. Sending them as fast as the client reads is the server's. */
export interface StreamCodec {
  readonly mediaType: string;
  /** Of the answer's head, besides those that every stream has: names and values in turn. */
  readonly headers?: readonly string[];
  /** One answer with all that parts it from the next. @throws ServingError as {@link AnswerCodec} does */
  encodeAnswer(answer: InferAnswer): AnswerBody;
  /** The last item of a stream that fails once it has begun. What fails before has the surface's own form. */
  encodeError(error: ServingError): EncodedBody;
  /** What follows the last answer of a stream that does not fail. Left out: nothing. */
  encodeEnd?(): EncodedBody;
}

/** Reads one type of body. */
export interface BodyDecoder {
  /** In small letters and without parameters: `application/json`. */
  readonly mediaType: string;
  /**
   * @param body whose bytes stay until the run has ended: tensors may be views on them
   * @param model that is asked, for lines in errors that can be pasted
   * @throws ServingError INVALID_ARGUMENT for what is no such body; what `body.claim` throws
   */
  decode(
    head: Head,
    body: Body,
    limits: WireLimits,
    model: { readonly inputName: string },
  ): InferBody | Promise<InferBody>;
}

/** The decoder for a head, as the protocol or its list of decoders has it; undefined for a media type that is not supported. */
export function decoderFor(protocol: InferenceProtocol, head: Head): BodyDecoder | undefined {
  if (protocol.decoder) return protocol.decoder(head);
  const type = mediaTypeOf(head.req);
  return protocol.decoders.find(({ mediaType }) => mediaType === type);
}

/** What a body without a decoder is refused with, where the protocol has no words of its own. */
export function unsupportedType({ decoders }: InferenceProtocol, { req }: Head): ServingError {
  const type = mediaTypeOf(req);
  const came = type === '' ? 'a body without a content type' : quoted(type);
  const types = decoders.map(({ mediaType }) => mediaType).join(', ');
  return new ServingError('UNSUPPORTED_MEDIA_TYPE', `${came} is not supported; send ${types}`);
}
