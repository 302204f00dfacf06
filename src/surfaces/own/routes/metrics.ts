/**
 * `GET /metrics`, for Prometheus.
 */
import { z } from 'zod';
import type { Route } from '../../../http/routes/route.js';
import type { Services } from '../../../http/services.js';

export function metricsRoutes({ telemetry }: Services): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      scope: 'metrics',
      operation: {
        id: 'metrics',
        tag: 'diagnosis',
        summary: 'Metrics for Prometheus',
        description: 'Counts of requests and runs, their times, and what the process holds.',
        answers: {
          200: {
            description: "Prometheus' text format",
            content: [{ mediaTypes: [telemetry.contentType], schema: z.string() }],
          },
        },
      },
      handle: async (ctx) => {
        ctx.set('content-type', telemetry.contentType);
        ctx.body = await telemetry.render();
      },
    },
  ];
}
