/**
 * The control plane: reconciles what the folder says should be served with what is loaded.
 *
 * One loop, on the main thread. A scan says what is in the folder; for each model the plan says what to load, serve and
 * unload next; loads run one after another, off the event loop; a version that has passed the gate is swapped in by
 * publishing a new table, and the one before it is unloaded after its last request. Whatever fails before the swap
 * changes nothing for those who ask for answers.
 */

import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Engines, engineIn } from '../engines/engine.js';
import type { InferenceModel } from '../engines/inference-model.js';
import type { Signature } from '../engines/signature.js';
import { messageOf, quoted, ServingError } from '../errors.js';
import { Batcher, type BatcherSurroundings } from '../serving/queue/batcher.js';
import {
  type BatchingDefaults,
  type BatchLimits,
  type BatchVerdict,
  batchLimits,
} from '../serving/queue/batching.js';
import { InlineRuns } from '../serving/queue/inline.js';
import { Scheduler } from '../serving/queue/scheduler.js';
import { Servable } from '../serving/servable.js';
import { type ModelStatus, Table } from '../serving/table.js';
import { copyPatience } from '../stores/arrival.js';
import { contentsOf, type FolderContents } from '../stores/folder/contents.js';
import { type Listing, readListing } from '../stores/folder/listing.js';
import { nothingScanned, type Scan, type ScannedModel, scan } from '../stores/scan.js';
import type { BatchingParameters } from '../stores/serving-json.js';
import { chooseDefault } from './default-signature.js';
import { FolderNews } from './folder-news.js';
import {
  GivenUp,
  type LoadedVersion,
  type LoadOptions,
  type LoadStage,
  loadVersion,
  type VersionToLoad,
} from './load/load.js';
import { LoadNotes } from './load/load-notes.js';
import { type LoadFacts, loadWay, type Trial } from './load/load-way.js';
import type { Rehearsals } from './load/rehearsal.js';
import { ModelRecord } from './model-record.js';
import type { Candidate } from './policy.js';
import type { VersionRecord } from './tries.js';

export interface ManagerOptions extends LoadOptions {
  /** `--model-path` */
  readonly root: string;
  readonly defaultModel: string | undefined;
  /** Not ready while a model found at start has never served. */
  readonly strictReady: boolean;
  /** Seconds that a folder must stay the same before it is loaded. */
  readonly settle: number;
  /** Seconds between two scans by the clock. */
  readonly scanInterval: number;
  /** Runs that typically take up to so many microseconds are made on the event loop. */
  readonly inlineRunMicros: number;
  /** Shares the process's run slots. */
  readonly scheduler: Scheduler;
  readonly batching: BatchingDefaults;
  /** From the command line; files in the folder come before them. */
  readonly batchingParameters: BatchingParameters | undefined;
  /** `--trial` */
  readonly trial: Trial;
  readonly rehearsals: Rehearsals;
  /** Where notes of loads are kept; undefined: nowhere. */
  readonly stateFolder: string | undefined;
}

/** Trial processes have TensorFlow's engine alone. A handler may open other folders than its own; these are not tried. */
async function triesOf({ directory, handler }: Candidate, engines: Engines): Promise<LoadFacts['tries']> {
  if ((await engineIn(directory, engines)) !== engines[0]) return 'nothing';
  return handler === undefined ? 'all of it' : 'the model beneath its handler';
}

/** Requests that a handler works on at once: as a rule they wait for a run of the model behind it. */
const handledAtOnce = 64;

/** Between two scans by the clock, also where `--settle` is 0. */
const shortestInterval = 20;

/** How long the next load waits for the one before it, and a load goes on before the log says so. */
const patienceMilliseconds = 10_000;

/** How long the end waits for a load under way. */
const loadAtEndMilliseconds = 500;

export class Manager {
  readonly models = new Map<string, ModelRecord>();
  /** Per model and version; outlives the models, so that no two loads of a version share a number. */
  private readonly generations = new Map<string, Map<number, number>>();
  private published = new Table(new Map(), undefined);
  private scanned: Scan = nothingScanned;
  private scanning: Promise<void> | undefined;
  private rescanWanted = false;
  private loading: Promise<void> | undefined;
  /** Models that may have a version to load. */
  private readonly mayLoad = new Set<ModelRecord>();
  private readonly unloads = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private closed = false;
  private isStarted = false;
  /** The default model where nothing names one. */
  private onlyModel: string | undefined;
  private isStopping = false;
  private notes: LoadNotes | undefined;
  private readonly news: FolderNews;
  private waiters: (() => void)[] = [];
  /** Handlers wait for runs of others: with the slots of these they would wait for themselves. */
  private readonly handled = new Scheduler(Number.MAX_SAFE_INTEGER);
  /** Names found by the first scan: readiness waits for these. */
  private readonly atStart = new Set<string>();
  /** Is told after each scan which folders' changes matter. */
  onFolders: (folders: readonly string[]) => void = () => {};

