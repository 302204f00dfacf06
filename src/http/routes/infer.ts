/**
 * `POST /infer` and its siblings per model and version.
 */
import { once } from 'node:events';
import type { RouterContext } from '@koa/router';
import { type RequestCodec, requestCodecs } from '../../codec/codecs.js';
import type { InferRequest } from '../../codec/infer-request.js';
import { isPickleStart, pickleAdvice } from '../../codec/pickle.js';
import { invalidArgument, quoted, ServingError, shuttingDown } from '../../errors.js';
import { disposeTensors } from '../../runtime/tensors.js';
import { queueFull } from '../../serving/batcher.js';
import { Cancellation } from '../../serving/cancellation.js';
import type { PredictResult } from '../../serving/predict.js';
import type { Target } from '../../serving/table.js';
import { expectsContinue, readBody } from '../body.js';
import { clientGone, whenFinished } from '../finished.js';
import { inferOperation, inferPaths } from '../infer-operation.js';
import { type AskedFor, predictDecoded } from '../predict-decoded.js';
import { answerCodec, send, toServingError } from '../respond.js';
import type { Route } from '../route.js';
import { ServerTiming } from '../server-timing.js';
import type { Services } from '../services.js';
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
    const codec = await requestCodec(ctx);
    const deadline =
      started + readTimeout(ctx.req.headers['x-request-timeout'], services.requestTimeout) * 1000;
    const timing = services.serverTiming ? new ServerTiming() : undefined;
    const result = await run(ctx, services, codec, timing, { target, deadline, cancellation });
    record.version = result.version;
    if (!ctx.req.socket.destroyed) record.status = 'ok';
    answer(ctx, result, timing);
  } catch (error) {
    const failure = toServingError(error, services.logger);
    record.status = failure.code;
    throw failure;
  }
}

async function run(
  ctx: RouterContext,
  services: Services,
  codec: RequestCodec,
  timing: ServerTiming | undefined,
  asked: Omit<AskedFor, 'settled'>,
): Promise<PredictResult> {
  const { bodyLimits, wireLimits } = services;
  const body = await readBody(ctx.req, ctx.res, bodyLimits);
  timing?.decodeBegins();
  let request: InferRequest;
  try {
    request = codec.decode(body.bytes, wireLimits);
  } catch (error) {
    body.release();
    throw error;
  }
  // Settled not when the client is answered: at its deadline the run still holds the bytes.
  const result = predictDecoded(services, request, { ...asked, settled: body.release });
  timing?.decodeEnds();
  return result;
}

function answer(ctx: RouterContext, result: PredictResult, timing: ServerTiming | undefined): void {
  // Parts of the answer are views on the outputs: they are given back when it has left, or the client has.
  whenFinished(ctx.req.socket, ctx.res, () => disposeTensors(result.outputs));
  if (ctx.req.socket.destroyed) return;
  const codec = answerCodec(ctx);
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

/** The decoder for the body's type. @throws ServingError UNSUPPORTED_MEDIA_TYPE with the line that would work */
async function requestCodec(ctx: RouterContext): Promise<RequestCodec> {
  const codec = requestCodecs.find(({ mediaType }) => mediaType === ctx.request.type);
  if (codec) return codec;
  if (await startsWithPickle(ctx)) throw new ServingError('UNSUPPORTED_MEDIA_TYPE', pickleAdvice);
  const types = requestCodecs.map(({ mediaType }) => mediaType);
  const came = ctx.request.type === '' ? 'a body without a content type' : quoted(ctx.request.type);
  const { localAddress = '127.0.0.1', localPort } = ctx.socket;
  const host = localAddress.includes(':') ? `[${localAddress}]` : localAddress;
  // Between quotes, and itself without any: a model may have a name that means something to a shell.
  // Where an application mounts this one, the path is only what follows.
  const path = `${ctx['mountPath'] ?? ''}${ctx.path}`;
  const url = `http://${host}:${localPort}${path.replaceAll("'", '%27')}`;
  throw new ServingError(
    'UNSUPPORTED_MEDIA_TYPE',
    `${came} is not supported, send ${types.join(' or ')}: ` +
      `curl -H 'content-type: ${types[0]}' --data-binary @body.cbor '${url}'`,
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
