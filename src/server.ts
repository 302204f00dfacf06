/** Composes the server: runtime, control plane, HTTP. It closes what it opens. */
import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type Koa from 'koa';
import { checkCombinations } from './config/combinations.js';
import { adjust, checkChanges, type LiveSettings } from './config/live-settings.js';
import { checkFolder } from './config/model-path.js';
import { completeSettings } from './config/parse.js';
import type { Settings } from './config/settings.js';
import type { RehearsalProcesses } from './control/load/rehearsal-processes.js';
import { checkEngine } from './engines/checked-engine.js';
import type { Engine, Engines } from './engines/engine.js';
import { openRuntime } from './engines/tensorflow/open-runtime.js';
import type { Runtime } from './engines/tensorflow/runtime.js';
import { tensorFlowEngine } from './engines/tensorflow/tensorflow-engine.js';
import { invalidArgument, ServingError, shuttingDown } from './errors.js';
import { onlyLoop } from './flow/shared-numbers.js';
import { HandlerBlocking } from './handlers/blocking.js';
import type { Handlers } from './handlers/loader.js';
import { Hosts } from './http/access/hosts.js';
import { ConfiguredKeys } from './http/access/key-file.js';
import { PageOrigins } from './http/access/page-origins.js';
import { ByteBudget } from './http/body/byte-budget.js';
import type { Certificate } from './http/connection/certificate.js';
import { Port } from './http/connection/port.js';
import { Stalls } from './http/connection/stalls.js';
import { UnreadAnswers } from './http/connection/unread-answers.js';
import { fastEntrance } from './http/fast-entrance.js';
import { createKoa } from './http/koa-entrance.js';
import { Exchanges } from './http/request/exchange.js';
import { addBuildInfo, addResourceGauges } from './http/resource-gauges.js';
import type { TableRoute } from './http/routes/route.js';
import { routeTable } from './http/routes/route-table.js';
import type { ServerState, Services } from './http/services.js';
import type { Surface } from './http/surface.js';
import { type Prediction, type PredictOptions, predictInProcess } from './inference/in-process.js';
import {
  accessLogOf,
  certificateOf,
  chosen,
  createHandlers,
  createManager,
  folderSource,
  limitBodies,
  limitWire,
  observersOf,
  openRehearsals,
  runtimeOptions,
  warnOfLimits,
  warnOfOpenPort,
  warnOfUnknownSignature,
} from './server-parts.js';
import { addQueueMetrics } from './serving/queue-metrics.js';
import { addVersionMetrics } from './serving/version-metrics.js';
import type { Source } from './stores/source.js';
import { surfacesWith } from './surfaces/surfaces.js';
import type { AccessLog } from './telemetry/access-log.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { createTelemetry } from './telemetry/metrics.js';
import { openTensorFlowJs, type TensorFlowJs } from './tfjs/open.js';
import { inMilliseconds, type Milliseconds, momentAfter, now } from './time.js';
import { Workers } from './workers/pool.js';
import { slotsOfWorker, workerCount } from './workers/worker-count.js';

/**
 * The settings, as on the command line and with its defaults. Those for TensorFlow hold for the process, from its first
 * server on.
 */
export type ServerOptions = { readonly [Name in keyof Settings]?: Settings[Name] | undefined } & {
  /** False for a server without a port: its `app` is mounted in another application, or it only predicts. */
  readonly listen?: boolean | undefined;
  /** By default a logger to stdout, as `logLevel` and `logFormat` say. */
  readonly logger?: Logger | undefined;
  /** Engines for model formats other than TensorFlow's. */
  readonly engines?: readonly Engine[] | undefined;
  /** Wire protocols in addition to those of the server. */
  readonly surfaces?: readonly Surface[] | undefined;
  /** The source of models, in place of the folder `modelPath`. */
  readonly source?: Source | undefined;
  /** The former name of `rehearse`. */
  readonly trial?: Settings['rehearse'] | undefined;
};