  constructor(private readonly options: ManagerOptions) {
    this.news = new FolderNews(options.logger, options.scanInterval * 1000);
  }

  /** By what a folder is a version. */
  get contents(): FolderContents {
    const { engines, handlers } = this.options;
    return contentsOf(engines, handlers);
  }

  /** What is served now. */
  get table(): Table {
    return this.published;
  }

  /**
   * True while something serves and each model found at start does; one that could not be loaded at all is not waited
   * for, unless `--strict-ready` asks for it. What else is being loaded does not matter.
   */
  get ready(): boolean {
    const { models } = this.published;
    const atStart = [...this.atStart].flatMap((name) => models.get(name) ?? []);
    const isGivenUp = ({ versions }: ModelStatus) =>
      !this.options.strictReady && versions.some(({ error }) => error);
    const serves = (model: ModelStatus) => model.serving !== undefined;
    const isSettled = (model: ModelStatus) => serves(model) || model.isUnloaded || isGivenUp(model);
    return [...models.values()].some(serves) && atStart.every(isSettled);
  }

  /** False while the folder cannot be read. */
  get sourceReadable(): boolean {
    return this.scanned.readable;
  }

  /**
   * Scans for the first time and tries every model once. What is whole at start is taken as quiet; a version that seems to
   * be copied just now is waited for, but no longer than a copy that has ended would take.
   */
  async start(): Promise<void> {
    const settle = this.options.settle * 1000;
    const { stateFolder, root, logger } = this.options;
    this.notes = await LoadNotes.open(stateFolder, root, logger);
    await this.scanOnce(true);
    for (const name of this.models.keys()) this.atStart.add(name);
    await this.loading;
    const end = performance.now() + (copyPatience + 2) * settle;
    const isLoading = () =>
      this.loading !== undefined || [...this.models.values()].some((model) => model.tries.isLoading);
    const mayBecomeQuiet = () => this.scanned.unsettled && performance.now() < end;
    const pause = Math.min(1000, Math.max(settle, shortestInterval));
    while (!this.closed && (isLoading() || mayBecomeQuiet())) await this.change(pause);
    this.isStarted = true;
  }

  /** Scans now, or once more after the scan under way; resolves when what was there at the call has been seen. */
  async rescan(): Promise<void> {
    if (this.closed) return;
    if (this.scanning) {
      this.rescanWanted = true;
      await this.scanning;
      return this.rescanWanted ? this.rescan() : this.scanning;
    }
    this.rescanWanted = false;
    this.scanning = this.scanOnce().finally(() => {
      this.scanning = undefined;
    });
    await this.scanning;
  }

  private async scanOnce(atStart = false): Promise<void> {
    const { root, settle, scanInterval } = this.options;
    const listing = await readListing(root, this.contents, this.scanned.layout);
    const times = { now: performance.now(), settle: settle * 1000, emptyFor: scanInterval * 1000 };
    this.scanned = scan(this.scanned, listing, { ...times, atStart });
    this.scheduleScan();
    this.reconcile();
    this.report(listing, atStart);
    if (!this.closed) this.onFolders(listing.folders);
  }

  private report({ problems, unserved }: Listing, atStart: boolean): void {
    const { waits } = this.scanned;
    const models = [...this.models.values()];
    const doubts = [...unserved, ...this.doubtfulDefault(), ...models.flatMap((model) => model.doubts)];
    this.news.tell({ problems, doubts, waits }, performance.now(), atStart ? 0 : undefined);
  }

  private doubtfulDefault(): string[] {
    const { models, onlyModel } = this;
    const name = this.options.defaultModel ?? this.scanned.config.default_model;
    if (name === undefined && onlyModel !== undefined && models.size > 1)
      return [
        `requests without a model still go to ${quoted(onlyModel)}, which was the only one; after a restart they go to none: give --default-model`,
      ];
    if (name === undefined || models.has(name) || models.size === 0) return [];
    const source =
      this.options.defaultModel === undefined ? 'default_model in serving.json' : '--default-model';
    const known = [...models.keys()].map(quoted).join(', ');
    return [`${source} is ${quoted(name)}, which is no model in the folder; there are ${known}`];
  }

