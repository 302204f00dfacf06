/**
 * Which version of a model should be served: pure functions of what the folder says and what was tried.
 */
import type { ScannedVersion } from '../repository/scan.js';

/** A version's folder at one moment of its contents. */
export type Candidate = Pick<ScannedVersion, 'version' | 'directory' | 'fingerprint'>;

/** What a version is held at by `/update_model`, until it is unpinned: a version of the folder, or a folder elsewhere. */
export type Pin =
  | { readonly kind: 'version'; readonly version: number }
  | ({ readonly kind: 'path' } & Candidate);

export interface PolicyInput {
  /** The versions in the model's folder. */
  readonly versions: readonly ScannedVersion[];
  readonly pin: Pin | undefined;
  /** What is served now. */
  readonly serving: Candidate | undefined;
  /** True for a candidate that was tried with just these contents, and failed. */
  readonly failed: (candidate: Candidate) => boolean;
}

/** The version that is meant, whether or not it can be had: the pinned one, else the newest. */
export function wantedVersion({ versions, pin }: Pick<PolicyInput, 'versions' | 'pin'>): number | undefined {
  return pin?.version ?? versions.at(-1)?.version;
}

/**
 * The version to serve next: the newest that is quiet and has not failed. Whatever is served stays while its folder is
 * there and nothing newer can be had, and also when nothing else is there at all.
 *
 * @returns undefined if nothing is to be changed
 */
export function chooseVersion({ versions, pin, serving, failed }: PolicyInput): Candidate | undefined {
  if (pin?.kind === 'path') return isSame(pin, serving) || failed(pin) ? undefined : pin;
  const servingIsThere = versions.some(({ directory }) => directory === serving?.directory);
  for (const candidate of [...versions].reverse()) {
    if (pin && candidate.version !== pin.version) continue;
    if (!pin && serving && servingIsThere && candidate.version < serving.version) return undefined;
    if (isSame(candidate, serving)) return undefined;
    if (candidate.quiet && !failed(candidate)) return candidate;
  }
  return undefined;
}

/** The same folder with the same contents. */
export function isSame(a: Candidate, b: Candidate | undefined): boolean {
  return a.directory === b?.directory && a.fingerprint === b.fingerprint;
}
