/**
 * A worker: an event loop with a port of its own. It answers the inference requests that any event loop can answer, and
 * passes all others on to the main thread.
 */
import { setMaxListeners } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { adjust } from '../config/live-settings.js';
import type { Settings } from '../config/settings.js';
import { openWorkerRuntime } from '../engines/tensorflow/shared-runtime.js';
import { messageOf, shuttingDown } from '../errors.js';
import { SharedNumbers } from '../flow/shared-numbers.js';
import { Hosts } from '../http/access/hosts.js';
import { ConfiguredKeys } from '../http/access/key-file.js';
import { PageOrigins } from '../http/access/page-origins.js';
import { ByteBudget } from '../http/body/byte-budget.js';
import { Port } from '../http/connection/port.js';
import { Stalls } from '../http/connection/stalls.js';
import { UnreadAnswers } from '../http/connection/unread-answers.js';
import { fastEntrance } from '../http/fast-entrance.js';
import { createKoa } from '../http/koa-entrance.js';
import { Exchanges } from '../http/request/exchange.js';
import { InferencePaths } from '../http/routes/inference-paths.js';
import { rowOf } from '../http/routes/route-table.js';
import type { InferenceServices } from '../http/services.js';
import { accessLogOf, certificateOf, limitBodies, limitWire, queuesOf } from '../server-parts.js';
import { inferRoutes, surfacesWith } from '../surfaces/surfaces.js';
import { createLogger } from '../telemetry/logger.js';
import { RequestCounts } from '../telemetry/request-counts.js';
import type { RequestRecord } from '../telemetry/request-record.js';
import { hostTensorCount } from '../tfjs/tensors.js';
import { Forwarder } from './forward.js';
import type { ToMain, ToWorker, WorkerStart } from './messages.js';
import { Served } from './served.js';

/** How often numbers are brought up to date that only a look at the clock changes. */
const interval = 1000;

class Worker {
  private readonly served: Served;
  private readonly counts: RequestCounts;
  private readonly keys: ConfiguredKeys;
  private readonly certificate: ReturnType<typeof certificateOf>;
  private readonly accessLog: ReturnType<typeof accessLogOf>;
  private readonly draining = new AbortController();
  private readonly services: InferenceServices;
  private readonly forwarder: Forwarder;
  private readonly listener: RequestListener;
  private port: Port | undefined;

  constructor(
    private readonly start: WorkerStart,
    private readonly main: MessagePort,
  ) {
    const { loop, settings, runtime: shared, slots, memory } = start;
    const open = (numbers: SharedArrayBuffer) => SharedNumbers.open(numbers, loop);
    const { logLevel, logFormat: format } = settings;
    // Several loops read the same files. The main thread tells of the keys, and the first worker of the certificate.
    const silent = createLogger({ level: 'silent', format });
    const teller = loop.index === 1 ? createLogger({ level: logLevel, format }) : silent;
    const logger = createLogger({ level: logLevelOf(settings), format });
    const runtime = openWorkerRuntime(shared);
    const { binding } = runtime;
    const unacknowledged = (descriptor: number) => {
      const bytes = binding.unacknowledged(descriptor);
      return bytes < 0 ? undefined : bytes;
    };
    this.keys = new ConfiguredKeys(
      { file: settings.apiKeyFile, list: process.env['TFJS_SERVING_API_KEYS'] },
      silent,
      memory.rates,
    );
    this.certificate = certificateOf(settings, teller);
    this.accessLog = accessLogOf(settings);
    this.counts = new RequestCounts(loop);
    this.counts.open('', '', memory.nameless);
    const queues = queuesOf(settings, { loop, slots, logger });
    this.served = new Served({
      epoch: memory.epoch,
      open: (model) => runtime.open(model),
      deploy: (deployment) => queues.deploy(deployment),
    });
    this.counts.isServed = (model, version) => this.served.table.has({ model, version });
    const budget = new ByteBudget(settings.maxInflightBytes, open(memory.bodyBytes));
    const unread = new UnreadAnswers(
      {
        maxBytes: settings.maxInflightBytes,
        timeout: settings.bodyTimeout,
        outputBytes: () => binding.counters().tensorBytes,
        unacknowledged,
      },
      open(memory.unreadBytes),
    );
    setMaxListeners(0, this.draining.signal);
    const observe = (record: RequestRecord) => this.observe(record);
    this.services = {
      keys: this.keys.keys,
      table: () => this.served.table,
      exchanges: new Exchanges(
        [observe],
        new Stalls(settings.idleTimeout, unacknowledged),
        unread,
        this.draining.signal,
        open(memory.requests),
      ),
      logger,
      pageOrigins: new PageOrigins(settings.corsOrigin ?? []),
      hosts: new Hosts({
        listensOn: settings.host,
        hasKeys: this.keys.keys.configured,
        allowed: settings.allowHost ?? [],
      }),
      bodyLimits: limitBodies(settings, (buffer) => binding.free(buffer), budget, loop),
      wireLimits: limitWire(settings),
      get requestTimeout() {
        return settings.requestTimeout;
      },
      get serverTiming() {
        return settings.serverTiming ?? false;
      },
      draining: this.draining.signal,
    };
    this.forwarder = new Forwarder({
      connect: () => {
        const [ours, theirs] = binding.openSocketPair();
        this.tell({ kind: 'connect', descriptor: theirs });
        return ours;
      },
      draining: this.draining.signal,
    });
    this.listener = this.entrance();
    const tensors = open(memory.tensors);
    setInterval(() => {
      tensors.mine[0] = hostTensorCount();
      this.served.look((key, runs) => this.tell({ kind: 'explained', key, runs }));
    }, interval).unref();
  }

