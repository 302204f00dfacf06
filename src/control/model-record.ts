/**
 * What the control plane knows of one model: the versions in the source, what was asked for, the versions that were
 * tried, and the one that serves.
 */

import type { InferenceModel } from '../engines/inference-model.js';
import { ServingError } from '../errors.js';
import type { Terms } from '../serving/deployment.js';
import type { BatchLimits } from '../serving/queue/batching.js';
import { noModelConfig } from '../stores/serving-json.js';
import type { SourceVersion } from '../stores/source.js';
import { type Moment, now } from '../time.js';
import { chooseDefault, type DefaultNames, type Predecessor, whyNotAfter } from './default-signature.js';
import {
  aspiredVersions,
  isWanted,
  type Pin,
  type Plan,
  type PlanInput,
  plan,
  wantedVersion,
} from './policy.js';
import type { NextTry } from './retry.js';
import type { ScannedModel } from './scan/scan.js';
import { type LoadOutcome, type VersionRecord, VersionRecords } from './version-records.js';

export class ModelRecord {
  readonly records = new VersionRecords();
  private served: VersionRecord | undefined;
  /** The pin of `/update_model`. It precedes the one in `serving.json`. */
  private requestedPin: Pin | undefined;
  private isSetAside = false;
  private scannedNow: ScannedModel;
  /** The version that each label means now: see {@link renewLabels}. */
  private labelled: ReadonlyMap<string, number> = new Map();

  /** @param generations count the loads of each version in this process, also before the model last went away */
  constructor(
    readonly name: string,
    private readonly generations: Map<number, number>,
    private batchLimits: BatchLimits,
    /** The value of `--signature`. */
    private readonly signature: string,
  ) {
    this.scannedNow = { name, versions: [], config: noModelConfig, gone: false };
  }

  get pin(): Pin | undefined {
    const { pin } = this.scanned.config;
    return this.requestedPin ?? (pin === undefined ? undefined : { kind: 'version', version: pin });
  }

  /** The version that answers when a request names none. */
  get serving(): VersionRecord | undefined {
    return this.served;
  }

  /**
   * True if somebody had it unloaded although the source has it. It stays unloaded until somebody asks for it again.
   */
  get isUnloaded(): boolean {
    return this.isSetAside;
  }

  /** The limits that files and flags set now. */
  get limits(): BatchLimits {
    return this.batchLimits;
  }

  /** The model as the source last had it. */
  get scanned(): ScannedModel {
    return this.scannedNow;
  }

  /** The version that each label means. */
  get labels(): ReadonlyMap<string, number> {
    return this.labelled;
  }

  /** Takes the result of a new scan. */
  follow(scanned: ScannedModel, limits: BatchLimits): void {
    const before = this.scannedNow.config.default_signature;
    this.scannedNow = scanned;
    this.batchLimits = limits;
    // Versions may have been refused because of the old name.
    if (scanned.config.default_signature !== before) this.records.forgive();
    for (const { servable } of this.records.loaded) servable?.renew(this.termsOf(servable.model));
    this.forget();
    this.renewLabels();
  }

  /** Notes that a version was loaded. */
  loaded(record: VersionRecord, outcome: LoadOutcome): void {
    this.records.succeeded(record, outcome);
    this.renewLabels();
  }

  /**
   * Takes the servable and the files out of the record, so that they can be unloaded.
   * @returns undefined if there are none
   */
  detach(record: VersionRecord): ReturnType<VersionRecords['detach']> {
    const detached = this.records.detach(record);
    this.renewLabels();
    return detached;
  }

  /** Notes that nothing of a version is loaded any more. */
  unloaded(record: VersionRecord): void {
    this.records.unloaded(record);
    this.forget();
  }

  /**
   * Finds the version that each label means: the one that it names. A label that was moved keeps its old version until
   * the new one is loaded.
   */
  private renewLabels(): void {
    const isLoaded = (version: number) => this.records.loaded.some((record) => record.version === version);
    const labelled = Object.entries(this.scanned.config.version_labels).map(([label, named]) => {
      const before = this.labelled.get(label);
      const stays = before !== undefined && !isLoaded(named) && isLoaded(before);
      return [label, stays ? before : named] as const;
    });
    this.labelled = new Map(labelled);
  }

  /** The terms that files and flags set for a version with such a model. */
  termsOf({ signatures }: InferenceModel): Terms {
    return { limits: this.limits, defaultSignature: chooseDefault(signatures, this.defaultNames)?.name };
  }