export interface Server {
  /** The server as a Koa application. Mount it in another before anything that reads bodies. */
  readonly app: Koa;
  /** `http://127.0.0.1:50000`, or `https://…`, while the server listens. */
  readonly address: string | undefined;
  readonly runtime: Runtime;
  /** The TensorFlow.js whose tensors the server takes and returns. */
  readonly tf: TensorFlowJs;
  /**
   * Opens the port, and loads and watches what is in the source. It resolves once each model that was found serves or has failed.
   *
   * @throws ServingError (rejects) FAILED_PRECONDITION if the port cannot be opened
   */
  start(): Promise<void>;
  /**
   * Reads the certificate and the API keys again, which otherwise happens every 5 seconds, and opens the file of the
   * access log anew.
   *
   * @throws ServingError (rejects) FAILED_PRECONDITION if that file cannot be opened: the old one stays
   */
  reloadFiles(): Promise<void>;
  /**
   * Takes over settings that can change while the server serves.
   *
   * @throws ServingError INVALID_ARGUMENT naming what is wrong and what is allowed: then nothing has changed
   */
  adjust(changes: Partial<LiveSettings>): void;
  /** Makes one prediction in this process, without HTTP: see {@link PredictOptions}. */
  predict(options: PredictOptions): Promise<Prediction>;
  /**
   * Is not ready from now on, and answers as before for `drainDelay`. Then it refuses new inference requests, lets those
   * under way finish, and releases everything. The server cannot be started again. Call it also if {@link start} has rejected.
   *
   * @returns false if some requests had not finished after `shutdownTimeout`: then the models stay loaded for the runs
   * that go on
   */
  close(): Promise<boolean>;
}

/**
 * Opens TensorFlow, starts the small process that starts rehearsals, and composes a server that serves nothing yet.
 *
 * @throws ServingError if the options cannot be met: a folder or a device does not exist, two surfaces claim the same
 * path, a folder is given beside a source, an engine lacks a member, or TensorFlow is not installed
 */
export function createServer({
  listen = true,
  logger,
  engines = [],
  surfaces = [],
  source,
  ...options
}: ServerOptions = {}): Server {
  if (source) refuseFolder(options);
  for (const engine of engines) checkEngine(engine);
  const settings = completeSettings(options);
  const log = logger ?? createLogger({ level: settings.logLevel, format: settings.logFormat });
  checkCombinations(settings);
  if (!source) checkFolder(settings.modelPath);
  // This comes before TensorFlow, while the process is small.
  const processes = openRehearsals(settings);
  try {
    return new ComposedServer(settings, log, listen, { engines, surfaces, source }, processes);
  } catch (error) {
    processes?.close();
    throw error;
  }
}

/** The settings for a folder of models. */
const ofFolder = ['modelPath', 'watch', 'allowPath', 'handler'] as const;

/** @throws ServingError INVALID_ARGUMENT naming an option that means nothing beside a source */
function refuseFolder(options: ServerOptions): void {
  const given = ofFolder.find((name) => options[name] !== undefined);
  if (given !== undefined)
    throw invalidArgument(
      `\`${given}\` is an option for a folder of models, and has no effect beside \`source\`: leave one of them out`,
    );
}

/** What an application brings. */
interface Extensions {
  readonly engines: readonly Engine[];
  readonly surfaces: readonly Surface[];
  readonly source: Source | undefined;
}

/** The milliseconds after which a start reports what it waits for. */
const patience: Milliseconds = 5000;

class ComposedServer implements Server, ServerState {
  readonly app: Koa;
  readonly runtime: Runtime;
  readonly tf: TensorFlowJs;
  private readonly services: Services;
  private readonly port: Port | undefined;
  readonly accessLog: AccessLog | undefined;
  private readonly configuredKeys: ConfiguredKeys;
  private readonly certificate: Certificate | undefined;
  private readonly workers: Workers | undefined;
  private readonly draining = new AbortController();
  private started = false;
  stopping = false;
  private readonly handlers: Handlers | undefined;
  private ignoreStrayErrors: () => void = () => {};
  private closing: Promise<boolean> | undefined;

