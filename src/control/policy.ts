/**
 * Decides which versions of a model should be loaded, and which of them serves. These are pure functions of what the
 * source has and what was tried.
 */
import type { VersionPolicy } from '../stores/serving-json.js';
import type { SourceVersion } from '../stores/source.js';
import type { ScannedVersion } from './scan/scan.js';

/** What a model is held at until it is unpinned: one of its own versions, or one that a path names. */
export type Pin =
  | { readonly kind: 'version'; readonly version: number }
  | ({ readonly kind: 'path' } & SourceVersion);

export interface PlanInput<Loaded extends SourceVersion> {
  /** The versions that the source has, ascending. */
  readonly versions: readonly ScannedVersion[];
  readonly policy: VersionPolicy;
  /** Versions that a label names. They are held ready whatever the policy says. */
  readonly labelled: readonly number[];
  readonly pin: Pin | undefined;
  /** The loaded versions, oldest load first. */
  readonly loaded: readonly Loaded[];
  readonly serving: Loaded | undefined;
  /** True for a candidate that was tried with these contents, failed, and is not to be tried again now. */
  readonly failed: (candidate: SourceVersion) => boolean;
  /** False for a version that must not take the place of `serving`. */
  readonly mayServe: (loaded: Loaded) => boolean;
}

export interface Plan<Loaded extends SourceVersion> {
  /** The version to load next. */
  readonly load: SourceVersion | undefined;
  /** The version to serve from now on. */
  readonly serve: Loaded | undefined;
  /** The versions that nobody wants any more. */
  readonly unload: readonly Loaded[];
}

/**
 * The version that is meant, whether or not it is available: the pinned one, else the newest that the policy admits.
 */
export function wantedVersion({
  versions,
  policy,
  pin,
}: Pick<PlanInput<SourceVersion>, 'versions' | 'policy' | 'pin'>): number | undefined {
  return (
    pin?.version ??
    admit(
      policy,
      versions.map(({ version }) => version),
    ).at(-1)
  );
}

/**
 * Says what to do next. Availability comes first: a version is unloaded only once its successor is ready, and a version
 * that serves goes on while nothing better is available.
 */
export function plan<Loaded extends SourceVersion>(input: PlanInput<Loaded>): Plan<Loaded> {
  const { versions, pin, loaded, serving, mayServe } = input;
  const { admitted, aspired } = aspire(input);
  const load = findLoad(input, aspired);
  const isPinned = (each: Loaded) =>
    pin?.kind === 'path' ? each.place === pin.place : each.version === pin?.version;
  const inFolder = (each: Loaded) => versions.some(({ place }) => place === each.place);
  const choices = pin
    ? loaded.filter(isPinned)
    : loaded.filter((each) => admitted.includes(each.version) && inFolder(each));
  const serve = newest(choices.filter((each) => each === serving || mayServe(each))) ?? serving;
  const settled = [...aspired].every((version) => loaded.some((each) => each.version === version));
  const unload = loaded.filter((each) => {
    if (each === serve) return false;
    const isReplaced = newest(loaded.filter(({ place }) => place === each.place)) !== each;
    const isAspired = isPinned(each) || (aspired.has(each.version) && inFolder(each));
    return isReplaced || (settled && aspired.size > 0 && !isAspired);
  });
  return { load, serve, unload };
}

/** True if the candidate would be loaded, had it not failed. */
export function isWanted<Loaded extends SourceVersion>(
  input: PlanInput<Loaded>,
  candidate: SourceVersion,
): boolean {
  if (input.pin?.kind === 'path' && isSame(input.pin, candidate)) return true;
  const failed = (each: SourceVersion) => !isSame(each, candidate) && input.failed(each);
  const isThere = input.versions.some((each) => isSame(each, candidate));
  return isThere && aspire({ ...input, failed }).aspired.has(candidate.version);
}

/** The versions that are to be loaded or stay loaded, whether quiet or not. */
export function aspiredVersions<Loaded extends SourceVersion>(input: PlanInput<Loaded>): ReadonlySet<number> {
  return aspire(input).aspired;
}

/** The versions that may serve, and those that are held ready. */
function aspire<Loaded extends SourceVersion>({
  versions,
  policy,
  labelled,
  pin,
  loaded,
  failed,
}: PlanInput<Loaded>): { admitted: readonly number[]; aspired: ReadonlySet<number> } {
  // A failed version does not take the place of one that works. A version that was damaged in place after it was loaded
  // still counts.
  const isHopeful = (each: ScannedVersion) =>
    !failed(each) || loaded.some(({ place }) => place === each.place);
  const hopeful = versions.filter(isHopeful).map(({ version }) => version);
  const admitted = admit(policy, hopeful);
  const isHeld = (version: number) =>
    labelled.includes(version) || (pin?.kind === 'version' && pin.version === version);
  return { admitted, aspired: new Set([...admitted, ...hopeful.filter(isHeld)]) };
}

/** The version to load: first the one that should serve, then the newest. */
function findLoad<Loaded extends SourceVersion>(
  { versions, pin, loaded, failed }: PlanInput<Loaded>,
  aspired: ReadonlySet<number>,
): SourceVersion | undefined {
  const isDue = (candidate: SourceVersion) =>
    !failed(candidate) && !loaded.some((each) => isSame(each, candidate));
  if (pin?.kind === 'path' && isDue(pin)) return pin;
  const due = versions.filter((each) => each.quiet && aspired.has(each.version) && isDue(each));
  return due.find(({ version }) => pin?.kind === 'version' && version === pin.version) ?? due.at(-1);
}

/** The highest version, and of that the latest load. */
function newest<Loaded extends SourceVersion>(loaded: readonly Loaded[]): Loaded | undefined {
  return loaded.reduce<Loaded | undefined>(
    (best, each) => (best && best.version > each.version ? best : each),
    undefined,
  );
}

/** @param versions are ascending */
function admit(policy: VersionPolicy, versions: readonly number[]): readonly number[] {
  if ('all' in policy) return versions;
  if ('specific' in policy) return versions.filter((version) => policy.specific.versions.includes(version));
  return versions.slice(-policy.latest.num_versions);
}

/** True for the same place with the same contents. */
export function isSame(a: SourceVersion, b: SourceVersion | undefined): boolean {
  return a.place === b?.place && a.fingerprint === b.fingerprint;
}
