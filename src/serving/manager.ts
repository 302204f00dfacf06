/**
 * The control plane: reconciles what the folder says should be served with what is loaded.
 *
 * One loop, on the main thread. A scan says what is in the folder; for each model the policy says which version should
 * serve next; loads run one after another, off the event loop; a version that has passed the gate is swapped in by
 * publishing a new table, and the one before it is unloaded after its last request. Whatever fails before the swap
 * changes nothing for those who ask for answers.
 */
import { messageOf, ServingError } from '../errors.js';
import { resolveModelPath } from '../repository/allowed-path.js';
import { fingerprintOf, readListing } from '../repository/listing.js';
import { readSavedModel } from '../repository/saved-model.js';
import { nothingScanned, type Scan, scan } from '../repository/scan.js';
import { readRepositoryConfig } from '../repository/serving-json.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Logger } from '../telemetry/logger.js';
import { warmUp } from './gate.js';
import { ModelRecord, type VersionRecord } from './model-record.js';
import type { Candidate, Pin } from './policy.js';
import { Servable } from './servable.js';
import { type ModelStatus, Table } from './table.js';
import { within } from './within.js';

export interface ManagerOptions {
  readonly runtime: Runtime;
  /** `--model-path` */
  readonly root: string;
  /** Which graph of each SavedModel to load. */
  readonly tags: readonly string[];
  /** The signature that is meant when a request names none. */
  readonly signature: string;
  readonly defaultModel: string | undefined;
  /** Not ready while a model found at start has never served. */
  readonly strictReady: boolean;
  /** Where paths in requests may lead. */
  readonly allowedRoots: readonly string[];
  /** Seconds. */
  readonly settle: number;
  readonly scanInterval: number;
  readonly loadTimeout: number;
  readonly warmupTimeout: number;
  readonly logger: Logger;
}

/** What `/update_model` asks for. */
export interface UpdateRequest {
  /** The default model if left out with a version or a path; every model if all is left out. */
  readonly model?: string | undefined;
  /** Pins it; `latest` unpins. */
  readonly version?: number | 'latest' | undefined;
  /** Serves the SavedModel at this path, pinned. */
  readonly modelPath?: string | undefined;
  /** Seconds to wait for it. */
  readonly timeout: number;
}

export interface UpdateResult {
  /** False where something is still on its way. */
  readonly done: boolean;
  readonly models: readonly ModelStatus[];
}

export class Manager {
  private published = new Table(new Map(), undefined);
  private scanned: Scan = nothingScanned;
  private readonly models = new Map<string, ModelRecord>();
  private configuredDefault: string | undefined;
  private scanning: Promise<void> | undefined;
  private rescanWanted = false;
  private loading: Promise<void> | undefined;
  private readonly unloads = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private reportedProblems = '';
  private waiters: (() => void)[] = [];
  /** Names found by the first scan: readiness waits for these. */
  private readonly atStart = new Set<string>();

