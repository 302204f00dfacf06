/**
 * Composes the server: runtime, control plane, HTTP. What is opened here is closed here.
 */
import { stat } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Settings } from './cli/settings.js';
import { messageOf, ServingError } from './errors.js';
import { readApiKeys } from './http/api-keys.js';
import { createApp } from './http/app.js';
import type { BodyLimits } from './http/body.js';
import { BodyMemory } from './http/body-memory.js';
import { ByteBudget } from './http/byte-budget.js';
import { whenFinished } from './http/finished.js';
import { createShortcut } from './http/shortcut.js';
import { remoteFileSystem, watchFolder } from './repository/watch.js';
import { openRuntime } from './runtime/open.js';
import type { Runtime } from './runtime/runtime.js';
import { tensorCount } from './runtime/tensors.js';
import { Manager } from './serving/manager.js';
import { addModelMetrics } from './serving/model-metrics.js';
import { Scheduler } from './serving/scheduler.js';
import type { Logger } from './telemetry/logger.js';
import { createTelemetry, type Telemetry } from './telemetry/metrics.js';

export interface Server {
  /** Resolves once each model found was loaded or has failed. */
  readonly started: Promise<void>;
  readonly runtime: Runtime;
  /** `http://127.0.0.1:50000` */
  readonly address: string;
  /**
   * Takes no more inference requests, lets those under way finish, and gives everything back.
   *
   * @returns false if some had not finished after `--shutdown-timeout`
   */
  close(): Promise<boolean>;
}

/**
 * Opens TensorFlow and the port, and begins to load what is in the folder and to serve it.
 *
 * @throws ServingError if the settings cannot be met: no such folder, no such device, no such port
 */
export async function startServer(settings: Settings, logger: Logger): Promise<Server> {
  const facts = await stat(settings.modelPath).catch(() => undefined);
  if (!facts?.isDirectory())
    throw new ServingError('NOT_FOUND', `--model-path ${settings.modelPath} is no folder`);
  const keys = readApiKeys(settings.apiKeyFile, process.env['TFJS_SERVING_API_KEYS']);
  const slots = settings.runThreads ?? availableParallelism();
  const runtime = openRuntime({
    kind: settings.runtime,
    device: settings.device,
    // The scheduler makes up for as many stuck runs.
    runThreads: 2 * slots,
    tensorflowLogLevel: settings.logLevel === 'debug' ? 0 : 3,
    intraThreads: settings.intraThreads,
    interThreads: settings.interThreads,
    gpuMemoryGrowth: settings.gpuMemoryGrowth,
    gpuMemoryFraction: settings.gpuMemoryFraction,
    visibleDevices: settings.visibleDevices,
  });
  logger.info(
    `TensorFlow ${runtime.tensorflowVersion} on ${runtime.device} (--device ${settings.device}, --runtime ${runtime.kind})`,
  );
  const manager = createManager(settings, runtime, logger, slots);
  const telemetry = createTelemetry();
  const budget = new ByteBudget(settings.maxInflightBytes);
  const draining = new AbortController();
  const bodyLimits = limitBodies(settings, runtime, budget, logger);
  const services = {
    manager,
    runtime,
    telemetry,
    logger,
    bodyLimits,
    wireLimits: { maxDepth: settings.maxDepth, maxElements: settings.maxElements },
    requestTimeout: settings.requestTimeout,
    idleTimeout: settings.idleTimeout,
    serverTiming: settings.serverTiming ?? false,
    allowedRoots: settings.allowPath ?? [settings.modelPath],
    draining: draining.signal,
  };
  addResourceGauges(telemetry, runtime, () => budget.reserved);
  addModelMetrics(telemetry, () => manager.table);

  const app = createApp(services, keys);
  const general = countRequests(app.listener);
  const shortcut = createShortcut(services, keys, general.listener, app.fail);
  const underWay = () => general.underWay + shortcut.underWay;
  const timeouts = {
    keepAliveTimeout: settings.idleTimeout * 1000,
    // Node's own limit for head and body together, 300 s by default, must not come before --body-timeout.
    requestTimeout: (60 + settings.bodyTimeout) * 1000,
  };
  const http = createHttpServer(timeouts, shortcut.listener);
  // Without a listener Node asks every client for its body at once, also those that are about to be refused.
  http.on('checkContinue', (req, res) => http.emit('request', req, res));
  await listen(http, settings);
  const closeWatch = await watch(settings, manager, logger);
  return {
    started: manager.start(),
    runtime,
    address: addressOf(http),
    async close() {
      draining.abort();
      const finished = await drain(http, underWay, settings.shutdownTimeout);
      await closeWatch();
      if (!finished) return false;
      const closed = manager.close().then(() => true);
      return Promise.race([closed, delay(settings.shutdownTimeout * 1000, false, { ref: false })]);
    },
  };
}

