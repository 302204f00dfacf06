/**
 * One inference request from its head to its answer. The steps and their order are the same, whichever entrance it
 * used.
 *
 * It is written with callbacks instead of promises: a small model's request takes some 40 µs, and each `await` would
 * take a part of that.
 */
import type { InferBody } from '../../codec/infer-body.js';
import type { Signature } from '../../engines/signature.js';
import { ServingError, shuttingDown } from '../../errors.js';
import { Cancellation } from '../../flow/cancellation.js';
import { withInputs } from '../../inference/made-inputs.js';
import { predictDecoded } from '../../inference/predict-decoded.js';
import type { PredictResult } from '../../serving/predict.js';
import { queueFull, queueFullForKey } from '../../serving/queue/batcher.js';
import { withSignature } from '../../serving/refused-inputs.js';
import type { Servable } from '../../serving/servable.js';
import { streamPredictions } from '../../serving/stream.js';
import type { Target } from '../../serving/table.js';
import { bytesOf, disposeTensors } from '../../tfjs/tensors.js';
import { type Moment, microsSince, momentAfter, now } from '../../time.js';
import type { Exit } from '../answer/exit.js';
import { type Body, type BodyReceiver, IncomingBody } from '../body/body.js';
import { clientGone } from '../connection/finished.js';
import {
  type BodyDecoder,
  decoderFor,
  type InferenceProtocol,
  unsupportedType,
} from '../inference-protocol.js';
import type { InferenceServices } from '../services.js';
import { sendAnswers } from './answer-stream.js';
import type { Exchange } from './exchange.js';
import { serverTiming } from './server-timing.js';
import { readTimeout } from './timeout.js';

/** What a path asks for. */
export interface Asked {
  /** @throws ServingError INVALID_ARGUMENT for a version that is no number */
  readonly target: () => Target;
  readonly protocol: InferenceProtocol;
}

export class InferenceRequest implements BodyReceiver {
  private readonly cancellation = new Cancellation();
  /** When the decoder or the encoder began. */
  private begun: Moment = 0;
  private incoming: IncomingBody | undefined;
  private decoder: BodyDecoder | undefined;
  private body: Body | undefined;
  private request: InferBody | undefined;
  /** True once the run owns the bytes of the body. Then the run releases them. */
  private isHandedOver = false;
  private hasFailed = false;
  private target: Target = {};
  private deadline: Moment = 0;
  /** The default signature of the version that the head names. */
  private signature: Signature | undefined;

  private readonly exchange: Exchange;

  constructor(
    private readonly exit: Exit,
    private readonly services: InferenceServices,
    private readonly asked: Asked,
  ) {
    this.exchange = exit.exchange;
  }

  start(): void {
    const { exchange, exit, services, asked } = this;
    exchange.isInference = true;
    exchange.onGone = this.clientLeft;
    try {
      if (services.draining.aborted) throw shuttingDown();
      this.target = asked.target();
      const { models } = exchange.principal;
      const servable = services.table().limitedTo(models).find(this.target);
      const { model, version } = servable.id;
      // Another model may become the default before the body has come.
      if (models) this.target = { ...this.target, model };
      exchange.model = model;
      exchange.version = version;
      this.signature = servable.defaultSignature;
      // If the queue is full, the request is refused before its body is read.
      if (servable.isFull) throw queueFull();
      const { queue } = exchange.principal;
      if (queue && servable.isFullFor(queue)) throw queueFullForKey();
      const seconds = readTimeout(exchange.req.headers['x-request-timeout'], services.requestTimeout);
      this.deadline = momentAfter(seconds, exchange.started);
      this.decoder = decoderFor(asked.protocol, exit.head);
      if (this.decoder) this.readBody();
      else this.refuseBody().catch(this.failed);
    } catch (error) {
      this.failed(error);
    }
  }

  private readBody(): void {
    const { req, res } = this.exchange;
    this.incoming = new IncomingBody(req, res, this.services.bodyLimits, this);
    this.incoming.read();
  }

