/**
 * Decides which version is loaded next, and records the result.
 *
 * Loads are serial: two at once would need twice the memory, and each would take longer. But a load that takes very
 * long, or hangs, does not hold up the others.
 */

import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, ServingError } from '../../errors.js';
import type { BatchVerdict } from '../../serving/queue/batching.js';
import type { Queues } from '../../serving/queue/queues.js';
import type { LocalVersion, SourceVersion } from '../../stores/source.js';
import type { Logger } from '../../telemetry/logger.js';
import { inMilliseconds, now, type Seconds, secondsSince } from '../../time.js';
import type { DataPlane } from '../data-plane.js';
import type { ModelRecord } from '../model-record.js';
import type { VersionRecord } from '../version-records.js';
import { GivenUp, type LoadedVersion } from './load.js';
import type { LoadCounts } from './load-counts.js';
import type { VersionLoader } from './version-loader.js';

/** After this time the next load begins although one is under way, and the log reports the slow one. */
const patience: Seconds = 10;

/** What loads ask their owner, and report to it. */
export interface LoadsHost {
  /** True if a version serves. A load must not end the process then. */
  isServing(): boolean;
  /** A load has begun, or has failed. */
  changed(model: ModelRecord): void;
  /** The version has a servable. */
  loaded(model: ModelRecord, record: VersionRecord): void;
  /** @param code is the code of the failure */
  failed(model: ModelRecord, code: ServingError['code']): void;
  /** The files of a version are no longer needed. */
  release(name: string, local: LocalVersion | undefined): void;
}

export interface LoadsParts {
  readonly loader: VersionLoader;
  readonly queues: Queues;
  readonly logger: Logger;
  readonly dataPlane: DataPlane | undefined;
  readonly counts: LoadCounts;
}

interface Load {
  readonly model: ModelRecord;
  readonly candidate: SourceVersion;
}

export class Loads {
  /** Models that may have a version to load. */
  private readonly mayLoad = new Set<ModelRecord>();
  private loading: Promise<void> | undefined;
  private isStopping = false;

  constructor(
    private readonly parts: LoadsParts,
    private readonly host: LoadsHost,
  ) {}

  /** Resolves when there is nothing to load; undefined if that is so now. */
  get underWay(): Promise<void> | undefined {
    return this.loading;
  }

  /** Loads the versions of these models that are due. */
  goOn(models: Iterable<ModelRecord>): void {
    for (const model of models) this.mayLoad.add(model);
    this.loading ??= this.loadAll().finally(() => {
      this.loading = undefined;
    });
  }

  /** Forgets a model that is no longer there. */
  drop(model: ModelRecord): void {
    this.mayLoad.delete(model);
  }

  /** Loads nothing more. A failure from now on is not to blame on the version. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.parts.loader.close();
  }

  private async loadAll(): Promise<void> {
    for (let next = this.next(); next && !this.isStopping; next = this.next()) {
      const load = this.load(next);
      const wait = new AbortController();
      await Promise.race([load, delay(inMilliseconds(patience), undefined, wait).catch(() => {})]);
      wait.abort();
    }
  }

  /** The next load. A version that was not tried yet comes before those that failed, or with which a server died. */
  private next(): Load | undefined {
    let failed: Load | undefined;
    for (const model of this.mayLoad) {
      const { load: candidate } = model.plan();
      // A version is loading that is no longer the first choice. The one that is may go ahead, because it may be the
      // cure for a hang.
      if (!candidate || model.records.find(candidate)?.state === 'LOADING') {
        this.mayLoad.delete(model);
        continue;
      }
      const isDoubtful =
        model.records.find(candidate)?.error || this.parts.loader.isSuspect(model.name, candidate);
      if (!isDoubtful) return { model, candidate };
      failed ??= { model, candidate };
    }
    return failed;
  }

