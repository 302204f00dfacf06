/**
 * `GET /health`, `/health/live`, `/health/ready`. They are open to everybody, so they show no paths and no error texts.
 */
import type { z } from 'zod';
import { valueAnswer } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import type { Services } from '../../../http/services.js';
import type { ModelStatus } from '../../../serving/table.js';
import { sendValue } from '../answers.js';
import { healthSchema, liveSchema, readySchema } from '../openapi/answer-schemas.js';

export function healthRoutes({ manager, state }: Services): Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      scope: 'open',
      operation: {
        id: 'health',
        tag: 'health',
        summary: 'The server and each of its models, in short',
        description: 'Without paths and texts of errors, as everybody may ask.',
        answers: { 200: valueAnswer('The state of everything', healthSchema) },
      },
      handle: (ctx) =>
        sendValue(ctx, {
          status: state.stopping ? 'draining' : 'ok',
          ready: state.ready,
          source: manager.sourceReadable ? 'ok' : 'unreadable',
          models: Array.from(manager.table.models.values(), describeHealth),
        } satisfies z.output<typeof healthSchema>),
    },
    {
      method: 'GET',
      path: '/health/live',
      scope: 'open',
      operation: {
        id: 'live',
        tag: 'health',
        summary: 'Whether the process answers',
        description: 'For a supervisor that starts the process anew where it does not.',
        answers: { 200: valueAnswer('It does', liveSchema) },
      },
      handle: (ctx) => sendValue(ctx, { status: 'ok' } satisfies z.output<typeof liveSchema>),
    },
    {
      method: 'GET',
      path: '/health/ready',
      scope: 'open',
      operation: {
        id: 'ready',
        tag: 'health',
        summary: 'Whether the server should be sent requests',
        description: 'For a load balancer, which sends requests only to servers that are ready.',
        answers: {
          200: valueAnswer('It should', readySchema),
          503: valueAnswer('Its models are being loaded, or it has been told to stop', readySchema),
        },
      },
      handle: (ctx) => {
        const { ready } = state;
        ctx.status = ready ? 200 : 503;
        sendValue(ctx, { status: ready ? 'ok' : 'not ready' } satisfies z.output<typeof readySchema>);
      },
    },
  ];
}

function describeHealth(status: ModelStatus): z.output<typeof healthSchema>['models'][number] {
  const { name, serving, wanted, pinned, sourceMissing, versions } = status;
  const newest = versions.findLast(({ version }) => version === wanted);
  const blocked = newest?.error ? { code: newest.error.code } : {};
  return {
    name,
    serving: serving?.id.version ?? null,
    wanted: wanted ?? null,
    state: newest?.state ?? 'END',
    ...(pinned === undefined ? {} : { pinned }),
    ...(sourceMissing ? { source: 'missing' as const } : {}),
    ...blocked,
  };
}
