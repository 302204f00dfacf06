/**
 * `GET /models`, `/models/{name}` and `/model_info`: what is served, in every detail.
 */
import { describeSignature, mapToObject } from '../../runtime/describe.js';
import type { Signature } from '../../runtime/signature.js';
import type { Batcher } from '../../serving/batcher.js';
import type { Servable } from '../../serving/servable.js';
import type { ModelStatus } from '../../serving/table.js';
import { sendValue } from '../respond.js';
import type { Route } from '../route.js';
import type { Services } from '../services.js';

export function modelRoutes({ manager, runtime }: Services): Route[] {
  return [
    {
      method: 'GET',
      path: '/models',
      scope: 'infer',
      handle: (ctx) => {
        const { models, defaultModel } = manager.table;
        sendValue(ctx, {
          default_model: defaultModel ?? null,
          models: Array.from(models.values(), describeModel),
        });
      },
    },
    {
      method: 'GET',
      path: '/models/:model',
      scope: 'infer',
      handle: (ctx) => {
        sendValue(ctx, describeModel(manager.table.get(ctx.params['model'] ?? '')));
      },
    },
    {
      method: 'GET',
      path: '/model_info',
      scope: 'infer',
      handle: (ctx) => {
        const servable = manager.table.find({});
        sendValue(ctx, {
          ...servable.id,
          model_type: 'TensorFlow SavedModel',
          device: runtime.device,
          engine: describeEngine(runtime),
          parameters: servable.parameterCount,
          signatures: describeSignatures(servable),
        });
      },
    },
  ];
}

/** What `--xla` and `--mixed-precision` came to on this machine. */
function describeEngine({ kind, engine: { xla, mixedPrecision } }: Services['runtime']): object {
  return { runtime: kind, xla, mixed_precision: mixedPrecision ?? null };
}

/** A model with every version, its state and what stands between it and service. */
export function describeModel(status: ModelStatus): object {
  const { name, serving, wanted, pinned, labels, sourceMissing, versions } = status;
  return {
    name,
    version: serving?.id.version ?? null,
    generation: serving?.id.generation ?? null,
    wanted: wanted ?? null,
    pinned: pinned ?? null,
    labels: mapToObject(labels, (version) => version),
    source_missing: sourceMissing,
    versions: versions.map(({ version, generation, state, error, warmup, fingerprint }) => ({
      version,
      generation,
      state,
      ...(error ? { error } : {}),
      ...(warmup ? { warmup } : {}),
      fingerprint,
    })),
    signatures: serving ? describeSignatures(serving) : {},
    batching: serving ? describeBatching(serving) : {},
  };
}

function describeSignatures({ loaded, defaultSignature }: Servable): object {
  return mapToObject(loaded.signatures, (signature: Signature) => ({
    default: signature === defaultSignature,
    ...describeSignature(signature),
  }));
}

/** For each signature how its requests share runs, and what waits. */
function describeBatching({ loaded, batchers }: Servable): object {
  return mapToObject(loaded.signatures, (signature: Signature) => {
    const { explanation, whyNot, maxBatchSize, limits, inline, queued, inFlight, stuck } = batchers.get(
      signature,
    ) as Batcher;
    return {
      choice: explanation,
      max_batch_size: whyNot === undefined ? maxBatchSize : 1,
      batch_timeout_micros: limits.timeoutMilliseconds * 1000,
      allowed_batch_sizes: limits.allowedSizes,
      queue: { waiting: queued, size: limits.queueSize },
      run: inline.explanation,
      runs: { in_flight: inFlight, stuck, at_once: limits.runsInFlight },
    };
  });
}
