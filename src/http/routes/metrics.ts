/**
 * `GET /metrics`, for Prometheus.
 */
import type { Route } from '../route.js';
import type { Services } from '../services.js';

export function metricsRoutes({ telemetry }: Services): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      scope: 'metrics',
      handle: async (ctx) => {
        ctx.set('content-type', telemetry.contentType);
        ctx.body = await telemetry.render();
      },
    },
  ];
}
