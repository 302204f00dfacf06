/**
 * The control plane: makes what is loaded agree with what the source has.
 *
 * It is one loop on the main thread. A scan says what is there. For each model, the plan says what to load, serve and
 * unload next. A version that has passed the gate takes over when a new table is published, and the one before it is
 * unloaded after its last request. A failure before the swap changes nothing for callers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ServingError } from '../errors.js';
import type { Queues } from '../serving/queue/queues.js';
import type { Table } from '../serving/table.js';
import type { SourceVersion } from '../stores/source.js';
import { inMilliseconds, type Milliseconds, now } from '../time.js';
import type { DataPlane } from './data-plane.js';
import { DefaultModel } from './default-model.js';
import { LoadCounts } from './load/load-counts.js';
import { Loads } from './load/loads.js';
import { VersionLoader, type VersionLoaderOptions } from './load/version-loader.js';
import type { ModelRecord } from './model-record.js';
import { ModelRecords, type ModelRecordsOptions } from './model-records.js';
import { doubtsOf } from './model-status.js';
import { Publisher } from './publisher.js';
import { Readiness } from './readiness.js';
import { RetryTimer } from './retry.js';
import { copyPatience } from './scan/arrival.js';
import { Scanner, type ScannerOptions, shortestInterval } from './scan/scanner.js';
import { Unloads } from './unloads.js';
import type { VersionRecord } from './version-records.js';

export interface ManagerOptions extends VersionLoaderOptions, ScannerOptions, ModelRecordsOptions {
  /** The value of `--default-model`. */
  readonly defaultModel: string | undefined;
  /** Keeps the server from being ready while a model found at start has never served. */
  readonly strictReady: boolean;
  readonly queues: Queues;
  /** The event loops beside the main thread, if there are any. */
  readonly dataPlane?: DataPlane | undefined;
}

/** The milliseconds that the end waits for a load under way. */
const loadAtEnd: Milliseconds = 500;

export class Manager {
  private readonly records: ModelRecords;
  private readonly publisher: Publisher;
  private readonly readiness: Readiness;
  private readonly byDefault: DefaultModel;
  private readonly scanner: Scanner;
  private readonly loads: Loads;
  /** The loads since the start. */
  readonly loadCounts = new LoadCounts();
  private readonly loader: VersionLoader;
  private readonly unloads: Unloads;
  private readonly retries = new RetryTimer(() => this.reconcile());
  private closed = false;
  private isStarted = false;

  constructor(private readonly options: ManagerOptions) {
    const { logger, queues, source, dataPlane } = options;
    this.publisher = new Publisher(source.advice);
    this.records = new ModelRecords(options);
    this.readiness = new Readiness(options.strictReady);
    this.byDefault = new DefaultModel(options.defaultModel);
    this.scanner = new Scanner(options, () => this.afterScan());
    this.loader = new VersionLoader(options);
    this.unloads = new Unloads(logger, dataPlane);
    this.loads = new Loads(
      { loader: this.loader, queues, logger, dataPlane, counts: this.loadCounts },
      {
        isServing: () => this.isStarted && this.records.isServing,
        changed: (model) => this.publish(model),
        loaded: (model, record) => this.loaded(model, record),
        failed: (model, code) => this.failed(model, code),
        release: (name, local) => this.unloads.release(name, local),
      },
    );
  }

  get models(): ReadonlyMap<string, ModelRecord> {
    return this.records.byName;
  }

  /** What is served now. */
  get table(): Table {
    return this.publisher.table;
  }

  /**
   * True while something serves, and so does each model that was found at start. A model that could not be loaded at
   * all does not count, unless `--strict-ready` says so. Other loads do not matter.
   */
  get ready(): boolean {
    return this.readiness.isReady(this.table);
  }

  /** False while the source cannot be read. */
  get sourceReadable(): boolean {
    return this.scanner.latest.readable;
  }

  /** The model that is meant when a request names none. */
  get defaultModel(): string | undefined {
    return this.byDefault.name;
  }

  /**
   * Scans for the first time, and tries every model once. A version that is complete at start counts as quiet. A
   * version that seems to be copied just now is waited for, but no longer than a finished copy would need.
   */
  async start(): Promise<void> {
    const settle = inMilliseconds(this.options.settle);
    await this.loader.open();
    await this.scanner.open();
    this.readiness.waitFor(this.models.keys());
    await this.loads.underWay;
    const end = now() + (copyPatience + 2) * settle;
    const isLoading = () =>
      this.loads.underWay !== undefined || this.records.all.some(({ records }) => records.isLoading);
    const mayBecomeQuiet = () => this.scanner.latest.unsettled && now() < end;
    const pause = Math.min(1000, Math.max(settle, shortestInterval));
    while (!this.closed && (isLoading() || mayBecomeQuiet())) await this.change(pause);
    await this.inForce();
    this.isStarted = true;
  }

  /**
   * Scans now, or once more after the scan under way. It resolves when everything that was there at the call has been
   * seen.
   */
  rescan(): Promise<void> {
    return this.scanner.rescan();
  }

  /** Waits for the next change of the table, at most for this time. */
  change(patience: Milliseconds): Promise<void> {
    return this.publisher.change(patience);
  }