  constructor(private readonly options: ManagerOptions) {}

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
    return [...models.values()].some(serves) && atStart.every((model) => serves(model) || isGivenUp(model));
  }

  /** False while the folder cannot be read. */
  get sourceReadable(): boolean {
    return this.scanned.readable;
  }

  /** Scans for the first time and tries every model once. What is there at start is taken as quiet. */
  async start(): Promise<void> {
    await this.scanOnce(0);
    for (const name of this.models.keys()) this.atStart.add(name);
    await this.loading;
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
    this.scanning = this.scanOnce(this.options.settle * 1000).finally(() => (this.scanning = undefined));
    await this.scanning;
  }

  private async scanOnce(settle: number): Promise<void> {
    const { root, scanInterval, logger } = this.options;
    const listing = await readListing(root, this.scanned.layout);
    const emptyFor = scanInterval * 1000;
    this.scanned = scan(this.scanned, listing, { now: performance.now(), settle, emptyFor });
    const problems = listing.problems.join('; ');
    if (problems !== this.reportedProblems && problems !== '')
      logger.warn(`cannot read all of ${root}: ${problems}`);
    this.reportedProblems = problems;
    try {
      this.configuredDefault = (await readRepositoryConfig(root)).defaultModel;
    } catch (error) {
      logger.warn(messageOf(error));
    }
    this.scheduleScan();
    this.reconcile();
  }

  private scheduleScan(): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    const { settle, scanInterval } = this.options;
    const seconds = this.scanned.unsettled ? settle : scanInterval;
    // A little later than the settle time, so that the second listing is far enough from the first.
    this.timer = setTimeout(() => void this.rescan(), seconds * 1000 + 5);
    this.timer.unref();
  }

  /** Brings models in line with the last scan and starts whatever load is next. */
  private reconcile(): void {
    for (const model of this.scanned.models.values()) {
      let record = this.models.get(model.name);
      if (!record) {
        record = new ModelRecord(model.name);
        this.models.set(model.name, record);
      }
      record.scanned = model;
      record.forget();
      if (model.gone && record.pin?.kind !== 'path') this.remove(record);
    }
    this.publish();
    this.loading ??= this.loadAll().finally(() => (this.loading = undefined));
  }

  private remove(model: ModelRecord): void {
    this.options.logger.info(`model ${model.name} is gone from the folder`);
    this.models.delete(model.name);
    const models = new Map(this.scanned.models);
    models.delete(model.name);
    this.scanned = { ...this.scanned, models };
    this.publish();
    for (const record of model.tried) this.unload(model, record);
  }

  /** Loads are serial: two at once would take twice the memory and each longer. */
  private async loadAll(): Promise<void> {
    for (let next = this.nextLoad(); next && !this.closed; next = this.nextLoad()) {
      await this.load(next.model, next.candidate);
    }
  }

  private nextLoad(): { model: ModelRecord; candidate: Candidate } | undefined {
    for (const model of this.models.values()) {
      const candidate = model.next();
      if (candidate) return { model, candidate };
    }
    return undefined;
  }

  private async load(model: ModelRecord, candidate: Candidate): Promise<void> {
    const { logger } = this.options;
    const held = model.record(candidate);
    if (held?.state === 'AVAILABLE') {
      this.swap(model, held);
      return;
    }
    const record = model.begin(candidate);
    this.publish();
    const started = performance.now();
    try {
      record.servable = await this.open(model, record);
    } catch (error) {
      record.state = 'END';
      record.error = error instanceof ServingError ? error : new ServingError('INTERNAL', messageOf(error));
      const stays = model.serving ? `; version ${model.serving.version} goes on serving` : '';
      logger.error(`${model.name} version ${record.version} is not served: ${record.error.message}${stays}`);
      this.publish();
      return;
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(2);
    if (this.models.get(model.name) !== model || this.closed) {
      this.unload(model, record);
      return;
    }
    const note = record.warmup ? ` (${record.warmup})` : '';
    logger.info(
      `${model.name} version ${record.version} generation ${record.generation} serves, loaded in ${seconds} s${note}`,
    );
    this.swap(model, record);
  }

  /** Reads, loads and warms up one version; nothing of it is left if that fails. */
  private async open(model: ModelRecord, record: VersionRecord): Promise<Servable> {
    const { runtime, tags, signature: signatureName, loadTimeout, warmupTimeout } = this.options;
    const { metaGraph, parameterCount } = await readSavedModel(record.directory, tags);
    const load = runtime.load(record.directory, metaGraph);
    const late = () => new ServingError('DEADLINE_EXCEEDED', `loading took more than ${loadTimeout} s`);
    const loaded = await within(loadTimeout, load, late).catch((error: unknown) => {
      load.then((model) => model.dispose()).catch(() => {});
      throw error;
    });
    try {
      const { signatures } = metaGraph;
      const only = signatures.size === 1 ? [...signatures.values()][0] : undefined;
      const defaultSignature = signatures.get(signatureName) ?? only;
      record.warmup = await warmUp(loaded, defaultSignature, warmupTimeout);
      if ((await fingerprintOf(record.directory)) !== record.fingerprint) {
        void this.rescan();
        throw new ServingError('ABORTED', 'its folder changed while it was loaded');
      }
      record.generation = model.nextGeneration(record.version);
      const id = { model: model.name, version: record.version, generation: record.generation };
      return new Servable(id, loaded, parameterCount, defaultSignature);
    } catch (error) {
      await loaded.dispose();
      throw error;
    }
  }

  /** One pointer: requests that come after this go to the new version, those before it finish on the old. */
  private swap(model: ModelRecord, record: VersionRecord): void {
    record.state = 'AVAILABLE';
    model.serving = record;
    this.publish();
    for (const other of model.tried) {
      if (other !== record) this.unload(model, other);
    }
  }

  private unload(model: ModelRecord, record: VersionRecord): void {
    const { servable } = record;
    if (!servable || record.state === 'UNLOADING') return;
    record.servable = undefined;
    record.state = 'UNLOADING';
    this.publish();
    const unload = servable
      .retire()
      .catch((error: unknown) =>
        this.options.logger.error(`unloading ${model.name} version ${record.version}: ${messageOf(error)}`),
      )
      .then(() => {
        record.state = 'END';
        model.forget();
        this.unloads.delete(unload);
        this.options.logger.info(
          `${model.name} version ${record.version} generation ${record.generation} is unloaded`,
        );
        this.publish();
      });
    this.unloads.add(unload);
  }

  private publish(): void {
    const models = new Map(Array.from(this.models.values(), (model) => [model.name, model.status()]));
    this.published = new Table(models, this.defaultModel());
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  private defaultModel(): string | undefined {
    const only = this.models.size === 1 ? [...this.models.keys()][0] : undefined;
    return this.options.defaultModel ?? this.configuredDefault ?? only;
  }

  /**
   * Does what `/update_model` asks for and waits for it.
   *
   * @throws ServingError with the reason why the wanted version does not serve; what served before goes on serving
   */
  async update(request: UpdateRequest): Promise<UpdateResult> {
    const deadline = performance.now() + request.timeout * 1000;
    const names = await this.apply(request);
    const rescan = this.rescan();
    await rescan;
    for (;;) {
      const chosen = names ?? [...this.models.keys()];
      const waiting = chosen.some((name) => this.isUnderWay(name));
      if (!waiting) {
        for (const name of chosen) this.throwIfNotServed(name);
        return { done: true, models: this.statuses(chosen) };
      }
      const left = deadline - performance.now();
      if (left <= 0) return { done: false, models: this.statuses(chosen) };
      await this.change(left);
    }
  }

  /** Sets and removes pins, and lets what failed be tried again. @returns the models that are meant, undefined for all */
  private async apply({ model: name, version, modelPath }: UpdateRequest): Promise<string[] | undefined> {
    if (name === undefined && version === undefined && modelPath === undefined) {
      for (const model of this.models.values()) model.forgive();
      return undefined;
    }
    await this.rescan();
    const model = this.modelNamed(name);
    const pin = await this.toPin(model, version, modelPath);
    model.forgive();
    if (version !== undefined || modelPath !== undefined) model.pin = pin;
    return [model.name];
  }

  private async toPin(
    model: ModelRecord,
    version: UpdateRequest['version'],
    modelPath: string | undefined,
  ): Promise<Pin | undefined> {
    if (modelPath !== undefined)
      return { kind: 'path', ...(await resolveModelPath(modelPath, this.options.allowedRoots)) };
    if (version === undefined || version === 'latest') return undefined;
    const versions = model.scanned.versions.map((each) => each.version);
    if (versions.includes(version)) return { kind: 'version', version };
    throw new ServingError(
      'NOT_FOUND',
      `model \`${model.name}\` has no version ${version}; there are ${versions.join(', ') || 'none'}`,
    );
  }

  private modelNamed(name: string | undefined): ModelRecord {
    const meant = name ?? this.defaultModel();
    const model = meant === undefined ? undefined : this.models.get(meant);
    if (model) return model;
    const known = [...this.models.keys()].map((each) => `\`${each}\``).join(', ') || 'none';
    throw new ServingError(
      'NOT_FOUND',
      `${meant === undefined ? 'no default model' : `no model \`${meant}\``}; there are ${known}`,
    );
  }

  private isUnderWay(name: string): boolean {
    const model = this.models.get(name);
    if (!model) return false;
    if (model.tried.some(({ state }) => state === 'LOADING') || model.next() !== undefined) return true;
    return model.scanned.versions.some(
      ({ quiet, version }) => !quiet && (model.pin === undefined || model.pin.version === version),
    );
  }

  private throwIfNotServed(name: string): void {
    const model = this.models.get(name);
    if (!model) return;
    const { wanted, serving } = model;
    const last = model.lastTry(wanted);
    if (last?.error) {
      const stays = serving ? `; version ${serving.version} goes on serving` : '';
      throw new ServingError(
        last.error.code,
        `version ${wanted} of \`${name}\` is not served: ${last.error.message}${stays}`,
      );
    }
  }

  private statuses(names: readonly string[]): ModelStatus[] {
    return names.flatMap((name) => this.models.get(name)?.status() ?? []);
  }

  /** Waits for the next change of the table, at most so many milliseconds. */
  private async change(milliseconds: number): Promise<void> {
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
    await this.scanning;
    await this.loading;
    const models = [...this.models.values()];
    this.models.clear();
    this.publish();
    for (const model of models) for (const record of model.tried) this.unload(model, record);
    await Promise.all(this.unloads);
  }
}