  received(body: Body): void {
    const { exchange, exit, services } = this;
    exchange.bytesIn = body.bytes.length;
    this.body = body;
    this.begun = now();
    try {
      const decoder = this.decoder as BodyDecoder;
      const request = decoder.decode(exit.head, body, services.wireLimits, this);
      if (request instanceof Promise) request.then(this.decoded, this.refused);
      else this.decoded(request);
    } catch (error) {
      this.refused(error);
    }
  }

  private readonly decoded = (decoded: InferBody): void => {
    const { exit, services, target, deadline, cancellation } = this;
    const { release, claim } = this.body as Body;
    try {
      const { protocol } = this.asked;
      const request = protocol.withHead ? protocol.withHead(decoded, exit.head) : decoded;
      this.request = request;
      // A swap may have come while the body did.
      const servable = services.table().find(target);
      if (servable.model.stream) {
        this.stream(request, servable).catch(this.failed);
        return;
      }
      this.isHandedOver = true;
      // The bytes are released when the run ends: after a deadline, the run still uses them.
      const result = predictDecoded(services, request, {
        target,
        deadline,
        cancellation,
        settled: release,
        claim,
        owner: this.exchange.principal.queue,
      });
      this.exchange.decodeMicros = microsSince(this.begun);
      result.then(this.answer, this.failed);
    } catch (error) {
      this.refused(error);
    }
  };

  private async stream(request: InferBody, servable: Servable): Promise<void> {
    const { exchange, services, deadline, asked, exit } = this;
    const { claim } = this.body as Body;
    const { id } = servable;
    exchange.version = id.version;
    const inputs = { limits: services.wireLimits, claim, find: () => servable };
    const codec = asked.protocol.streamCodec?.(exit.head, request);
    if (!codec)
      throw new ServingError(
        'UNIMPLEMENTED',
        `model \`${id.model}\` answers with a stream, which this protocol has no form for`,
      );
    const stream = { exit, codec, id, deadline };
    // We hold the version from here on, not from the first answer: a swap may come while inputs are made.
    servable.acquire();
    try {
      const failure = await withInputs(request, inputs, (made) =>
        sendAnswers(services, stream, streamPredictions(servable, made)),
      );
      this.body?.release();
      exit.endStream(failure);
    } finally {
      servable.release();
    }
  }

  private readonly answer = (result: PredictResult): void => {
    const { exchange, exit, services, asked } = this;
    const { outputs, version, queueMicros, runMicros, batchSize } = result;
    exchange.version = version;
    exchange.queueMicros = queueMicros;
    exchange.runMicros = runMicros;
    exchange.batchSize = batchSize;
    const freeBody = () => disposeTensors(outputs);
    if (exchange.isGone) {
      freeBody();
      this.failed(clientGone());
      return;
    }
    try {
      const codec = asked.protocol.answerCodec(exit.head, this.request as InferBody);
      this.begun = now();
      const body = codec.encodeAnswer(result);
      exchange.encodeMicros = microsSince(this.begun);
      const { mediaType = codec.mediaType, headers = noHeaders } = body;
      const timed = services.serverTiming ? [...headers, 'Server-Timing', serverTiming(exchange)] : headers;
      exchange.admitAnswer(body.byteLength ?? bytesOf(outputs));
      exchange.status = 'ok';
      exit.answer({ status: 200, mediaType, body, headers: timed }, freeBody);
    } catch (error) {
      freeBody();
      this.failed(error);
    }
  };

  private readonly refused = (error: unknown): void => {
    this.failed(withSignature(error, this.signature));
  };

  readonly failed = (error: unknown): void => {
    if (this.hasFailed) return;
    this.hasFailed = true;
    if (!this.isHandedOver) this.body?.release();
    this.exit.fail(error);
  };

  private readonly clientLeft = (): void => {
    this.cancellation.cancel(clientGone);
    this.incoming?.giveUp(clientGone());
  };

  private async refuseBody(): Promise<void> {
    const { protocol } = this.asked;
    const { head } = this.exit;
    const error = await protocol.refuseBody?.(head, this.inputName);
    this.refused(error ?? unsupportedType(protocol, head));
  }

  /** The name of an input, for lines that can be pasted. */
  get inputName(): string {
    return this.signature?.inputs.keys().next().value ?? 'x';
  }
}

const noHeaders: readonly string[] = [];
