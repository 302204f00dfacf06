/**
 * `GET /v2` and `/v2/models/{name}`: the server, and the inputs and outputs of a model.
 */

import { z } from 'zod';
import { callerInputs, callerOutputs } from '../../../engines/composite.js';
import type { CallerSpec, Signature } from '../../../engines/signature.js';
import { savedModelType } from '../../../engines/tensorflow/runtime.js';
import { invalidArgument } from '../../../errors.js';
import type { Parameter } from '../../../http/operation.js';
import type { Route } from '../../../http/route.js';
import type { Services } from '../../../http/services.js';
import { packageVersion } from '../../../package-version.js';
import { chooseSignature } from '../../../serving/predict.js';
import type { Servable } from '../../../serving/servable.js';
import type { ModelStatus } from '../../../serving/table.js';
import { datatypes } from '../datatypes.js';
import { jsonAnswer, modelErrors, modelPaths, oipOperation } from '../operations.js';
import { modelSchema, serverSchema } from '../schemas.js';
import { targetOf } from '../target.js';
import { sendValue } from '../values.js';

/** Of Triton, as far as they are here. */
const extensions = ['binary_tensor_data', 'model_repository', 'parameters', 'statistics'];

const signatureParameter: Parameter = {
  name: 'signature',
  in: 'query',
  description: 'The signature that is meant; the default one if left out.',
  schema: z.string(),
};

export function metadataRoutes({ manager }: Services): Route[] {
  return [
    {
      method: 'GET',
      path: '/v2',
      scope: 'open',
      operation: oipOperation({
        id: 'oipServer',
        summary: 'The server, and which extensions of the protocol it has',
        answers: { 200: jsonAnswer('The server', serverSchema) },
      }),
      handle: (ctx) =>
        sendValue(ctx, {
          name: 'tfjs-serving',
          version: packageVersion(),
          extensions,
        } satisfies z.output<typeof serverSchema>),
    },
    ...modelPaths.map(
      ({ path, suffix, parameters }): Route => ({
        method: 'GET',
        path,
        scope: 'infer',
        operation: oipOperation({
          id: `oipModel${suffix}`,
          summary: 'The inputs and outputs of a model',
          description: 'Of one signature: the default one, or the one that is asked for.',
          parameters: [...parameters, signatureParameter],
          answers: { 200: jsonAnswer('The model', modelSchema) },
          errors: modelErrors,
        }),
        handle: (ctx) => {
          const { signature: name } = ctx.query;
          if (Array.isArray(name)) throw invalidArgument('`signature` comes twice in the query');
          const servable = manager.table.find(targetOf(ctx));
          const signature = name === undefined ? servable.defaultSignature : chooseSignature(servable, name);
          sendValue(ctx, describeModel(manager.table.get(servable.id.model), servable, signature));
        },
      }),
    ),
  ];
}

/** @param signature undefined for a model without a default one */
function describeModel(
  { available }: ModelStatus,
  { id, loaded }: Servable,
  signature: Signature | undefined,
): z.output<typeof modelSchema> {
  return {
    name: id.model,
    versions: Array.from(available.keys(), String),
    platform: loaded.type.startsWith(savedModelType) ? 'tensorflow_savedmodel' : loaded.type,
    inputs: signature ? Array.from(callerInputs(signature).values(), describeSpec) : [],
    outputs: signature ? Array.from(callerOutputs(signature).values(), describeSpec) : [],
  };
}

function describeSpec({
  kind,
  name,
  dtype,
  shape,
}: CallerSpec): z.output<typeof modelSchema>['inputs'][number] {
  const anyRank = shape === null ? { any_rank: true as const } : {};
  const parameters = { ...(kind ? { kind } : {}), ...anyRank };
  return {
    name,
    datatype: datatypes[dtype],
    shape: (shape ?? [-1]).map((dim) => dim ?? -1),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
  };
}
