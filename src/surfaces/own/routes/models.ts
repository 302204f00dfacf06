/**
 * `GET /models`, `/models/{name}` and `/model_info`: what is served, in every detail.
 */
import type { z } from 'zod';
import { describeSignature, mapToObject } from '../../../engines/describe.js';
import type { InferenceModel } from '../../../engines/inference-model.js';
import type { HandlerFacts } from '../../../engines/model-handler.js';
import type { Signature } from '../../../engines/signature.js';
import { valueAnswer } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import { visibleTable } from '../../../http/routes/visible-table.js';
import type { Services } from '../../../http/services.js';
import type { Batcher } from '../../../serving/queue/batcher.js';
import type { Servable } from '../../../serving/servable.js';
import type { ModelStatus } from '../../../serving/table.js';
import { inMicros } from '../../../time.js';
import { sendValue } from '../answers.js';
import { modelInfoSchema, modelSchema, modelsSchema } from '../openapi/answer-schemas.js';
import { modelParameter } from '../openapi/parameters.js';

export function modelRoutes(services: Services): Route[] {
  const { runtime } = services;
  return [
    {
      method: 'GET',
      path: '/models',
      scope: 'infer',
      operation: {
        id: 'models',
        tag: 'models',
        summary: 'Every model, its versions, what failed and why, how requests are batched',
        description:
          'With the inputs and outputs of each signature: dtypes, and shapes in which -1 is any size.',
        answers: { 200: valueAnswer('The models that there are', modelsSchema) },
      },
      handle: (ctx) => {
        const { models, defaultModel } = visibleTable(ctx, services);
        sendValue(ctx, {
          default_model: defaultModel ?? null,
          models: Array.from(models.values(), describeModel),
        } satisfies z.output<typeof modelsSchema>);
      },
    },
    {
      method: 'GET',
      path: '/models/:model',
      scope: 'infer',
      operation: {
        id: 'model',
        tag: 'models',
        summary: 'One model, as in the list of all',
        description: 'Also of a model that does not serve: its versions say why.',
        parameters: [modelParameter],
        answers: { 200: valueAnswer('The model', modelSchema) },
        errors: ['NOT_FOUND'],
      },
      handle: (ctx) => {
        sendValue(ctx, describeModel(visibleTable(ctx, services).get(ctx.params['model'] ?? '')));
      },
    },
    {
      method: 'GET',
      path: '/model_info',
      scope: 'infer',
      operation: {
        id: 'modelInfo',
        tag: 'models',
        summary: 'Type, device, number of parameters and signatures of the default model',
        description: 'The default model is the one that `POST /infer` asks.',
        answers: { 200: valueAnswer('The default model', modelInfoSchema) },
        errors: ['NOT_FOUND', 'UNAVAILABLE'],
      },
      handle: (ctx) => {
        const servable = visibleTable(ctx, services).find({});
        sendValue(ctx, {
          ...servable.id,
          model_type: servable.model.type,
          device: runtime.device,
          engine: describeEngine(runtime),
          parameters: servable.parameterCount,
          signatures: describeSignatures(servable),
        } satisfies z.output<typeof modelInfoSchema>);
      },
    },
  ];
}

type ModelDescription = z.output<typeof modelSchema>;

/** What `--xla` and `--mixed-precision` do on this machine. */
function describeEngine({
  kind,
  mode: { xla, mixedPrecision },
}: Services['runtime']): z.output<typeof modelInfoSchema>['engine'] {
  return { runtime: kind, xla, mixed_precision: mixedPrecision ?? null };
}

/** A model with every version, its state, and what keeps it from serving. */
export function describeModel(status: ModelStatus): ModelDescription {
  const { name, serving, wanted, pinned, labels, doubts, isUnloaded, sourceMissing, versions } = status;
  const handler = serving?.model.handler;
  return {
    name,
    version: serving?.id.version ?? null,
    generation: serving?.id.generation ?? null,
    wanted: wanted ?? null,
    pinned: pinned ?? null,
    labels: mapToObject(labels, (version) => version),
    ...(doubts.length > 0 ? { warnings: [...doubts] } : {}),
    ...(isUnloaded ? { unloaded: true } : {}),
    source_missing: sourceMissing,
    versions: versions.map(({ version, generation, state, since, error, retryAt, warmup, fingerprint }) => ({
      version,
      generation,
      state,
      ...(since ? { since: since.toISOString() } : {}),
      ...(error ? { error } : {}),
      ...(retryAt ? { retry_at: retryAt.toISOString() } : {}),
      ...(warmup ? { warmup } : {}),
      fingerprint,
    })),
    signatures: serving ? describeSignatures(serving) : {},
    batching: serving ? describeBatching(serving) : {},
    ...(handler ? { handler: describeHandler(serving.model, handler) } : {}),
  };
}

function describeHandler(
  { type, stream }: InferenceModel,
  { blocked, runsBehind }: HandlerFacts,
): ModelDescription['handler'] {
  const { calls, seconds, longestSeconds } = blocked;
  return {
    type,
    streams: stream !== undefined,
    calls,
    blocked_seconds: seconds,
    longest_blocked_seconds: longestSeconds,
    ...(runsBehind ? { behind: runsBehind } : {}),
  };
}

function describeSignatures({ model, defaultSignature }: Servable): ModelDescription['signatures'] {
  return mapToObject(model.signatures, (signature: Signature) => ({
    default: signature === defaultSignature,
    ...describeSignature(signature),
  }));
}

/** For each signature, how its requests share runs, and how many wait. */
function describeBatching({ model, batchers }: Servable): ModelDescription['batching'] {
  return mapToObject(model.signatures, (signature: Signature) => {
    const { sharing, inline, totals, runsAtOnce } = batchers.get(signature) as Batcher;
    const { kind, explanation, maxBatchSize, limits } = sharing;
    return {
      sharing: kind,
      choice: explanation,
      max_batch_size: kind === 'alone' ? 1 : maxBatchSize,
      batch_timeout_micros: inMicros(limits.timeout),
      allowed_batch_sizes: [...limits.allowedSizes],
      queue: { waiting: totals.queued, size: limits.queueSize },
      run: inline.explanation,
      runs: { in_flight: totals.inFlight, stuck: totals.stuck, at_once: runsAtOnce },
    };
  });
}
