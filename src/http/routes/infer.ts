/**
 * `POST /infer` and its siblings per model and version.
 */
import { once } from 'node:events';
import type { RouterContext } from '@koa/router';
import { answerCodecs } from '../../codec/codecs.js';
import { adviceOnBody } from '../../codec/foreign-body.js';
import type { InferRequest } from '../../codec/infer-request.js';
import { invalidArgument, quoted, ServingError, shuttingDown } from '../../errors.js';
import { streamingHandler, streamPredictions } from '../../handlers/stream.js';
import { greatestVersion, versionOf } from '../../repository/version-name.js';
import type { Signature } from '../../runtime/signature.js';
import { disposeTensors } from '../../runtime/tensors.js';
import { queueFull } from '../../serving/batcher.js';
import { Cancellation } from '../../serving/cancellation.js';
import type { PredictResult } from '../../serving/predict.js';
import { refusedInputs } from '../../serving/refused-inputs.js';
import type { Servable } from '../../serving/servable.js';
import type { Target } from '../../serving/table.js';
import { type Body, expectsContinue, readBody } from '../body.js';
import { type BodyDecoder, bodyDecoders, curlDecoder } from '../body-decoders.js';
import { clientGone, whenFinished } from '../finished.js';
import { inferOperation, inferPaths } from '../infer-operation.js';
import { checkInferQuery } from '../infer-query.js';
import { withInputs } from '../made-inputs.js';
import { mediaTypeOf } from '../media-type.js';
import { predictDecoded } from '../predict-decoded.js';
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
    checkInferQuery(ctx.query);
    const servable = services.manager.table.find(target);
    record.model = servable.id.model;
    record.version = servable.id.version;
    // Before a body is read that could not be queued.
    if (servable.isFull) throw queueFull();
    const decoder = await bodyDecoder(ctx, servable);
    const deadline =
      started + readTimeout(ctx.req.headers['x-request-timeout'], services.requestTimeout) * 1000;
    const timing = services.serverTiming ? new ServerTiming() : undefined;
    const { defaultSignature } = servable;
    const { request, body, current } = await read(ctx, services, decoder, timing, {
      target,
      defaultSignature,
    });
    if (streamingHandler(current)) {
      record.version = current.id.version;
      const inputs = { limits: services.wireLimits, claim: body.claim, find: () => current };
      const failure = await withInputs(request, inputs, (made) =>
        sendStream(ctx, services, current.id, streamPredictions(current, made), deadline),
      ).finally(body.release);
      record.status = failure?.code ?? 'ok';
      return;
    }
    // Settled not when the client is answered: at its deadline the run still holds the bytes.
    const asked = { target, deadline, cancellation, settled: body.release, claim: body.claim };
    const prediction = predictDecoded(services, request, asked);
    timing?.decodeEnds();
    const result = await prediction;
    record.version = result.version;
    if (!ctx.req.socket.destroyed) record.status = 'ok';
    answer(ctx, result, timing);
  } catch (error) {
    const failure = toServingError(error, services.logger, requestIdOf(ctx.req));
    record.status = failure.code;
    throw failure;
  }
}

/** Reads the body, and what it says: to the version that serves now, as a swap may have come meanwhile. The caller releases the body. */
async function read(
  ctx: RouterContext,
  { bodyLimits, wireLimits, manager }: Services,
  decoder: BodyDecoder,
  timing: ServerTiming | undefined,
  { target, defaultSignature }: { target: Target; defaultSignature: Signature | undefined },
): Promise<{ request: InferRequest; body: Body; current: Servable }> {
  const body = await readBody(ctx.req, ctx.res, bodyLimits);
  timing?.decodeBegins();
  try {
    const request = withQuery(await decoder.decode(ctx, body, wireLimits), ctx.query);
    return { request, body, current: manager.table.find(target) };
  } catch (error) {
    body.release();
    throw refusedInputs(error, defaultSignature);
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
  const number = versionOf(version);
  if (number === undefined)
    throw invalidArgument(
      `expected a version from 0 to ${greatestVersion} in the path, got ${quoted(version)}`,
    );
  return { model, version: number };
}

/** The decoder for the body's type. @throws ServingError UNSUPPORTED_MEDIA_TYPE with those there are */
async function bodyDecoder(ctx: RouterContext, { defaultSignature }: Servable): Promise<BodyDecoder> {
  const type = mediaTypeOf(ctx.req);
  // For lines that can be pasted.
  const name = defaultSignature?.inputs.keys().next().value ?? 'x';
  const decoder = [...bodyDecoders, curlDecoder(name)].find(({ mediaType }) => mediaType === type);
  if (decoder) return decoder;
  const types = bodyDecoders.map(({ mediaType }) => mediaType);
  const came = type === '' ? 'a body without a content type' : quoted(type);
  throw refusedInputs(
    new ServingError(
      'UNSUPPORTED_MEDIA_TYPE',
      adviceOnBody(await firstBytes(ctx), name) ?? `${came} is not supported; send ${types.join(', ')}`,
    ),
    defaultSignature,
  );
}

/** Looks at the first bytes of a body that will be refused. */
async function firstBytes(ctx: RouterContext): Promise<Uint8Array> {
  const nothing = new Uint8Array(0);
  if (expectsContinue(ctx.req) || ctx.req.readableEnded) return nothing;
  if (ctx.req.readableLength === 0 && !ctx.req.complete) {
    await once(ctx.req, 'readable', { signal: AbortSignal.timeout(500) }).catch(() => undefined);
  }
  const chunk: unknown = ctx.req.read();
  return chunk instanceof Uint8Array ? chunk : nothing;
}