function createManager(settings: Settings, runtime: Runtime, logger: Logger, slots: number): Manager {
  const { modelPath: root, tags, signature, defaultModel, strictReady = false } = settings;
  const { maxBatchSize, batchTimeout: timeoutMilliseconds, queueSize, batchingParameters } = settings;
  const batching = { maxBatchSize, timeoutMilliseconds, queueSize, slots };
  const { settle, scanInterval, loadTimeout, warmupTimeout } = settings;
  const timing = { settle, scanInterval, loadTimeout, warmupTimeout };
  return new Manager({
    ...{ runtime, root, tags, signature, defaultModel, strictReady, ...timing, logger },
    ...{ scheduler: new Scheduler(slots), batching, batchingParameters },
    // A run that is spread over threads would have the event loop wait for them.
    inlineRunMicros: settings.interThreads === -1 ? settings.inlineRunMicros : 0,
  });
}

/** @returns a function that ends the watch */
async function watch(settings: Settings, manager: Manager, logger: Logger): Promise<() => Promise<void>> {
  if (settings.watch === 'off') return async () => {};
  const remote = settings.watch === 'auto' ? await remoteFileSystem(settings.modelPath) : undefined;
  if (remote) logger.info(`${settings.modelPath} is on ${remote}, where changes raise no events: polling`);
  const mode = settings.watch === 'poll' || remote ? 'poll' : 'events';
  return watchFolder(settings.modelPath, {
    mode,
    pollInterval: Math.max(100, settings.settle * 1000),
    onHint: () => void manager.rescan(),
    logger,
  });
}

function addResourceGauges(telemetry: Telemetry, runtime: Runtime, reservedBytes: () => number): void {
  telemetry.gauges('tfjs_serving_tensors', 'Tensors of tf.js that are not disposed', () => [
    { value: tensorCount() },
  ]);
  telemetry.gauges('tfjs_serving_inflight_bytes', 'Bytes of bodies being read or waiting', () => [
    { value: reservedBytes() },
  ]);
  telemetry.gauges('tfjs_serving_native', 'What the native runtime holds', () =>
    Object.entries(runtime.counters()).map(([kind, value]) => ({ value, labels: { kind } })),
  );
}

/** Memory of bodies that is kept for the next ones. */
const unusedBodyBytes = 64 * 2 ** 20;

/** A body that the budget never has room for is too large, not to be tried again. */
function limitBodies(settings: Settings, runtime: Runtime, budget: ByteBudget, logger: Logger): BodyLimits {
  const { maxBodyBytes, maxInflightBytes, bodyTimeout: timeout } = settings;
  const maxBytes = Math.min(maxBodyBytes, maxInflightBytes);
  if (maxBytes < maxBodyBytes)
    logger.warn(`--max-inflight-bytes limits bodies to ${maxBytes} bytes, less than --max-body-bytes`);
  const memory = new BodyMemory(Math.min(unusedBodyBytes, maxInflightBytes), runtime.free);
  return { maxBytes, timeout, budget, memory };
}

/** Counts requests from their head to the end of their answer. */
function countRequests(listener: RequestListener): { listener: RequestListener; underWay: number } {
  const counted = {
    underWay: 0,
    listener(req: IncomingMessage, res: ServerResponse) {
      counted.underWay += 1;
      whenFinished(req.socket, res, () => {
        counted.underWay -= 1;
      });
      listener(req, res);
    },
  };
  return counted;
}

async function listen(http: HttpServer, { host, port }: Settings): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', (error) => {
      reject(
        new ServingError('FAILED_PRECONDITION', `cannot listen on ${host}:${port}: ${messageOf(error)}`),
      );
    });
    http.listen(port, host, resolve);
  });
}

function addressOf(http: HttpServer): string {
  const { address, port, family } = http.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Goes on answering (health says "draining", inference 503) until the last request has ended, then closes the port. */
async function drain(http: HttpServer, underWay: () => number, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout * 1000;
  while (underWay() > 0 && performance.now() < deadline) await delay(20);
  const finished = underWay() === 0;
  http.close();
  http.closeAllConnections();
  return finished;
}