  /** Resolves once every event loop serves what was published last. */
  async inForce(): Promise<void> {
    await this.options.dataPlane?.inForce();
  }

  /** The version that a path means. @throws ServingError the error of the source; UNIMPLEMENTED if it takes no paths */
  async locate(path: string): Promise<SourceVersion> {
    const { source } = this.options;
    if (source.locate) return source.locate(path);
    throw new ServingError('UNIMPLEMENTED', `\`model_path\` is not taken: models come from ${source.name}`);
  }

  /** Makes the models agree with the last scan, and starts the next load. */
  reconcile(): void {
    const { latest } = this.scanner;
    this.byDefault.configured = latest.config.default_model;
    for (const model of this.records.follow(latest)) this.remove(model);
    for (const model of this.records.all) {
      for (const { version, nextTry } of model.records.postponeHanging())
        this.options.logger.warn(
          `${model.name} version ${version}: its last load still hangs; it is tried again at ${nextTry?.at.toISOString()}`,
        );
      this.apply(model);
    }
    this.publish();
    this.goOn(this.records.all);
  }

  private afterScan(): string[] {
    this.reconcile();
    return [...this.byDefault.doubts(this.models), ...this.records.all.flatMap(doubtsOf)];
  }

  /** Does the same as {@link reconcile} when only one model has changed. With many models this happens often. */
  private reconcileOne(model: ModelRecord): void {
    this.apply(model);
    this.publish(model);
    this.goOn([model]);
  }

  /** Loads the due versions of these models, now or when they are due. */
  private goOn(models: Iterable<ModelRecord>): void {
    if (!this.closed) this.retries.set(Math.min(...this.records.all.map((model) => model.nextDue)));
    this.loads.goOn(models);
  }

  /**
   * Swaps and unloads as the plan says. A swap replaces one pointer: later requests go to the new version, and earlier
   * ones finish on the old.
   */
  private apply(model: ModelRecord): void {
    const { serve, unload } = model.plan();
    if (serve !== model.serving) {
      model.serve(serve);
      this.publish(model);
      if (serve)
        this.options.logger.info(
          `${model.name} version ${serve.version} generation ${serve.generation} serves`,
        );
    }
    for (const record of unload) this.unload(model, record);
  }

  private loaded(model: ModelRecord, record: VersionRecord): void {
    if (!this.records.has(model) || this.closed) {
      this.unload(model, record);
      return;
    }
    // A handler may have waited for this model.
    const others = this.records.all.filter((other) => other !== model && other.records.retryHandlers());
    if (others.length > 0) this.reconcile();
    else this.reconcileOne(model);
  }

  private failed(model: ModelRecord, code: ServingError['code']): void {
    // The files changed during the load. The next timed scan may be far away, so we scan now.
    if (code === 'ABORTED') void this.rescan();
    else this.reconcileOne(model);
  }

  private unload(model: ModelRecord, record: VersionRecord): void {
    const detached = model.detach(record);
    if (!detached) return;
    this.publish(model);
    const name = `${model.name} version ${record.version} generation ${record.generation}`;
    this.unloads.begin(name, detached.servable, detached.local, () => {
      model.unloaded(record);
      this.publish(model);
    });
  }

  /** Unloads a model that somebody wants to be gone. If the source has nothing of it, the model is forgotten. */
  setAside(model: ModelRecord): void {
    model.setAside();
    const { missingSince, versions } = model.scanned;
    if (missingSince !== undefined || versions.length === 0) this.remove(model);
  }

  /** Lets failed versions be tried again, also those that were being loaded when a server died. */
  pardon(model: ModelRecord): void {
    model.records.forgive();
    this.loader.pardon(model.name);
  }

  /** Takes a model out of service. It comes back when the source has it. */
  private remove(model: ModelRecord): void {
    this.options.logger.info(`model ${model.name} is no longer there, and no longer served`);
    this.records.delete(model);
    this.loads.drop(model);
    this.scanner.forget(model.name);
    this.publish();
    for (const record of model.records.all) this.unload(model, record);
  }

  /** @param changed is the only model that changed; without it, any may have */
  private publish(changed?: ModelRecord): void {
    this.byDefault.follow(this.models);
    this.publisher.publish(this.models.values(), this.defaultModel, changed);
    this.options.dataPlane?.publish(this.table);
  }

  /** Loads nothing more. The process is told to end, and no load is to blame. */
  async stopLoading(): Promise<void> {
    await Promise.all([this.loads.stop(), this.scanner.stopWatching()]);
  }

  /** Ends scanning, and unloads every model once its requests have ended. */
  async close(): Promise<void> {
    this.closed = true;
    this.retries.clear();
    await this.stopLoading();
    await this.scanner.close();
    // TensorFlow cannot be stopped. A model that is loaded later is unloaded at once.
    await Promise.race([this.loads.underWay, delay(loadAtEnd, undefined, { ref: false })]);
    const models = this.records.clear();
    this.publish();
    for (const model of models) {
      for (const record of model.records.all) this.unload(model, record);
    }
    await this.unloads.ended();
  }
}
