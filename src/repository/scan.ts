/**
 * From two listings to what can be loaded: a pure function of what was read and when.
 *
 * A version is quiet once two listings at least `--settle` apart found it the same. Folders that cannot be read, or are
 * gone for a moment, change nothing: unreadable is not deleted.
 */
import type { Layout, Listing, VersionListing } from './listing.js';

/** A version's folder, and whether it has stopped changing. */
export interface ScannedVersion extends VersionListing {
  /** When this fingerprint was first seen, in milliseconds of the monotonic clock. */
  readonly since: number;
  readonly quiet: boolean;
}

export interface ScannedModel {
  readonly name: string;
  /** Ascending by version. As last read, if the folder cannot be read now. */
  readonly versions: readonly ScannedVersion[];
  /** When the model's folder was first missed, if it is missing from a repository that can be read. */
  readonly missingSince?: number;
  /** Missing at two listings far enough apart: deleted, not hidden by a hiccup. */
  readonly gone: boolean;
}

export interface Scan {
  readonly layout: Layout | undefined;
  readonly models: ReadonlyMap<string, ScannedModel>;
  /** False where `--model-path` itself could not be read. */
  readonly readable: boolean;
  readonly problems: readonly string[];
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
  readable: true,
  problems: [],
  unsettled: false,
};

/**
 * @param before the scan before this one
 * @param listing what was read now
 */
export function scan(before: Scan, listing: Listing, options: ScanOptions): Scan {
  const { layout, models: folders, problems } = listing;
  if (!folders) return { ...before, readable: false, problems, unsettled: false };
  // A folder that never held a version is nobody's model; one that did is a model whose versions are gone.
  const listed = folders.filter(({ name, versions }) => versions?.length || before.models.has(name));
  const models = new Map<string, ScannedModel>();
  const patience = listed.length === 0 ? Math.max(options.emptyFor, options.settle) : options.settle;
  for (const model of before.models.values()) {
    const missingSince = model.missingSince ?? options.now;
    const gone = options.now - missingSince >= patience;
    models.set(model.name, { ...model, missingSince, gone });
  }
  for (const { name, versions } of listed) {
    const known = before.models.get(name)?.versions ?? [];
    models.set(name, {
      name,
      versions: versions ? settleVersions(known, versions, options) : known,
      gone: false,
    });
  }
  const unsettled = [...models.values()].some(
    ({ missingSince, gone, versions }) =>
      (missingSince !== undefined && !gone) || versions.some(({ quiet }) => !quiet),
  );
  return { layout: layout ?? before.layout, models, readable: true, problems, unsettled };
}

function settleVersions(
  known: readonly ScannedVersion[],
  listed: readonly VersionListing[],
  { now, settle }: ScanOptions,
): ScannedVersion[] {
  const versions = listed.map((version) => {
    const same = known.find(
      ({ directory, fingerprint }) => directory === version.directory && fingerprint === version.fingerprint,
    );
    const since = same?.since ?? now;
    return { ...version, since, quiet: now - since >= settle };
  });
  return versions.sort((a, b) => a.version - b.version);
}
