/**
 * What the manager knows of one model: the versions that were tried, the one that serves, and what `/models` says of
 * them.
 */

import type { ServingError } from '../errors.js';
import type { ScannedModel } from '../repository/scan.js';
import { noModelConfig } from '../repository/serving-json.js';
import type { BatchLimits } from './batching.js';
import { type Candidate, isSame, type Pin, type Plan, plan, wantedVersion } from './policy.js';
import type { Servable } from './servable.js';
import type { ModelStatus, VersionState, VersionStatus } from './table.js';

/** One version's folder with just these contents, from the first try to load it on. */
export interface VersionRecord extends Candidate {
  state: VersionState;
  error?: ServingError | undefined;
  warmup?: string | undefined;
  generation: number;
  servable?: Servable | undefined;
}

export class ModelRecord {
  readonly tried: VersionRecord[] = [];
  serving: VersionRecord | undefined;
  /** From `/update_model`; comes before the one in `serving.json`. */
  requestedPin: Pin | undefined;
  scanned: ScannedModel;

  /** @param generations how often each version was loaded in this process, also before the model last went away */
  constructor(
    readonly name: string,
    private readonly generations: Map<number, number>,
    /** As the files and flags have them now. */
    public limits: BatchLimits,
  ) {
    this.scanned = { name, versions: [], config: noModelConfig, gone: false };
  }

  get pin(): Pin | undefined {
    const { pin } = this.scanned.config;
    return this.requestedPin ?? (pin === undefined ? undefined : { kind: 'version', version: pin });
  }

  /** What to load, serve and unload next. */
  plan(): Plan<VersionRecord> {
    const { versions, config } = this.scanned;
    return plan({
      versions,
      policy: config.model_version_policy,
      labelled: Object.values(config.version_labels),
      pin: this.pin,
      loaded: this.tried.filter(({ state }) => state === 'AVAILABLE'),
      serving: this.serving,
      failed: (candidate) => this.record(candidate)?.error !== undefined,
    });
  }

  get wanted(): number | undefined {
    const { versions, config } = this.scanned;
    return wantedVersion({ versions, policy: config.model_version_policy, pin: this.pin });
  }

  record(candidate: Candidate): VersionRecord | undefined {
    return this.tried.find((record) => isSame(record, candidate));
  }

  get isLoading(): boolean {
    return this.tried.some(({ state }) => state === 'LOADING');
  }

  /** Starts a try. */
  begin({ version, directory, fingerprint, handler }: Candidate): VersionRecord {
    const record: VersionRecord = {
      ...{ version, directory, fingerprint, handler },
      state: 'LOADING',
      generation: 0,
    };
    this.tried.push(record);
    return record;
  }

  /** The number of the load that just succeeded. */
  nextGeneration(version: number): number {
    const generation = (this.generations.get(version) ?? 0) + 1;
    this.generations.set(version, generation);
    return generation;
  }

  /** Forgets tries that are over and whose folder is no longer as it was, so that the folder's history does not pile up. */
  forget(): void {
    const current = [...this.scanned.versions, ...(this.pin?.kind === 'path' ? [this.pin] : [])];
    const kept = this.tried.filter(
      (record) => record.state !== 'END' || current.some((candidate) => isSame(record, candidate)),
    );
    this.tried.splice(0, this.tried.length, ...kept);
  }

  /** Lets what failed be tried again, although its folder is the same. */
  forgive(): void {
    const kept = this.tried.filter(({ error }) => !error);
    this.tried.splice(0, this.tried.length, ...kept);
  }

  /** The last try of a version with the contents its folder has now. */
  lastTry(version: number | undefined): VersionRecord | undefined {
    return this.tried.findLast((record) => record.version === version);
  }

  status(): ModelStatus {
    const available = new Map<number, Servable>();
    for (const { state, version, servable } of this.tried) {
      if (state === 'AVAILABLE' && servable) available.set(version, servable);
    }
    return {
      name: this.name,
      versions: this.versionStatuses(),
      serving: this.serving?.servable,
      available,
      labels: new Map(Object.entries(this.scanned.config.version_labels)),
      wanted: this.wanted,
      pinned: this.pin?.version,
      sourceMissing: this.serving !== undefined && !this.hasSource(this.serving),
    };
  }

  private hasSource(serving: VersionRecord): boolean {
    if (this.pin?.kind === 'path') return true;
    return (
      this.scanned.missingSince === undefined &&
      this.scanned.versions.some(({ directory }) => directory === serving.directory)
    );
  }

  private versionStatuses(): VersionStatus[] {
    const statuses: VersionStatus[] = this.tried.map(
      ({ version, generation, state, error, warmup, fingerprint }) => ({
        version,
        generation,
        state,
        error: error && { code: error.code, message: error.message },
        warmup,
        fingerprint,
      }),
    );
    for (const found of this.scanned.versions) {
      if (this.record(found)) continue;
      // Not tried: either it is about to be, or nobody wants it.
      const isWanted = found.version === this.wanted || this.serving === undefined;
      statuses.push({
        version: found.version,
        generation: 0,
        state: isWanted ? 'START' : 'END',
        fingerprint: found.fingerprint,
      });
    }
    return statuses.sort((a, b) => a.version - b.version || a.generation - b.generation);
  }
}