  private async load({ model, candidate }: Load): Promise<void> {
    const { logger, loader, queues } = this.parts;
    const record = model.records.begin(candidate);
    const name = nameOf(model, record);
    logger.info(`loading ${name}`);
    this.host.changed(model);
    const started = now();
    let stage = 'fetching its files';
    const sayIsSlow = setTimeout(() => {
      logger.info(`${name} has been loading for ${patience} s: ${stage}`);
    }, inMilliseconds(patience));
    let local: LocalVersion | undefined;
    try {
      local = await loader.fetch(candidate);
      stage = 'starting to load';
      const loaded = await loader.load(
        {
          model: model.name,
          candidate,
          predecessor: model.predecessorOf(candidate),
          defaultNames: model.defaultNames,
          isServing: this.host.isServing(),
          onStage: (next) => {
            stage = next;
          },
          limits: model.limits,
          makeBatcher: (behind, signature, verdict) =>
            queues.beforeModel({
              id: { model: model.name, version: record.version },
              ...{ model: behind, signature, verdict },
              limits: () => model.limits,
            }),
        },
        local,
      );
      stage = 'being prepared on every worker';
      await this.deploy(model, record, loaded, local);
    } catch (error) {
      this.fail(model, record, error, { local, seconds: secondsSince(started) });
      return;
    } finally {
      clearTimeout(sayIsSlow);
    }
    const seconds = secondsSince(started);
    this.parts.counts.add(model.name, 'ok', seconds);
    const note = record.warmup ? ` (${record.warmup})` : '';
    logger.info(`${name} generation ${record.generation} is loaded in ${seconds.toFixed(2)} s${note}`);
    this.host.loaded(model, record);
  }

  private async deploy(
    model: ModelRecord,
    record: VersionRecord,
    { model: loaded, parameterCount, warmup, batching: verdicts, isHandled }: LoadedVersion,
    local: LocalVersion,
  ): Promise<void> {
    const { queues, dataPlane } = this.parts;
    const batching = new Map(Array.from(verdicts, ([{ name }, verdict]) => [name, verdict]));
    this.tellOfTrials(model, record, batching);
    const { version } = record;
    const generation = model.nextGeneration(version);
    const id = { model: model.name, version, generation };
    const terms = model.termsOf(loaded);
    const deployment = { id, model: loaded, parameterCount, isHandled, batching, terms };
    const servable = queues.deploy(deployment);
    try {
      await dataPlane?.prepare(deployment, servable);
    } catch (error) {
      await servable.retire();
      throw error;
    }
    model.loaded(record, { servable, local, warmup, generation });
  }

  /** Logs that somebody made requests share runs, although the graph does not prove that they may. */
  private tellOfTrials(
    model: ModelRecord,
    record: VersionRecord,
    batching: ReadonlyMap<string, BatchVerdict>,
  ): void {
    if (!model.limits.isTrusted) return;
    const name = nameOf(model, record);
    for (const [signature, verdict] of batching) {
      if (verdict.sharing === 'trial')
        this.parts.logger.info(`${name}: requests for \`${signature}\` share runs on trial`);
      else if (verdict.sharing === 'alone' && verdict.afterTrial)
        this.parts.logger.warn(
          `${name}: requests for \`${signature}\` run alone, although the settings ask for shared runs: ${verdict.why}`,
        );
    }
  }

  private fail(
    model: ModelRecord,
    record: VersionRecord,
    error: unknown,
    { local, seconds }: { readonly local: LocalVersion | undefined; readonly seconds: Seconds },
  ): void {
    const name = nameOf(model, record);
    const hanging = error instanceof GivenUp ? error.ended : undefined;
    const release = () => this.host.release(name, local);
    if (hanging) hanging.then(release, release);
    else release();
    if (this.isStopping) {
      model.records.abandoned(record);
      return;
    }
    const code = error instanceof ServingError ? error.code : 'INTERNAL';
    this.parts.counts.add(model.name, code, seconds);
    // Clients read this text, and where the files are is none of their business.
    const text = messageOf(error);
    const message = local ? text.replaceAll(`${local.directory}${path.sep}`, '') : text;
    model.records.failed(record, new ServingError(code, message), hanging);
    const again = model.nextTryOf(record)?.at.toISOString();
    const next = again === undefined ? '' : `; it is tried again at ${again}`;
    const stays = model.serving ? `; version ${model.serving.version} goes on serving` : '';
    this.parts.logger.error(`${name} is not served: ${text}${next}${stays}`);
    this.host.changed(model);
    this.host.failed(model, code);
  }
}

function nameOf({ name }: ModelRecord, { version }: VersionRecord): string {
  return `${name} version ${version}`;
}
