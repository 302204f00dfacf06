/** The model configuration extension: what Triton's `config.pbtxt` would say of a model. */
import type { z } from 'zod';
import { callerInputs, callerOutputs } from '../../../engines/composite.js';
import type { CallerSpec, Signature } from '../../../engines/signature.js';
import type { Route } from '../../../http/routes/route.js';
import { targetOf } from '../../../http/routes/target.js';
import { visibleTable } from '../../../http/routes/visible-table.js';
import type { Services } from '../../../http/services.js';
import type { Batcher } from '../../../serving/queue/batcher.js';
import { whyNotBatched } from '../../../serving/queue/batching.js';
import type { Servable } from '../../../serving/servable.js';
import { inMicros } from '../../../time.js';
import { askedSignature, signatureParameter } from '../asked-signature.js';
import { datatypes } from '../datatypes.js';
import { jsonAnswer, modelErrors, modelPaths, oipOperation } from '../operations.js';
import { configSchema } from '../schemas.js';
import { sendValue } from '../values.js';

type Config = z.output<typeof configSchema>;

export function configRoutes(services: Services): Route[] {
  return modelPaths.map(({ path, suffix, parameters }) => ({
    method: 'GET',
    path: `${path}/config`,
    scope: 'infer',
    operation: oipOperation({
      id: `oipModelConfig${suffix}`,
      summary: 'The configuration of a model, as Triton writes it',
      description: 'Of one signature: the default one, or the one that is asked for.',
      parameters: [...parameters, signatureParameter],
      answers: { 200: jsonAnswer('The configuration', configSchema) },
      errors: modelErrors,
    }),
    handle: (ctx) => {
      const servable = visibleTable(ctx, services).find(targetOf(ctx.params));
      sendValue(ctx, configOf(servable, askedSignature(servable, ctx.query)));
    },
  }));
}

/** Triton's backends, by their platforms. */
const backends: ReadonlyMap<string, string> = new Map([
  ['tensorflow_savedmodel', 'tensorflow'],
  ['onnxruntime_onnx', 'onnxruntime'],
]);

/** @param signature is undefined for a model without a default one */
function configOf(servable: Servable, signature: Signature | undefined): Config {
  const { platform } = servable.model;
  const backend = backends.get(platform) ?? platform;
  const model = { name: servable.id.model, platform, backend };
  if (!signature) return { ...model, max_batch_size: 0, input: [], output: [] };
  const batcher = servable.batcher(signature);
  const isBatched = whyNotBatched(signature) === undefined;
  const describe = (spec: CallerSpec) => tensorOf(spec, isBatched);
  return {
    ...model,
    max_batch_size: isBatched ? batcher.limits.maxBatchSize : 0,
    input: Array.from(callerInputs(signature).values(), describe),
    output: Array.from(callerOutputs(signature).values(), describe),
    ...(batcher.sharing.whyNot === undefined ? { dynamic_batching: batchingOf(batcher) } : {}),
  };
}

/** @param isBatched leaves the batch dim out, as in Triton if `max_batch_size` is not 0 */
function tensorOf({ name, dtype, shape }: CallerSpec, isBatched: boolean): Config['input'][number] {
  const dims = (shape ?? [null]).map((dim) => dim ?? -1);
  const type = dtype === 'string' ? 'STRING' : datatypes[dtype];
  return { name, data_type: `TYPE_${type}`, dims: isBatched ? dims.slice(1) : dims };
}

function batchingOf({ limits }: Batcher): Config['dynamic_batching'] {
  return {
    preferred_batch_size: [...limits.allowedSizes],
    max_queue_delay_microseconds: Math.round(inMicros(limits.timeout)),
  };
}
