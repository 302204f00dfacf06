/** Metrics of the versions of each model: which one serves, and the state of each. */
import type { Telemetry } from '../telemetry/metrics.js';
import type { ModelStatus, Table } from './table.js';

/** @param table returns what is served at the time of a scrape */
export function addVersionMetrics(telemetry: Telemetry, table: () => Table): void {
  const perModel = (name: string, help: string, read: (model: ModelStatus) => number | undefined) =>
    telemetry.gauges(name, help, () =>
      [...table().models.values()].flatMap((model) => {
        const value = read(model);
        return value === undefined ? [] : [{ value, labels: { model: model.name } }];
      }),
    );
  perModel('tfjs_serving_version', 'The version that serves', ({ serving }) => serving?.id.version);
  perModel(
    'tfjs_serving_version_generation',
    'How often the version that serves was loaded in this process',
    ({ serving }) => serving?.id.generation,
  );
  perModel('tfjs_serving_version_wanted', 'The version that should serve', ({ wanted }) => wanted);
  perModel('tfjs_serving_version_pinned', 'The version the model is held at, if any', ({ pinned }) => pinned);
  telemetry.gauges(
    'tfjs_serving_version_state',
    '1 for the state of each version, with the error if it failed',
    () =>
      [...table().models.values()].flatMap(({ name, versions }) =>
        versions.map(({ version, state, error }) => ({
          value: 1,
          labels: { model: name, version, state, code: error?.code ?? '' },
        })),
      ),
  );
}