  constructor(
    private readonly settings: Settings,
    readonly logger: Logger,
    listens: boolean,
    extensions: Extensions,
    processes: RehearsalProcesses | undefined,
  ) {
    this.configuredKeys = new ConfiguredKeys(
      { file: settings.apiKeyFile, list: process.env['TFJS_SERVING_API_KEYS'] },
      logger,
    );
    const { keys } = this.configuredKeys;
    const slots = settings.runThreads ?? availableParallelism();
    const workers = listens ? workerCount(settings) : 0;
    // With workers, the first of them tells of the certificate.
    const teller = workers > 0 ? logger.child({}, { level: 'silent' }) : logger;
    this.certificate = listens ? certificateOf(settings, teller) : undefined;
    const slotsOfEach = slotsOfWorker(slots, workers);
    const runtime = openRuntime(runtimeOptions(settings, Math.max(slots, workers * slotsOfEach)));
    logger.info(
      `TensorFlow ${runtime.tensorflowVersion} on ${runtime.device} (${chosen(settings, runtime)})`,
    );
    if (runtime.opLibraries.length > 0)
      logger.info(`loaded libraries of custom operations: ${runtime.opLibraries.length}`);
    for (const warning of runtime.warnings) logger.warn(warning);
    if (listens) warnOfOpenPort(settings, keys, logger);
    warnOfLimits(settings, logger);
    const engines: Engines = [tensorFlowEngine(runtime, logger), ...extensions.engines];
    const loop = workers > 0 ? { index: 0, count: workers + 1 } : onlyLoop;
    const telemetry = createTelemetry(loop);
    this.workers =
      workers > 0
        ? new Workers({
            ...{ count: workers, loop, settings, runtime, slots: slotsOfEach, telemetry, logger },
            rates: this.configuredKeys.rateMemory,
            adopt: (descriptor) => this.port?.adopt(descriptor),
          })
        : undefined;
    this.accessLog = accessLogOf(settings);
    const observers = observersOf(telemetry, this.accessLog);
    const blocking = new HandlerBlocking();
    const handlers = createHandlers(settings, logger, blocking);
    const source = extensions.source ?? folderSource(settings, engines, handlers, logger);
    const manager = createManager({
      ...{ settings, runtime, engines, source, logger, slots, handlers, processes, loop },
      dataPlane: this.workers,
    });
    const budget = new ByteBudget(settings.maxInflightBytes, this.workers?.bodyBytes);
    const unread = new UnreadAnswers(
      {
        maxBytes: settings.maxInflightBytes,
        timeout: settings.bodyTimeout,
        outputBytes: () => runtime.counters()['tensorBytes'] ?? 0,
        unacknowledged: runtime.unacknowledged,
      },
      this.workers?.unreadBytes,
    );
    const stalls = new Stalls(settings.idleTimeout, runtime.unacknowledged);
    const surfaces = surfacesWith(extensions.surfaces);
    const routes: TableRoute[] = [];
    // Each stream listens for the end of the server.
    setMaxListeners(0, this.draining.signal);
    this.services = {
      keys,
      routes: () => routes,
      table: () => manager.table,
      passAll: async (passesAll) => this.workers?.passAll(passesAll),
      manager,
      state: this,
      runtime,
      telemetry,
      exchanges: new Exchanges(
        observers,
        stalls,
        unread,
        listens ? this.draining.signal : undefined,
        this.workers?.requests,
      ),
      logger,
      pageOrigins: new PageOrigins(settings.corsOrigin ?? []),
      hosts: new Hosts({
        listensOn: listens ? settings.host : undefined,
        hasKeys: keys.configured,
        allowed: settings.allowHost ?? [],
      }),
      bodyLimits: limitBodies(settings, runtime.free, budget, loop),
      wireLimits: limitWire(settings),
      get requestTimeout() {
        return settings.requestTimeout;
      },
      get serverTiming() {
        return settings.serverTiming ?? false;
      },
      draining: this.draining.signal,
    };
    addResourceGauges(telemetry, {
      ...{ runtime, budget, unread, accessLog: this.accessLog },
      tensorsOfWorkers: () => this.workers?.tensors.total(0) ?? 0,
    });
    this.workers?.addMetrics();
    this.handlers = handlers;
    handlers?.connect(this.services);
    telemetry.requests.isServed = (model, version) => manager.table.has({ model, version });
    addVersionMetrics(telemetry, () => manager.table);
    addQueueMetrics(telemetry, () => manager.table);
    manager.loadCounts.addMetrics(telemetry);
    addBuildInfo(telemetry, runtime);
    blocking.addMetrics(telemetry);
    routes.push(...routeTable(surfaces, this.services));
    const app = createKoa(this.services, surfaces);
    const listener = fastEntrance(this.services, surfaces, app.listener);
    this.app = app.koa;
    this.runtime = runtime;
    this.tf = openTensorFlowJs();
    this.port = listens
      ? // With workers, it takes what they pass on. They have the certificate, and keep their connections to it.
        new Port(
          this.workers
            ? { ...settings, certificate: undefined, idleTimeout: 0 }
            : { ...settings, certificate: this.certificate },
          listener,
          this.services,
        )
      : undefined;
  }

