/**
 * From two listings to what can be loaded: a pure function of what was read and when.
 *
 * A version is quiet once two listings at least `--settle` apart found it the same, and gone once two as far apart did
 * not find it. What cannot be read stays as it was: unreadable is not deleted.
 */
import type { Layout, Listing, ModelListing, VersionListing } from './listing.js';
import { type ModelConfig, noModelConfig, type RepositoryConfig } from './serving-json.js';

/** A version's folder, and whether it has stopped changing. */
export interface ScannedVersion extends VersionListing {
  /** When this fingerprint was first seen, in milliseconds of the monotonic clock. */
  readonly since: number;
  readonly quiet: boolean;
  /** When it was first missed, if it is missing now. */
  readonly missingSince?: number;
}

export interface ScannedModel {
  readonly name: string;
  /** Ascending by version. As last read, if the folder cannot be read now. */
  readonly versions: readonly ScannedVersion[];
  /** As last read without fault. */
  readonly config: ModelConfig;
  /** When the model's folder was first missed, if it is missing from a repository that can be read. */
  readonly missingSince?: number;
  /** Missing at two listings far enough apart: deleted, not hidden by a hiccup. */
  readonly gone: boolean;
}

export interface Scan {
  readonly layout: Layout | undefined;
  readonly models: ReadonlyMap<string, ScannedModel>;
  readonly config: RepositoryConfig;
  /** False where `--model-path` itself could not be read. */
  readonly readable: boolean;
  /** True while another scan, `--settle` from now, can change the picture by itself. */
  readonly unsettled: boolean;
}

export interface ScanOptions {
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
  /** Milliseconds that a folder must stay the same. */
  readonly settle: number;
  /** Milliseconds that a repository must stay entirely empty before its models count as deleted. */
  readonly emptyFor: number;
}

export const nothingScanned: Scan = {
  layout: undefined,
  models: new Map(),
  config: {},
  readable: true,
  unsettled: false,
};

/**
 * @param before the scan before this one
 * @param listing what was read now
 */
export function scan(before: Scan, listing: Listing, options: ScanOptions): Scan {
  const { layout, models: folders, config } = listing;
  if (!folders) return { ...before, readable: false, unsettled: false };
  // A folder that never held a version is nobody's model; one that did is a model whose versions are gone.
  const listed = folders.filter(({ name, versions }) => versions?.length || before.models.has(name));
  const patience = listed.length === 0 ? Math.max(options.emptyFor, options.settle) : options.settle;
  const models = new Map<string, ScannedModel>();
  for (const model of before.models.values()) {
    const missingSince = model.missingSince ?? options.now;
    models.set(model.name, { ...model, missingSince, gone: options.now - missingSince >= patience });
  }
  for (const model of listed)
    models.set(model.name, scanModel(before.models.get(model.name), model, options));
  const unsettled = [...models.values()].some(isUnsettled);
  return {
    layout: layout ?? before.layout,
    models,
    config: config ?? before.config,
    readable: true,
    unsettled,
  };
}

function scanModel(
  before: ScannedModel | undefined,
  listing: ModelListing,
  options: ScanOptions,
): ScannedModel {
  const known = before?.versions ?? [];
  const versions = listing.versions ? scanVersions(known, listing.versions, options) : known;
  return {
    name: listing.name,
    versions,
    config: listing.config ?? before?.config ?? noModelConfig,
    gone: false,
  };
}

function scanVersions(
  known: readonly ScannedVersion[],
  listed: NonNullable<ModelListing['versions']>,
  { now, settle }: ScanOptions,
): ScannedVersion[] {
  const versions: ScannedVersion[] = [];
  for (const found of listed) {
    const before = known.find(({ directory }) => directory === found.directory);
    if ('fingerprint' in found) {
      const since = before?.fingerprint === found.fingerprint ? before.since : now;
      versions.push({ ...found, since, quiet: now - since >= settle });
    } else if (before) {
      versions.push(before);
    }
  }
  for (const before of known) {
    if (listed.some(({ directory }) => directory === before.directory)) continue;
    const missingSince = before.missingSince ?? now;
    if (now - missingSince < settle) versions.push({ ...before, quiet: false, missingSince });
  }
  return versions.sort((a, b) => a.version - b.version);
}

function isUnsettled({ missingSince, gone, versions }: ScannedModel): boolean {
  return (missingSince !== undefined && !gone) || versions.some(({ quiet }) => !quiet);
}
