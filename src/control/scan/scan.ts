/**
 * Turns two listings into what can be loaded. It is a pure function of what was read and when.
 *
 * A version is quiet once two listings far enough apart found it the same (`arrival.ts` says how far). It is gone once
 * two listings at least `--settle` apart did not find it. What cannot be read stays as it was, because unreadable is
 * not deleted.
 */

import { type ModelConfig, noModelConfig, type RepositoryConfig } from '../../stores/serving-json.js';
import type { ModelListing, SourceVersion, UnreadableVersion, VersionListing } from '../../stores/source.js';
import type { Milliseconds, Moment, WallTime } from '../../time.js';
import { type Arrival, arrivalOf, cameAtOnce, copyPatience } from './arrival.js';
import type { CheckedListing, CheckedModelListing } from './checked-listing.js';

/** A version, and whether it has stopped changing. */
export interface ScannedVersion extends SourceVersion {
  readonly identity?: string | undefined;
  readonly model?: string | undefined;
  readonly arrival?: Arrival;
  /** True if it was complete once and its marker has been taken away: it is being overwritten. */
  readonly unmarked?: boolean;
  /** When this fingerprint was first seen. */
  readonly since: Moment;
  readonly quiet: boolean;
  /** When it was first missed, if it is missing now. */
  readonly missingSince?: Moment;
}

export interface ScannedModel {
  readonly name: string;
  /** The versions, ascending. If the folder cannot be read now, they are as last read. */
  readonly versions: readonly ScannedVersion[];
  /** The settings, as last read without a fault. */
  readonly config: ModelConfig;
  /** When the model's folder was first missed, if it is missing from a repository that can be read. */
  readonly missingSince?: Moment;
  /** True if it was missing at two listings far enough apart: it was deleted, and not hidden by a hiccup. */
  readonly gone: boolean;
}

export interface Scan {
  readonly models: ReadonlyMap<string, ScannedModel>;
  readonly config: RepositoryConfig;
  /** False if the source itself could not be read. */
  readonly readable: boolean;
  /** True while another scan, `--settle` from now, can change the result without any change of the files. */
  readonly unsettled: boolean;
  /** The versions that must wait, and for what, for the log. */
  readonly waits: readonly string[];
  /** When everything was last scanned. */
  readonly scannedAt: WallTime | undefined;
}

export interface ScanOptions {
  /** the moment of the scan. */
  readonly moment: Moment;
  /** When the scan began. */
  readonly wall: WallTime;
  /** How long a version that came whole must stay the same. */
  readonly settle: Milliseconds;
  /** True for the first scan: a complete version counts as quiet. */
  readonly atStart?: boolean;
  /** How long a repository must stay entirely empty before its models count as deleted. */
  readonly emptyFor: Milliseconds;
}

export const nothingScanned: Scan = {
  models: new Map(),
  config: {},
  readable: true,
  unsettled: false,
  waits: [],
  scannedAt: undefined,
};

/**
 * @param before is the scan before this one
 * @param listing is what was read now
 */
export function scan(before: Scan, listing: CheckedListing, options: ScanOptions): Scan {
  const { models: folders, config } = listing;
  if (!folders) return { ...before, readable: false, unsettled: false };
  const repository = config ?? before.config;
  const settings = { ...options, scannedAt: before.scannedAt };
  // A folder that never held a version is no model. One that did is a model whose versions are gone.
  const listed = folders.filter(({ name, versions }) => versions?.length || before.models.has(name));
  const patience = listed.length === 0 ? Math.max(options.emptyFor, options.settle) : options.settle;
  const models = new Map<string, ScannedModel>();
  for (const model of before.models.values()) {
    const missingSince = model.missingSince ?? options.moment;
    models.set(model.name, { ...model, missingSince, gone: options.moment - missingSince >= patience });
  }
  const waits: string[] = [];
  for (const model of listed) {
    const known = before.models.get(model.name);
    const scanned = scanModel(known, model, repository, settings, waits);
    // None of its versions has its marker yet.
    if (known || scanned.versions.length > 0) models.set(model.name, scanned);
  }
  return {
    models,
    config: repository,
    readable: true,
    unsettled: [...models.values()].some(isUnsettled),
    waits,
    scannedAt: listing.problems.length === 0 ? options.wall : before.scannedAt,
  };
}

