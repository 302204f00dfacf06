/**
 * What `/models` says of one model: its versions and their states, and settings that the owner probably did not intend.
 */
import { listed, quoted } from '../errors.js';
import type { Servable } from '../serving/servable.js';
import type { ModelStatus, VersionStatus } from '../serving/table.js';
import type { ModelRecord } from './model-record.js';

export function statusOf(model: ModelRecord): ModelStatus {
  const available = new Map<number, Servable>();
  for (const { version, servable } of model.records.loaded) {
    if (servable) available.set(version, servable);
  }
  return {
    name: model.name,
    versions: versionStatuses(model),
    serving: model.serving?.servable,
    available,
    doubts: doubtsOf(model),
    labels: model.labels,
    wanted: model.wanted,
    pinned: model.pin?.version,
    isUnloaded: model.isUnloaded,
    sourceMissing: model.serving !== undefined && !hasSource(model),
  };
}

/** Pins and labels in `serving.json` that name missing versions. */
export function doubtsOf({ name, scanned }: ModelRecord): string[] {
  const { config, versions, gone, missingSince } = scanned;
  if (gone || missingSince !== undefined) return [];
  const known = versions.map(({ version }) => version);
  const told = (what: string, version: number) =>
    known.includes(version)
      ? []
      : [
          `${what} in serving.json of \`${name}\` is version ${version}, which is not there; there are ${listed(known) || 'none'}`,
        ];
  const { pin, version_labels: labels } = config;
  return [
    ...(pin === undefined ? [] : told('`pin`', pin)),
    ...Object.entries(labels).flatMap(([label, version]) => told(`the label ${quoted(label)}`, version)),
  ];
}

/** True while the source has the version that serves. */
function hasSource({ pin, scanned, serving }: ModelRecord): boolean {
  if (pin?.kind === 'path') return true;
  return scanned.missingSince === undefined && scanned.versions.some(({ place }) => place === serving?.place);
}

function versionStatuses(model: ModelRecord): VersionStatus[] {
  const { records, scanned, aspired, isUnloaded, serving } = model;
  const statuses: VersionStatus[] = records.all.map((record) => {
    const { version, generation, state, since, warmup, fingerprint } = record;
    const error = model.obstacleOf(record);
    return {
      version,
      generation,
      state,
      since: state === 'LOADING' ? since : undefined,
      error: error && { code: error.code, message: error.message },
      retryAt: model.nextTryOf(record)?.at,
      warmup,
      fingerprint,
    };
  });
  for (const found of scanned.versions) {
    if (records.find(found)) continue;
    // The version was not tried. It will be once its files are quiet, or nobody wants it.
    const isWanted = !isUnloaded && (aspired.has(found.version) || serving === undefined);
    statuses.push({
      version: found.version,
      generation: 0,
      state: isWanted ? 'START' : 'END',
      fingerprint: found.fingerprint,
    });
  }
  return statuses.sort((a, b) => a.version - b.version || a.generation - b.generation);
}
