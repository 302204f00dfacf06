/**
 * `GET /v2` and `/v2/models/{name}`: the server, and the inputs and outputs of a model.
 */

import type { ParsedUrlQuery } from 'node:querystring';
import type { z } from 'zod';
import { callerInputs, callerOutputs } from '../../../engines/composite.js';
import type { CallerSpec } from '../../../engines/signature.js';
import { packageVersion } from '../../../files/package-version.js';
import type { Route } from '../../../http/routes/route.js';
import { targetOf } from '../../../http/routes/target.js';
import { visibleTable } from '../../../http/routes/visible-table.js';
import type { Services } from '../../../http/services.js';
import type { Table, Target } from '../../../serving/table.js';
import { askedSignature, signatureParameter } from '../asked-signature.js';
import { datatypes } from '../datatypes.js';
import { jsonAnswer, modelErrors, modelPaths, oipOperation } from '../operations.js';
import { modelSchema, serverSchema } from '../schemas.js';
import { sendValue } from '../values.js';

/** Triton's extensions that exist here. */
const extensions = [
  'binary_tensor_data',
  'model_configuration',
  'model_repository',
  'parameters',
  'statistics',
];

export function metadataRoutes(services: Services): Route[] {
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
        handle: (ctx) =>
          sendValue(ctx, modelMetadata(visibleTable(ctx, services), targetOf(ctx.params), ctx.query)),
      }),
    ),
  ];
}

/** What the server says of a model. @throws ServingError NOT_FOUND, UNAVAILABLE, INVALID_ARGUMENT */
export function modelMetadata(
  table: Table,
  target: Target,
  query: ParsedUrlQuery,
): z.output<typeof modelSchema> {
  const servable = table.find(target);
  const { model } = servable.id;
  const signature = askedSignature(servable, query);
  return {
    name: model,
    versions: Array.from(table.get(model).available.keys(), String),
    platform: servable.model.platform,
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