type Settings = ScanOptions & { readonly scannedAt: WallTime | undefined };

function scanModel(
  before: ScannedModel | undefined,
  { name, versions: listed, config: read }: CheckedModelListing,
  repository: RepositoryConfig,
  settings: Settings,
  waits: string[],
): ScannedModel {
  const known = before?.versions ?? [];
  const config = read ?? before?.config ?? noModelConfig;
  const marker = config.complete_marker ?? repository.complete_marker;
  const versions = listed ? scanVersions(known, listed, marker, settings) : known;
  const byPlace = keyedByPlace(versions);
  for (const each of listed ?? []) {
    const scanned = byPlace.get(each.place);
    const why = whyWaiting(each, scanned, marker, settings);
    if (why !== undefined) waits.push(`${name} version ${each.version} ${why}`);
  }
  return { name, versions, config, gone: false };
}

function whyWaiting(
  found: VersionListing | UnreadableVersion,
  scanned: ScannedVersion | undefined,
  marker: string | undefined,
  { settle, moment }: Settings,
): string | undefined {
  if (!('fingerprint' in found)) return undefined;
  if (marker !== undefined && (!scanned || scanned.unmarked))
    return `is not loaded until its folder holds a file ${marker}`;
  if (!scanned || scanned.quiet || scanned.arrival?.kind !== 'copied') return undefined;
  // A folder whose files are being deleted changes, too. By the next scan it is gone.
  if (scanned.since === moment) return undefined;
  const seconds = Number(((copyPatience * settle) / 1000).toPrecision(2));
  return `was not renamed into place: it is loaded when its files have been the same for ${seconds} s, ${copyPatience} times --settle`;
}

function scanVersions(
  known: readonly ScannedVersion[],
  listed: NonNullable<ModelListing['versions']>,
  marker: string | undefined,
  settings: Settings,
): ScannedVersion[] {
  const { moment, settle, atStart = false } = settings;
  const versions: ScannedVersion[] = [];
  const knownByPlace = keyedByPlace(known);
  for (const found of listed) {
    const before = knownByPlace.get(found.place);
    if (!('fingerprint' in found)) {
      if (before) versions.push(before);
      continue;
    }
    const { arrival: facts, ...version } = found;
    const since = before?.fingerprint === found.fingerprint ? before.since : moment;
    if (facts === 'whole') {
      versions.push({ ...version, arrival: cameAtOnce, since, quiet: true });
      continue;
    }
    const marked = marker !== undefined && facts.entries.includes(marker);
    if (marker !== undefined && !marked) {
      // A new version is not complete yet. One that was complete is being overwritten.
      if (before) versions.push({ ...before, quiet: false, unmarked: true });
      continue;
    }
    const { identity, model } = facts;
    const arrival = arrivalOf(found.fingerprint, facts, before, { ...settings, atStart, marked });
    versions.push({ ...version, identity, model, arrival, since, quiet: moment - since >= arrival.needs });
  }
  const listedByPlace = keyedByPlace(listed);
  for (const before of known) {
    if (listedByPlace.has(before.place)) continue;
    const missingSince = before.missingSince ?? moment;
    if (moment - missingSince < settle) versions.push({ ...before, quiet: false, missingSince });
  }
  return versions.sort((a, b) => a.version - b.version);
}

/** Versions by place. A model may have thousands of versions and be scanned often. */
function keyedByPlace<Version extends { readonly place: string }>(
  versions: readonly Version[],
): ReadonlyMap<string, Version> {
  return new Map(versions.map((version) => [version.place, version]));
}

function isUnsettled({ missingSince, gone, versions }: ScannedModel): boolean {
  return (missingSince !== undefined && !gone) || versions.some(({ quiet, unmarked }) => !quiet && !unmarked);
}
