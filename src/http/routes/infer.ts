/**
 * `POST /infer` and its siblings per model and version.
 */
import { once } from 'node:events';
import type { RouterContext } from '@koa/router';
import { answerCodecs } from '../../codec/codecs.js';
import { type InferRequest, namedInputs, toTensors } from '../../codec/infer-request.js';
import { isPickleStart, pickleAdvice } from '../../codec/pickle.js';
import type { WireLimits } from '../../codec/wire.js';
import { invalidArgument, quoted, ServingError, shuttingDown } from '../../errors.js';
import type { HandledModel } from '../../handlers/handled-model.js';
import { streamingHandler, streamPredictions } from '../../handlers/stream.js';
import type { Signature } from '../../runtime/signature.js';
import { disposeTensors } from '../../runtime/tensors.js';
import { queueFull } from '../../serving/batcher.js';
import { Cancellation } from '../../serving/cancellation.js';
import type { PredictResult } from '../../serving/predict.js';
import { refusedInputs } from '../../serving/refused-inputs.js';
import type { Servable } from '../../serving/servable.js';
import type { Target } from '../../serving/table.js';
import { type Body, expectsContinue, readBody } from '../body.js';
import { type BodyDecoder, bodyDecoders } from '../body-decoders.js';
import { clientGone, whenFinished } from '../finished.js';
import { inferOperation, inferPaths } from '../infer-operation.js';
import { type AskedFor, predictDecoded } from '../predict-decoded.js';
import { requestIdOf } from '../request-id.js';
import { answerCodec, send, toServingError } from '../respond.js';
import type { Route } from '../route.js';
import { ServerTiming } from '../server-timing.js';
import type { Services } from '../services.js';
import { sendStream } from '../stream.js';
import { readTimeout } from '../timeout.js';

export function inferRoutes(services: Services): Route[] {
  const handle = (ctx: RouterContext) => infer(ctx, services);
  return inferPaths.map((path) => ({
    method: 'POST',
    path,
    scope: 'infer',
    operation: inferOperation(path),
    handle,
  }));
}

async function infer(ctx: RouterContext, services: Services): Promise<void> {
  const started = performance.now();
  // Until there is an answer, the client may still go away.
  const record = { model: '', version: '' as number | '', status: 'CANCELLED' };
  const cancellation = new Cancellation();
  whenFinished(ctx.req.socket, ctx.res, () => {
    cancellation.cancel(clientGone);
    services.telemetry.observe({ ...record, seconds: (performance.now() - started) / 1000 });
  });
  try {
    if (services.draining.aborted) throw shuttingDown();
    const target = readTarget(ctx);
    const servable = services.manager.table.find(target);
    record.model = servable.id.model;
    record.version = servable.id.version;
    // Before a body is read that could not be queued.
    if (servable.isFull) throw queueFull();
    const decoder = await bodyDecoder(ctx, servable);
    const deadline =
      started + readTimeout(ctx.req.headers['x-request-timeout'], services.requestTimeout) * 1000;
    const timing = services.serverTiming ? new ServerTiming() : undefined;
    const streams = streamingHandler(servable);
    if (streams) {
      const failure = await runStream(ctx, services, decoder, { servable, handled: streams, deadline });
      record.status = failure?.code ?? 'ok';
      return;
    }
    const result = await run(ctx, services, decoder, timing, {
      target,
      deadline,
      cancellation,
      signature: servable.defaultSignature,
    });
    record.version = result.version;
    if (!ctx.req.socket.destroyed) record.status = 'ok';
    answer(ctx, result, timing);
  } catch (error) {
    const failure = toServingError(error, services.logger, requestIdOf(ctx.req));
    record.status = failure.code;
    throw failure;
  }
}

interface Asked extends Omit<AskedFor, 'settled'> {
  /** The one that is meant if the body names none. */
  readonly signature: Signature | undefined;
}