  private scheduleScan(): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    const { settle, scanInterval } = this.options;
    const seconds = this.scanned.unsettled ? settle : scanInterval;
    // A little later than the settle time, so that the second listing is far enough from the first.
    this.timer = setTimeout(() => void this.rescan(), Math.max(seconds * 1000, shortestInterval) + 5);
    this.timer.unref();
  }

  /** Brings models in line with the last scan and starts whatever load is next. */
  reconcile(): void {
    for (const model of this.scanned.models.values()) {
      let record = this.models.get(model.name);
      if (!record) {
        const generations = this.generations.get(model.name) ?? new Map<number, number>();
        this.generations.set(model.name, generations);
        record = new ModelRecord(model.name, generations, this.limitsOf(model), this.options.signature);
        this.models.set(model.name, record);
      }
      record.scanned = model;
      record.limits = this.limitsOf(model);
      record.forget();
      if (model.gone && record.pin?.kind !== 'path') this.remove(record);
    }
    for (const model of this.models.values()) {
      for (const { version, nextTry } of model.tries.postponeHanging())
        this.options.logger.warn(
          `${model.name} version ${version}: its last load still hangs; it is tried again at ${nextTry?.at.toISOString()}`,
        );
      this.apply(model);
    }
    this.publish();
    this.goOn(this.models.values());
  }

  /** As {@link reconcile}, where nothing has changed but one model: with many models there are many such moments. */
  private reconcileOne(model: ModelRecord): void {
    this.apply(model);
    this.publish(model);
    this.goOn([model]);
  }

  /** Loads what is due of these models, now or when it is. */
  private goOn(models: Iterable<ModelRecord>): void {
    for (const model of models) this.mayLoad.add(model);
    this.scheduleRetry();
    this.loading ??= this.loadAll().finally(() => {
      this.loading = undefined;
    });
  }

  /** Comes back when the next version that could not be loaded is to be tried again. */
  private scheduleRetry(): void {
    clearTimeout(this.retryTimer);
    if (this.closed) return;
    const due = Math.min(...Array.from(this.models.values(), (model) => model.nextDue));
    if (due === Number.POSITIVE_INFINITY) return;
    // Timers may be early by a fraction of a millisecond.
    this.retryTimer = setTimeout(() => this.reconcile(), due - performance.now() + 1);
    this.retryTimer.unref();
  }

  private limitsOf({ config }: ScannedModel): BatchLimits {
    const { batching, batchingParameters } = this.options;
    const files = [config.batching_parameters, this.scanned.config.batching_parameters];
    return batchLimits(batching, ...files, batchingParameters);
  }

  /** Takes a model out of service; it comes back when its folder does. */
  remove(model: ModelRecord): void {
    this.options.logger.info(`model ${model.name} is taken away`);
    this.models.delete(model.name);
    this.mayLoad.delete(model);
    const models = new Map(this.scanned.models);
    models.delete(model.name);
    this.scanned = { ...this.scanned, models };
    this.publish();
    for (const record of model.tries.records) this.unload(model, record);
  }

  /** Swaps and unloads as the plan says. One pointer: requests that come after it go to the new version, those before it finish on the old. */
  private apply(model: ModelRecord): void {
    const { serve, unload } = model.plan();
    if (serve !== model.serving) {
      model.serving = serve;
      this.publish(model);
      if (serve)
        this.options.logger.info(
          `${model.name} version ${serve.version} generation ${serve.generation} serves`,
        );
    }
    for (const record of unload) this.unload(model, record);
  }

  /**
   * Loads are serial: two at once would take twice the memory, and each longer. But one that takes very long, or hangs,
   * does not hold up the others.
   */
  private async loadAll(): Promise<void> {
    for (let next = this.nextLoad(); next && !this.isStopping; next = this.nextLoad()) {
      const load = this.load(next.model, next.candidate);
      const wait = new AbortController();
      await Promise.race([load, delay(patienceMilliseconds, undefined, wait).catch(() => {})]);
      wait.abort();
    }
  }

  /** One that was not tried yet comes before those that failed, or with which a server died. */
  private nextLoad(): { model: ModelRecord; candidate: Candidate } | undefined {
    let failed: { model: ModelRecord; candidate: Candidate } | undefined;
    for (const model of this.mayLoad) {
      const { load: candidate } = model.plan();
      // While one is loading that is no longer the first choice, the one that is may go ahead: it may be what mends a hang.
      if (!candidate || model.tries.find(candidate)?.state === 'LOADING') {
        this.mayLoad.delete(model);
        continue;
      }
      const isDoubtful = model.tries.find(candidate)?.error || this.notes?.suspectOf(model.name, candidate);
      if (!isDoubtful) return { model, candidate };
      failed ??= { model, candidate };
    }
    return failed;
  }

  private async load(model: ModelRecord, candidate: Candidate): Promise<void> {
    const { logger } = this.options;
    const record = model.tries.begin(candidate);
    const name = `${model.name} version ${record.version}`;
    logger.info(`loading ${name}`);
    this.publish(model);
    const started = performance.now();
    let stage: LoadStage = 'reading its files';
    let isRehearsal = true;
    const sayIsSlow = setTimeout(() => {
      const where = isRehearsal ? ', in a trial process' : '';
      logger.info(`${name} has been loading for ${patienceMilliseconds / 1000} s: ${stage}${where}`);
    }, patienceMilliseconds);
    try {
      const { scheduler, inlineRunMicros } = this.options;
      const surroundings = (
        { name: signature }: Signature,
        limits = () => model.limits,
      ): BatcherSurroundings => ({
        limits,
        onDisagreement: (why) =>
          logger.warn(`${name}: requests for \`${signature}\` no longer share runs: ${why}`),
      });
      const makeBatcher = (behind: InferenceModel, signature: Signature, verdict: BatchVerdict) => {
        const inline = new InlineRuns(behind.whyNotInline(signature), inlineRunMicros, behind.mode.xla);
        return new Batcher(behind, signature, scheduler, verdict, inline, surroundings(signature));
      };
      const version = {
        model: model.name,
        candidate,
        predecessor: model.predecessorOf(candidate),
        defaultNames: model.defaultNames,
        onStage: (next: LoadStage) => {
          stage = next;
        },
        limits: model.limits,
        makeBatcher,
      };
      await this.rehearse(name, version);
      isRehearsal = false;
      const loaded = await this.loadHere(version);
      const { parameterCount, warmup, batching, isHandled } = loaded;
      record.error = undefined;
      record.warmup = warmup;
      for (const [{ name: signature }, { whyNot, unproven }] of batching) {
        if (unproven === undefined || !model.limits.isTrusted) continue;
        if (whyNot === undefined) logger.info(`${name}: requests for \`${signature}\` share runs on trial`);
        else
          logger.warn(
            `${name}: requests for \`${signature}\` run alone although they were to share runs: ${whyNot}`,
          );
      }
      record.generation = model.nextGeneration(record.version);
      const id = { model: model.name, version: record.version, generation: record.generation };
      const defaultOf = (signatures: InferenceModel['signatures']) =>
        chooseDefault(signatures, model.defaultNames);
      record.servable = new Servable(id, loaded.model, parameterCount, defaultOf, (signature) => {
        const verdict = batching.get(signature) ?? { evidence: 'unchecked' };
        if (!isHandled) return makeBatcher(loaded.model, signature, verdict);
        const inline = new InlineRuns(loaded.model.whyNotInline(signature), 0);
        const takesBatches = verdict.whyNot === undefined;
        const limits = () => (takesBatches ? model.limits : { ...model.limits, runsInFlight: handledAtOnce });
        return new Batcher(
          loaded.model,
          signature,
          this.handled,
          { ...verdict, isDeclared: takesBatches },
          inline,
          surroundings(signature, limits),
        );
      });
    } catch (error) {
      this.fail(model, record, error);
      return;
    } finally {
      clearTimeout(sayIsSlow);
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(2);
    const note = record.warmup ? ` (${record.warmup})` : '';
    logger.info(`${name} generation ${record.generation} is loaded in ${seconds} s${note}`);
    if (this.models.get(model.name) !== model || this.closed) {
      this.unload(model, record);
      return;
    }
    record.state = 'AVAILABLE';
    const others = [...this.models.values()].filter((other) => other !== model);
    // A handler may have waited for this model.
    const hasOthers = others.filter((other) => other.tries.anotherServes()).length > 0;
    if (hasOthers) this.reconcile();
    else this.reconcileOne(model);
  }

  /** Loads a version in a process of its own, where that is due. @throws ServingError if it cannot be loaded, or must not be tried */
  private async rehearse(name: string, version: VersionToLoad): Promise<void> {
    const { trial, rehearsals, logger } = this.options;
    const { model, candidate } = version;
    const suspect = this.notes?.suspectOf(model, candidate);
    const isServing = this.isStarted && [...this.models.values()].some(({ serving }) => serving);
    const way = loadWay({ trial, suspect, tries: await triesOf(candidate, this.options.engines), isServing });
    if (way === 'at once') return;
    if (suspect)
      logger.warn(
        `${name}: a server died while it loaded this version: it is tried in a process of its own first`,
      );
    try {
      await rehearsals.checkRoom();
    } catch (error) {
      if (way === 'rehearsed') throw error;
      logger.info(`${name} is loaded without a trial: ${messageOf(error)}`);
      return;
    }
    await rehearsals.run(version);
  }

  /** With a note that stays if the process dies of it. */
  private async loadHere(version: VersionToLoad): Promise<LoadedVersion> {
    const { model, candidate } = version;
    const end = () => this.notes?.end(model, candidate);
    await this.notes?.begin(model, candidate);
    try {
      const loaded = await loadVersion(version, this.options);
      await end();
      return loaded;
    } catch (error) {
      if (error instanceof GivenUp) void error.ended.then(end, end);
      else await end();
      throw error;
    }
  }

  /** Lets what failed be tried again, and versions with which a server died. */
  pardon(model: ModelRecord): void {
    model.tries.forgive();
    this.notes?.pardon(model.name);
  }

  /** The process is told to end: nothing more is loaded, and what is being loaded is not to blame. */
  async stopLoading(): Promise<void> {
    this.isStopping = true;
    this.options.rehearsals.close();
    await this.notes?.close();
  }

  private fail(model: ModelRecord, record: VersionRecord, error: unknown): void {
    if (this.isStopping) {
      record.state = 'END';
      return;
    }
    const code = error instanceof ServingError ? error.code : 'INTERNAL';
    // Clients get to read it, and have no business with where the folder is.
    const message = messageOf(error).replaceAll(`${record.directory}${path.sep}`, '');
    const hanging = error instanceof GivenUp ? error.ended : undefined;
    model.tries.end(record, new ServingError(code, message), hanging);
    const again = model.nextTryOf(record)?.at.toISOString();
    const next = again === undefined ? '' : `; it is tried again at ${again}`;
    const stays = model.serving ? `; version ${model.serving.version} goes on serving` : '';
    this.options.logger.error(
      `${model.name} version ${record.version} is not served: ${messageOf(error)}${next}${stays}`,
    );
    this.publish(model);
    // Its folder is another by now; the next scan by the clock may be far.
    if (code === 'ABORTED') void this.rescan();
    else this.reconcileOne(model);
  }

  private unload(model: ModelRecord, record: VersionRecord): void {
    const { servable } = record;
    if (!servable) return;
    record.servable = undefined;
    record.state = 'UNLOADING';
    this.publish(model);
    const { logger } = this.options;
    const name = `${model.name} version ${record.version} generation ${record.generation}`;
    const unload = servable
      .retire()
      .catch((error: unknown) => logger.error(`unloading ${name}: ${messageOf(error)}`))
      .then(() => {
        logger.info(`${name} is unloaded`);
        record.state = 'END';
        model.forget();
        this.unloads.delete(unload);
        this.publish(model);
      });
    this.unloads.add(unload);
  }

  /** @param changed the only model that is not as it was published last; by default any may be */
  private publish(changed?: ModelRecord): void {
    const all = Array.from(this.models.values(), (model): [string, ModelStatus] => {
      const known = changed && changed !== model ? this.published.models.get(model.name) : undefined;
      return [model.name, known ?? model.status()];
    });
    this.onlyModel = this.findOnlyModel();
    this.published = new Table(new Map(all), this.defaultModel);
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  /** The model that is meant when none is named. */
  get defaultModel(): string | undefined {
    return this.options.defaultModel ?? this.scanned.config.default_model ?? this.onlyModel;
  }

  /** The one there is, or was when others came: for as long as it serves, requests without a name go on to it. */
  private findOnlyModel(): string | undefined {
    const [first, second] = this.models.keys();
    if (second === undefined) return first;
    const before = this.onlyModel;
    return before !== undefined && this.models.get(before)?.serving ? before : undefined;
  }

  /** Waits for the next change of the table, at most so many milliseconds. */
  async change(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.waiters.push(resolve);
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
  }

  /** Ends scanning and gives every model back, once its requests have ended. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.retryTimer);
    await this.stopLoading();
    await this.scanning;
    // TensorFlow cannot be made to stop. What is loaded later is unloaded at once.
    await Promise.race([this.loading, delay(loadAtEndMilliseconds, undefined, { ref: false })]);
    const models = [...this.models.values()];
    this.models.clear();
    this.publish();
    for (const model of models) {
      for (const record of model.tries.records) this.unload(model, record);
    }
    await Promise.all(this.unloads);
  }
}
