/**
 * `GET /health`, `/health/live`, `/health/ready`: for everybody, so without paths and error texts.
 */
import type { ModelStatus } from '../../serving/table.js';
import { sendValue } from '../respond.js';
import type { Route } from '../route.js';
import type { Services } from '../services.js';

export function healthRoutes({ manager, draining }: Services): Route[] {
  const isReady = () => manager.ready && !draining.aborted;
  return [
    {
      method: 'GET',
      path: '/health',
      scope: 'open',
      handle: (ctx) =>
        sendValue(ctx, {
          status: draining.aborted ? 'draining' : 'ok',
          ready: isReady(),
          source: manager.sourceReadable ? 'ok' : 'unreadable',
          models: Array.from(manager.table.models.values(), describeHealth),
        }),
    },
    {
      method: 'GET',
      path: '/health/live',
      scope: 'open',
      handle: (ctx) => sendValue(ctx, { status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/health/ready',
      scope: 'open',
      handle: (ctx) => {
        const ready = isReady();
        ctx.status = ready ? 200 : 503;
        sendValue(ctx, { status: ready ? 'ok' : 'not ready' });
      },
    },
  ];
}

function describeHealth({ name, serving, wanted, pinned, sourceMissing, versions }: ModelStatus): object {
  const newest = versions.findLast(({ version }) => version === wanted);
  const blocked = newest?.error ? { code: newest.error.code } : {};
  return {
    name,
    serving: serving?.id.version ?? null,
    wanted: wanted ?? null,
    state: newest?.state ?? 'END',
    ...(pinned === undefined ? {} : { pinned }),
    ...(sourceMissing ? { source: 'missing' } : {}),
    ...blocked,
  };
}
