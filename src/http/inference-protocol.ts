/**
 * How a surface reads and answers inference requests. Everything else about one is done by the server: see
 * `inference-request.ts`.
 */
import type { AnswerCodec } from '../codec/codecs.js';
import type { AnswerBody, EncodedBody, InferAnswer } from '../codec/infer-answer.js';
import type { InferBody } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import { quoted, ServingError } from '../errors.js';
import type { Body } from './body/body.js';
import { mediaTypeOf } from './body/media-type.js';
import type { Head } from './request/head.js';

/** How inference requests are read and answered. */
export interface InferenceProtocol {
  /** The decoders, each for one media type, in the order in which an error lists the types. */
  readonly decoders: readonly BodyDecoder[];
  /**
   * The decoder for this head; undefined if its media type is not supported. By default it is the one with that media
   * type among {@link decoders}.
   *
   * @throws ServingError for other faults of the head
   */
  decoder?: ((head: Head) => BodyDecoder | undefined) | undefined;
  /**
   * Says why there is no decoder. By default it lists the media types.
   *
   * @param inputName is an input of the model, for lines that can be pasted
   */
  refuseBody?: ((head: Head, inputName: string) => Promise<ServingError>) | undefined;
  /**
   * Adds what the query and the headers say to the decoded request. By default they say nothing.
   *
   * @throws ServingError INVALID_ARGUMENT
   */
  withHead?: ((request: InferBody, head: Head) => InferBody) | undefined;
  /** How the answer is written. @param request is what the decoder returned */
  answerCodec(head: Head, request: InferBody): AnswerCodec;
  /**
   * How several answers, one after another, are framed. Without it, models that stream are refused with UNIMPLEMENTED.
   *
   * @param request is what the decoder returned
   */
  streamCodec?: ((head: Head, request: InferBody) => StreamCodec) | undefined;
}

/** How several answers, one after another, are framed. The server sends them as fast as the client reads. */
export interface StreamCodec {
  /** The content type, with its parameters. */
  readonly mediaType: string;
  /** Header names and values in turn, in addition to those that every stream has. */
  readonly headers?: readonly string[];
  /**
   * Encodes one answer with everything that separates it from the next.
   * @throws ServingError as {@link AnswerCodec} does
   */
  encodeAnswer(answer: InferAnswer): AnswerBody;
  /**
   * Encodes the last item of a stream that fails after its beginning. An earlier failure has the surface's own form.
   */
  encodeError(error: ServingError): EncodedBody;
  /** Encodes what follows the last answer of a stream that does not fail. By default nothing does. */
  encodeEnd?(): EncodedBody;
}

/** Reads one type of body. */
export interface BodyDecoder {
  /** The media type, in small letters and without parameters: `application/json`. */
  readonly mediaType: string;
  /**
   * Reads a body.
   * @param body has bytes that stay until the run has ended, so tensors may be views on them
   * @param model is the one that is asked, for lines in errors that can be pasted
   * @throws ServingError INVALID_ARGUMENT for a wrong body; what `body.claim` throws
   */
  decode(
    head: Head,
    body: Body,
    limits: WireLimits,
    model: { readonly inputName: string },
  ): InferBody | Promise<InferBody>;
}

/**
 * The decoder for a head, from the protocol or its list of decoders; undefined for a media type that is not supported.
 */
export function decoderFor(protocol: InferenceProtocol, head: Head): BodyDecoder | undefined {
  if (protocol.decoder) return protocol.decoder(head);
  const type = mediaTypeOf(head.req);
  return protocol.decoders.find(({ mediaType }) => mediaType === type);
}

/** The error for a body without a decoder, if the protocol has no words of its own. */
export function unsupportedType({ decoders }: InferenceProtocol, { req }: Head): ServingError {
  const type = mediaTypeOf(req);
  const came = type === '' ? 'a body without a content type' : quoted(type);
  const types = decoders.map(({ mediaType }) => mediaType).join(', ');
  return new ServingError('UNSUPPORTED_MEDIA_TYPE', `${came} is not supported; send ${types}`);
}
