/** The statistics extension: the number of requests that each version answered, and where their time went. */
import type { z } from 'zod';
import type { Route } from '../../../http/routes/route.js';
import { targetOf } from '../../../http/routes/target.js';
import { visibleTable } from '../../../http/routes/visible-table.js';
import type { Services } from '../../../http/services.js';
import type { Servable } from '../../../serving/servable.js';
import { jsonAnswer, modelErrors, modelPaths, oipOperation } from '../operations.js';
import { allStatisticsSchema, statisticsSchema } from '../schemas.js';
import { sendValue } from '../values.js';
import { modelMetadata } from './metadata.js';

type Statistics = z.output<typeof statisticsSchema>;

const description =
  '`inference_stats` counts the requests of a version since the process began. `inference_count` counts rows, and ' +
  '`execution_count` counts runs, since its files were last loaded. What the server does not measure is 0.';

export function statisticsRoutes(services: Services): Route[] {
  const { telemetry } = services;
  const describe = (servables: Iterable<Servable>): Statistics => ({
    model_stats: Array.from(servables, (servable) => statisticsOf(servable, telemetry)),
  });
  return [
    {
      method: 'GET',
      path: '/v2/models/stats',
      scope: 'infer',
      operation: oipOperation({
        id: 'oipStatistics',
        summary: 'Statistics of every version that serves',
        description: `${description} A model that is called \`stats\` is described here as well.`,
        answers: { 200: jsonAnswer('The statistics', allStatisticsSchema) },
      }),
      handle: (ctx) => {
        const table = visibleTable(ctx, services);
        const models = [...table.models.values()];
        const all = describe(models.flatMap(({ available }) => [...available.values()]));
        const namesake = table.models.get('stats')?.serving;
        const ofNamesake = namesake ? modelMetadata(table, { model: 'stats' }, ctx.query) : {};
        sendValue(ctx, { ...ofNamesake, ...all } satisfies z.output<typeof allStatisticsSchema>);
      },
    },
    ...modelPaths.map(
      ({ path, suffix, parameters }): Route => ({
        method: 'GET',
        path: `${path}/stats`,
        scope: 'infer',
        operation: oipOperation({
          id: `oipModelStatistics${suffix}`,
          summary: 'Statistics of a model',
          description: `Of all its versions that serve, or of the one in the path. ${description}`,
          parameters,
          answers: { 200: jsonAnswer('The statistics', statisticsSchema) },
          errors: modelErrors,
        }),
        handle: (ctx) => {
          const target = targetOf(ctx.params);
          const table = visibleTable(ctx, services);
          const servable = table.find(target);
          const isAll = target.version === undefined;
          const all = table.get(servable.id.model).available.values();
          sendValue(ctx, describe(isAll ? all : [servable]));
        },
      }),
    ),
  ];
}

function statisticsOf(
  { id, batchers }: Servable,
  telemetry: Services['telemetry'],
): Statistics['model_stats'][number] {
  const { model, version } = id;
  const { succeeded, failed, queueMicros, runMicros, last } = telemetry.totalsOf(model, version);
  const { count } = succeeded;
  let [rows, runs] = [0, 0];
  for (const { totals } of batchers.values()) {
    rows += totals.rows;
    runs += totals.runs;
  }
  return {
    name: model,
    version: String(version),
    last_inference: last,
    inference_count: rows,
    execution_count: runs,
    inference_stats: {
      success: duration(count, succeeded.seconds * 1e6),
      fail: duration(failed.count, failed.seconds * 1e6),
      queue: duration(count, queueMicros),
      compute_input: nothing,
      compute_infer: duration(count, runMicros),
      compute_output: nothing,
      cache_hit: nothing,
      cache_miss: nothing,
    },
    batch_stats: [],
  };
}

function duration(count: number, micros: number) {
  return { count, ns: Math.round(micros * 1000) };
}

const nothing = { count: 0, ns: 0 };
