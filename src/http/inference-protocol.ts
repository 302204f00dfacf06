/**
 * How a surface reads and answers inference requests. All else that becomes of one is the server's: see `inference-request.ts`.
 */
import type { AnswerCodec } from '../codec/codecs.js';
import type { InferBody } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import type { ServingError } from '../errors.js';
import type { ServableId } from '../serving/deployment.js';
import type { NamedTensors } from '../tfjs/tensors.js';
import type { Body } from './body/body.js';
import type { Exchange } from './request/exchange.js';
import type { Head } from './request/head.js';
import type { Services } from './services.js';

/** How one inference request is read and answered. */
export interface InferenceProtocol {
  /** The decoder for the body's type; undefined if the type is not supported. @throws ServingError for other faults of the head */
  decoder(head: Head): BodyDecoder | undefined;
  /** Says why there is no decoder. @param inputName of an input of the model, for lines that can be pasted */
  refuseBody(head: Head, inputName: string): Promise<ServingError>;
  /** Adds what the query and the headers say to the decoded request. @throws ServingError INVALID_ARGUMENT */
  withHead(request: InferBody, head: Head): InferBody;
  /** @param request as the decoder gave it */
  answerCodec(head: Head, request: InferBody): AnswerCodec;
  /** Sends answers that come one after another. Left out where the protocol has no form for them. */
  sendStream?(
    services: Services,
    stream: StreamRequest,
    answers: AsyncGenerator<NamedTensors, void, void>,
  ): Promise<ServingError | undefined>;
}

/** What a stream of answers is for. */
export interface StreamRequest {
  readonly exchange: Exchange;
  readonly head: Head;
  readonly id: ServableId;
  /** In milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** Called before the first answer: from then on nobody else may write. */
  readonly begins: () => void;
}

/** Reads one type of body. */
export interface BodyDecoder {
  readonly mediaType: string;
  /**
   * @param model that is asked, for lines in errors that can be pasted
   * @throws ServingError INVALID_ARGUMENT
   */
  decode(
    head: Head,
    body: Body,
    limits: WireLimits,
    model: { readonly inputName: string },
  ): InferBody | Promise<InferBody>;
}