  /** Takes every request: the common ones first, then those of the general front, then those of the main thread. */
  private entrance(): RequestListener {
    const { services, forwarder } = this;
    const surfaces = surfacesWith([]);
    const infers = inferRoutes();
    const paths = new InferencePaths(infers);
    const rows = infers.map((route) => rowOf(route, services));
    const koa = createKoa({ ...services, routes: () => rows }, surfaces);
    return fastEntrance(services, surfaces, (req, res) => {
      if (this.isServedHere(paths, req)) koa.listener(req, res);
      else forwarder.forward(req, res);
    });
  }

  private isServedHere(paths: InferencePaths, req: IncomingMessage): boolean {
    const target = paths.find(req);
    return target !== undefined && this.served.table.has(target);
  }

  private observe(record: RequestRecord): void {
    if (record.isInference) this.counts.add(record);
    this.accessLog?.write(record);
  }

  receive(message: ToWorker): void {
    switch (message.kind) {
      case 'prepare':
        this.prepare(message);
        break;
      case 'publish':
        this.served.publish(message.table);
        this.tell({ kind: 'published', epoch: message.table.epoch });
        break;
      case 'retire':
        void this.served.retire(message.key).finally(() => this.tell({ kind: 'retired', key: message.key }));
        break;
      case 'listen':
        void this.listen(message.descriptor);
        break;
      case 'reload files':
        this.reloadFiles();
        break;
      case 'adjust':
        adjust(this.start.settings, message.changes, {
          logger: this.services.logger,
          accessLog: this.accessLog,
        });
        this.services.logger.level = logLevelOf(this.start.settings);
        break;
      case 'drain':
        this.draining.abort(shuttingDown());
        break;
      case 'give up slow':
        this.services.bodyLimits.budget.giveUpSlow(shuttingDown);
        this.services.exchanges.unread.cutOffSlow();
        break;
      case 'end':
        void this.end();
        break;
    }
  }

  private reloadFiles(): void {
    void Promise.all([this.certificate?.reload(), this.keys.reload()]);
    try {
      this.accessLog?.reopen();
    } catch (error) {
      // The old file stays.
      this.services.logger.error(messageOf(error));
    }
  }

  private prepare({ deployment }: Extract<ToWorker, { kind: 'prepare' }>): void {
    const { key, id, countsMemory } = deployment;
    let failure: string | undefined;
    try {
      this.served.prepare(deployment);
      this.counts.open(id.model, id.version, countsMemory);
    } catch (error) {
      failure = messageOf(error);
    }
    this.tell({ kind: 'prepared', key, failure });
  }

  private async listen(descriptor: number): Promise<void> {
    const { settings } = this.start;
    this.port = new Port(
      { ...settings, descriptor, certificate: this.certificate },
      this.listener,
      this.services,
    );
    await this.port.listen();
    this.tell({ kind: 'listening', address: this.port.address as string });
  }

  private async end(): Promise<void> {
    await this.port?.close();
    this.forwarder.close();
    this.certificate?.close();
    this.keys.close();
    this.accessLog?.close();
    this.main.close();
  }

  private tell(message: ToMain): void {
    this.main.postMessage(message);
  }
}

/** The main thread has said how things are. A worker tells what goes wrong. */
function logLevelOf({ logLevel }: Settings): Settings['logLevel'] {
  return logLevel === 'info' ? 'warn' : logLevel;
}

if (!parentPort) throw new Error('this is the program of a worker thread');
const worker = new Worker(workerData as WorkerStart, parentPort);
parentPort.on('message', (message: ToWorker) => worker.receive(message));
parentPort.postMessage({ kind: 'begun' } satisfies ToMain);