async function run(
  ctx: RouterContext,
  services: Services,
  decoder: BodyDecoder,
  timing: ServerTiming | undefined,
  { signature, ...asked }: Asked,
): Promise<PredictResult> {
  const { bodyLimits, wireLimits } = services;
  const body = await readBody(ctx.req, ctx.res, bodyLimits);
  timing?.decodeBegins();
  let request: InferRequest;
  try {
    request = await decode(ctx, decoder, body, wireLimits, signature);
  } catch (error) {
    body.release();
    throw error;
  }
  // Settled not when the client is answered: at its deadline the run still holds the bytes.
  const result = predictDecoded(services, request, { ...asked, settled: body.release });
  timing?.decodeEnds();
  return result;
}

async function runStream(
  ctx: RouterContext,
  services: Services,
  decoder: BodyDecoder,
  { servable, handled, deadline }: { servable: Servable; handled: HandledModel; deadline: number },
): Promise<ServingError | undefined> {
  const { bodyLimits, wireLimits } = services;
  const body = await readBody(ctx.req, ctx.res, bodyLimits);
  try {
    const request = await decode(ctx, decoder, body, wireLimits, servable.defaultSignature);
    const answers = streamPredictions(servable, handled, {
      ...request,
      inputs: (signature) => toTensors(request, signature, wireLimits),
      inputNames: (signature) => namedInputs(request, signature).keys(),
    });
    return await sendStream(ctx, services, servable.id, answers, deadline);
  } finally {
    body.release();
  }
}

/** @param signature the one that is meant if the body names none */
async function decode(
  ctx: RouterContext,
  decoder: BodyDecoder,
  body: Body,
  limits: WireLimits,
  signature: Signature | undefined,
): Promise<InferRequest> {
  try {
    return withQuery(await decoder.decode(ctx, body, limits), ctx.query);
  } catch (error) {
    throw refusedInputs(error, signature);
  }
}

/** Bodies without an envelope say in the query what they want of which signature. */
function withQuery(request: InferRequest, { signature, outputs }: RouterContext['query']): InferRequest {
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

function answer(ctx: RouterContext, result: PredictResult, timing: ServerTiming | undefined): void {
  // Parts of the answer are views on the outputs: they are given back when it has left, or the client has.
  whenFinished(ctx.req.socket, ctx.res, () => disposeTensors(result.outputs));
  if (ctx.req.socket.destroyed) return;
  const codec = answerCodec(ctx, answerCodecs);
  timing?.encodeBegins();
  const encoded = codec.encodeAnswer(result);
  if (timing) ctx.set('Server-Timing', timing.value(result));
  send(ctx, codec, encoded);
}

function readTarget(ctx: RouterContext): Target {
  const { model, version, label } = ctx.params;
  if (version === undefined) return { model, label };
  if (!/^[1-9][0-9]*$/.test(version))
    throw invalidArgument(`a version is a positive integer, not ${quoted(version)}`);
  return { model, version: Number(version) };
}

/** The decoder for the body's type. @throws ServingError UNSUPPORTED_MEDIA_TYPE with those there are */
async function bodyDecoder(ctx: RouterContext, { defaultSignature }: Servable): Promise<BodyDecoder> {
  const { type } = ctx.request;
  const decoder = bodyDecoders.find(({ mediaType }) => mediaType === type);
  if (decoder) return decoder;
  if (await startsWithPickle(ctx)) throw new ServingError('UNSUPPORTED_MEDIA_TYPE', pickleAdvice);
  const types = bodyDecoders.map(({ mediaType }) => mediaType);
  const came = type === '' ? 'a body without a content type' : quoted(type);
  // What curl -d says of its own accord.
  const advice =
    type === 'application/x-www-form-urlencoded' ? "; for JSON add -H 'content-type: application/json'" : '';
  throw refusedInputs(
    new ServingError('UNSUPPORTED_MEDIA_TYPE', `${came} is not supported${advice}; send ${types.join(', ')}`),
    defaultSignature,
  );
}

/** Looks at the first bytes of a body that will be refused. */
async function startsWithPickle(ctx: RouterContext): Promise<boolean> {
  if (expectsContinue(ctx.req) || ctx.req.readableEnded) return false;
  if (ctx.req.readableLength === 0 && !ctx.req.complete) {
    await once(ctx.req, 'readable', { signal: AbortSignal.timeout(500) }).catch(() => undefined);
  }
  const chunk: unknown = ctx.req.read();
  return chunk instanceof Uint8Array && isPickleStart(chunk);
}