  get address(): string | undefined {
    return this.workers ? this.workers.address : this.port?.address;
  }

  get ready(): boolean {
    return this.services.manager.ready && !this.stopping;
  }

  async start(): Promise<void> {
    const { port, logger, services } = this;
    if (this.started) throw new ServingError('FAILED_PRECONDITION', 'a server is started once');
    this.started = true;
    await (this.workers ? this.workers.open() : port?.listen());
    if (this.handlers) this.ignoreStrayErrors = this.handlers.watchStrayErrors();
    const sayIsLoading = setTimeout(() => {
      if (port)
        logger.info(`listening on ${this.address}; models that were found at the start are still loading`);
    }, patience);
    this.draining.signal.addEventListener('abort', () => clearTimeout(sayIsLoading), { once: true });
    await services.manager.start().finally(() => clearTimeout(sayIsLoading));
    warnOfUnknownSignature(this.settings, services.manager.table, logger);
  }

  async reloadFiles(): Promise<void> {
    await Promise.all([this.certificate?.reload(), this.configuredKeys.reload()]);
    this.accessLog?.reopen();
    this.workers?.reloadFiles();
  }

  adjust(changes: Partial<LiveSettings>): void {
    const checked = checkChanges(changes);
    adjust(this.settings, checked, this);
    this.workers?.adjust(checked);
  }

  async predict(options: PredictOptions): Promise<Prediction> {
    if (this.draining.signal.aborted) throw shuttingDown();
    return predictInProcess(this.services, options);
  }

  /**
   * Goes on answering until the last request has ended: health says "draining", and inference requests get a 503.
   * Clients that hardly send or read are not waited for.
   */
  private async drain(): Promise<boolean> {
    const { exchanges, bodyLimits } = this.services;
    const deadline = momentAfter(this.settings.shutdownTimeout);
    while (exchanges.underWay > 0 && now() < deadline) {
      await delay(20);
      bodyLimits.budget.giveUpSlow(shuttingDown);
      exchanges.unread.cutOffSlow();
      this.workers?.giveUpSlow();
    }
    return exchanges.underWay === 0;
  }

  close(): Promise<boolean> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<boolean> {
    const { port, settings, services } = this;
    const wasReady = this.ready;
    this.stopping = true;
    if (wasReady && settings.drainDelay > 0) await delay(inMilliseconds(settings.drainDelay));
    this.draining.abort(shuttingDown());
    this.workers?.drain();
    // What a source closes may fail, or take for ever.
    services.manager
      .stopLoading()
      .catch((error: unknown) => this.logger.error({ err: error }, 'cannot stop the watch of the source'));
    const finished = await this.drain();
    await this.workers?.close();
    await port?.close();
    this.certificate?.close();
    this.configuredKeys.close();
    this.accessLog?.close();
    if (!finished) return false;
    const closed = services.manager.close().then(() => {
      this.ignoreStrayErrors();
      return true;
    });
    return Promise.race([closed, delay(inMilliseconds(settings.shutdownTimeout), false, { ref: false })]);
  }
}
