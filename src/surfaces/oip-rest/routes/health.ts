/**
 * `GET /v2/health/live`, `/v2/health/ready` and `/v2/models/{name}/ready`.
 */
import type { z } from 'zod';
import type { Route } from '../../../http/routes/route.js';
import { targetOf } from '../../../http/routes/target.js';
import { visibleTable } from '../../../http/routes/visible-table.js';
import type { Services } from '../../../http/services.js';
import { jsonAnswer, modelErrors, modelPaths, oipOperation } from '../operations.js';
import { liveSchema, modelReadySchema, readySchema } from '../schemas.js';
import { sendValue } from '../values.js';

export function healthRoutes(services: Services): Route[] {
  const { state } = services;
  return [
    {
      method: 'GET',
      path: '/v2/health/live',
      scope: 'open',
      operation: oipOperation({
        id: 'oipLive',
        summary: 'Whether the process answers',
        answers: { 200: jsonAnswer('It does', liveSchema) },
      }),
      handle: (ctx) => sendValue(ctx, { live: true } satisfies z.output<typeof liveSchema>),
    },
    {
      method: 'GET',
      path: '/v2/health/ready',
      scope: 'open',
      operation: oipOperation({
        id: 'oipReady',
        summary: 'Whether the server should be sent requests',
        answers: {
          200: jsonAnswer('It should', readySchema),
          503: jsonAnswer('Its models are being loaded, or it has been told to stop', readySchema),
        },
      }),
      handle: (ctx) => {
        const { ready } = state;
        ctx.status = ready ? 200 : 503;
        sendValue(ctx, { ready } satisfies z.output<typeof readySchema>);
      },
    },
    ...modelPaths.map(
      ({ path, suffix, parameters }): Route => ({
        method: 'GET',
        path: `${path}/ready`,
        scope: 'infer',
        operation: oipOperation({
          id: `oipModelReady${suffix}`,
          summary: 'Whether the model serves',
          parameters,
          answers: { 200: jsonAnswer('It does', modelReadySchema) },
          errors: modelErrors,
        }),
        handle: (ctx) => {
          const { model } = visibleTable(ctx, services).find(targetOf(ctx.params)).id;
          sendValue(ctx, { name: model, ready: true } satisfies z.output<typeof modelReadySchema>);
        },
      }),
    ),
  ];
}