  /**
   * Notes that somebody asks for the model.
   * @param pin is what to hold it at; `latest` ends that, undefined changes nothing
   */
  ask(pin: Pin | 'latest' | undefined): void {
    this.isSetAside = false;
    if (pin !== undefined) this.requestedPin = pin === 'latest' ? undefined : pin;
  }

  /** Notes that somebody has it unloaded. */
  setAside(): void {
    this.isSetAside = true;
    this.requestedPin = undefined;
  }

  /** Makes this version answer from now on. */
  serve(record: VersionRecord | undefined): void {
    this.served = record;
  }

  get defaultNames(): DefaultNames {
    return { configured: this.scanned.config.default_signature, flag: this.signature };
  }

  /** What to load, serve and unload next. */
  plan(): Plan<VersionRecord> {
    if (this.isUnloaded) return { load: undefined, serve: undefined, unload: this.records.loaded };
    return plan(this.planInput);
  }

  private get planInput(): PlanInput<VersionRecord> {
    const { versions, config } = this.scanned;
    return {
      versions,
      policy: config.model_version_policy,
      labelled: [...Object.values(config.version_labels), ...this.labels.values()],
      pin: this.pin,
      loaded: this.records.loaded,
      serving: this.serving,
      failed: (candidate) => this.records.hasFailed(candidate),
      mayServe: (record) => this.whyNotServe(record) === undefined,
    };
  }

  /** The version whose place a candidate would take once it is loaded. */
  predecessorOf(candidate: SourceVersion): Predecessor | undefined {
    const input = this.planInput;
    const loaded: SourceVersion[] = [...input.loaded, candidate];
    const takesOver = plan<SourceVersion>({ ...input, loaded, mayServe: () => true }).serve === candidate;
    return takesOver ? this.predecessor : undefined;
  }

  private get predecessor(): Predecessor | undefined {
    const { servable, version } = this.serving ?? {};
    return servable && version !== undefined
      ? { version, defaultSignature: servable.defaultSignature }
      : undefined;
  }

  /** Why a loaded version must not take the place of the one that serves. It was loaded to be held ready. */
  private whyNotServe({ servable }: VersionRecord): string | undefined {
    const { predecessor } = this;
    if (!servable || !predecessor) return undefined;
    return whyNotAfter(predecessor, servable.model.signatures, this.defaultNames);
  }

  /** Why the wanted version does not serve, if it could not be loaded or must not take over. */
  get obstacle(): ServingError | undefined {
    return this.obstacleOf(this.records.last(this.wanted));
  }

  /** Why any version does not serve. */
  obstacleOf(record: VersionRecord | undefined): ServingError | undefined {
    if (!record || record.error) return record?.error;
    if (record === this.serving || record.version !== this.wanted) return undefined;
    const reason = this.whyNotServe(record);
    return reason === undefined ? undefined : new ServingError('FAILED_PRECONDITION', reason);
  }

  get wanted(): number | undefined {
    const { versions, config } = this.scanned;
    return wantedVersion({ versions, policy: config.model_version_policy, pin: this.pin });
  }

  /** The versions that are to be loaded or stay loaded, whether quiet or not. */
  get aspired(): ReadonlySet<number> {
    return aspiredVersions(this.planInput);
  }

  /** When a version is tried again; undefined if it failed for good, or nobody wants it any more. */
  nextTryOf(record: VersionRecord): NextTry | undefined {
    if (this.isUnloaded) return undefined;
    const isWaiting = record.state === 'END' && record.nextTry && isWanted(this.planInput, record);
    return isWaiting ? record.nextTry : undefined;
  }

  /** The next moment at which there is something to be tried again. */
  get nextDue(): Moment {
    const moment = now();
    const dues = this.records.all.map((record) => this.nextTryOf(record)?.due ?? Number.POSITIVE_INFINITY);
    return Math.min(...dues.filter((due) => due > moment));
  }

  /** The number of the load that has just succeeded. */
  nextGeneration(version: number): number {
    const generation = (this.generations.get(version) ?? 0) + 1;
    this.generations.set(version, generation);
    return generation;
  }

  /** Forgets tries of versions that have changed since. */
  private forget(): void {
    this.records.forgetAllBut([...this.scanned.versions, ...(this.pin?.kind === 'path' ? [this.pin] : [])]);
  }
}
