/** Makes the parts of a server, each out of the settings that it knows. `server.ts` puts them together. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WireLimits } from './codec/wire.js';
import { type Settings, settings } from './config/settings.js';
import { stateFolder } from './config/state-folder.js';
import type { DataPlane } from './control/data-plane.js';
import { Rehearsals } from './control/load/rehearsal.js';
import { RehearsalProcesses } from './control/load/rehearsal-processes.js';
import { Manager } from './control/manager.js';
import type { Engines } from './engines/engine.js';
import type { RuntimeOptions } from './engines/tensorflow/open-runtime.js';
import type { Runtime } from './engines/tensorflow/runtime.js';
import { invalidArgument, listed, quoted } from './errors.js';
import type { Loop } from './flow/shared-numbers.js';
import type { HandlerBlocking } from './handlers/blocking.js';
import { Handlers } from './handlers/loader.js';
import type { ApiKeys } from './http/access/api-keys.js';
import { isLoopback, nameOf } from './http/access/hosts.js';
import type { BodyLimits } from './http/body/body.js';
import { BodyMemory } from './http/body/body-memory.js';
import type { ByteBudget } from './http/body/byte-budget.js';
import { Certificate } from './http/connection/certificate.js';
import { Queues } from './serving/queue/queues.js';
import { Scheduler } from './serving/queue/scheduler.js';
import type { Table } from './serving/table.js';
import { contentsOf } from './stores/folder/contents.js';
import { FolderSource } from './stores/folder/folder-source.js';
import type { Source } from './stores/source.js';
import { AccessLog } from './telemetry/access-log.js';
import type { Logger } from './telemetry/logger.js';
import type { Telemetry } from './telemetry/metrics.js';
import type { RecordObserver, RequestRecord } from './telemetry/request-record.js';
import { inMilliseconds } from './time.js';

export function certificateOf(
  { tlsCert, tlsKey, tlsClientCa }: Settings,
  logger: Logger,
): Certificate | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return new Certificate({ tlsCert, tlsKey, tlsClientCa }, logger);
}

export function accessLogOf({
  accessLog,
  accessLogFormat,
  accessLogSample,
}: Settings): AccessLog | undefined {
  if (accessLog === 'off') return undefined;
  return new AccessLog({ to: accessLog, format: accessLogFormat, sample: accessLogSample });
}

/** Those that are told of each request that has ended. */
export function observersOf(telemetry: Telemetry, accessLog: AccessLog | undefined): RecordObserver[] {
  const observe = (record: RequestRecord) => telemetry.observe(record);
  return accessLog ? [observe, (record: RequestRecord) => accessLog.write(record)] : [observe];
}

export function warnOfOpenPort(
  { host, tlsCert, tlsClientCa }: Settings,
  keys: ApiKeys,
  logger: Logger,
): void {
  if (isLoopback(nameOf(host))) return;
  if (!keys.configured && tlsClientCa === undefined)
    logger.warn(
      `--host ${host} without API keys: everybody who can connect may ask every model; --api-key-file asks for keys`,
    );
  if (tlsCert === undefined)
    logger.warn(
      `--host ${host} without TLS: keys and data cross the network in the clear; --tls-cert and --tls-key encrypt them`,
    );
}

/** Warns of a --signature that nothing that serves has. Most often it is misspelt. */
export function warnOfUnknownSignature({ signature }: Settings, { models }: Table, logger: Logger): void {
  if (signature === settings.signature.schema.parse(undefined)) return;
  const servables = [...models.values()].flatMap(({ available }) => [...available.values()]);
  const names = new Set(servables.flatMap(({ model }) => [...model.signatures.keys()]));
  if (names.size === 0 || names.has(signature)) return;
  logger.warn(
    `--signature is ${quoted(signature)}, and no model that serves has it; there are ${listed(names)}`,
  );
}

/** Warns of limits that leave others without effect. */
export function warnOfLimits({ maxBodyBytes, maxInflightBytes }: Settings, logger: Logger): void {
  if (maxInflightBytes < maxBodyBytes)
    logger.warn(
      `--max-inflight-bytes limits bodies to ${maxInflightBytes} bytes, less than --max-body-bytes`,
    );
}

/** @param slots is the number of models that run at once */
export function runtimeOptions(settings: Settings, slots: number): RuntimeOptions {
  return {
    kind: settings.runtime,
    device: settings.device,
    // The scheduler adds as many permits as there are stuck runs.
    runThreads: 2 * slots,
    tensorflowLogLevel: settings.logLevel === 'debug' ? 0 : 3,
    intraThreads: settings.intraThreads,
    interThreads: settings.interThreads,
    gpuMemoryGrowth: settings.gpuMemoryGrowth,
    gpuMemoryFraction: settings.gpuMemoryFraction,
    visibleDevices: settings.visibleDevices,
    xla: settings.xla,
    mixedPrecision: settings.mixedPrecision,
    opLibraries: settings.opLibrary,
  };
}

/** What was asked for and what came of it, for the log. */
export function chosen({ device }: Settings, { kind, mode: { xla, mixedPrecision } }: Runtime): string {
  const options = [`--device ${device}`, `--runtime ${kind}`];
  if (xla) options.push('--xla');
  if (mixedPrecision) options.push(`--mixed-precision in ${mixedPrecision}`);
  return options.join(', ');
}

export function createHandlers(
  { allowHandlers, handler }: Settings,
  logger: Logger,
  blocking: HandlerBlocking,
): Handlers | undefined {
  if (allowHandlers)
    return new Handlers({
      file: handler === undefined ? undefined : path.resolve(handler),
      logger,
      blocking,
    });
  if (handler !== undefined)
    throw invalidArgument('--handler needs --allow-handlers: a handler is code that the server runs');
  return undefined;
}

/** The programs lie beside this file, where all are compiled. */
const rehearsalProgram = fileURLToPath(new URL('programs/rehearse.js', import.meta.url));
const starterProgram = fileURLToPath(new URL('programs/rehearsal-starter.js', import.meta.url));

/** Starts the small process that starts rehearsals. @returns undefined where nothing is rehearsed */
export function openRehearsals({ rehearse }: Settings): RehearsalProcesses | undefined {
  return rehearse === 'off' ? undefined : new RehearsalProcesses(starterProgram);
}

export function folderSource(
  settings: Settings,
  engines: Engines,
  handlers: Handlers | undefined,
  logger: Logger,
): FolderSource {
  const { modelPath: root, watch, settle, allowPath: allowedRoots = [root] } = settings;
  const contents = contentsOf(engines, handlers);
  const pollInterval = Math.max(100, inMilliseconds(settle));
  return new FolderSource({ root, contents, watch, pollInterval, allowedRoots, logger });
}

/** What the control plane is made of. */
interface ManagerParts {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly engines: Engines;
  readonly source: Source;
  readonly logger: Logger;
  /** Runs at once. */
  readonly slots: number;
  readonly handlers: Handlers | undefined;
  readonly processes: RehearsalProcesses | undefined;
  readonly loop: Loop;
  readonly dataPlane: DataPlane | undefined;
}

export function createManager(parts: ManagerParts): Manager {
  const { settings, runtime, engines, source, logger, slots, handlers, processes, loop, dataPlane } = parts;
  const { tags, signature, defaultModel, strictReady = false } = settings;
  const { maxBatchSize, batchTimeout: timeout, queueSize, batchingParameters } = settings;
  const batching = { maxBatchSize, timeout, queueSize, slots, compiles: runtime.mode.xla };
  const { settle, scanInterval, loadTimeout, warmupTimeout } = settings;
  const timing = { settle, scanInterval, loadTimeout, warmupTimeout };
  const rehearsals = new Rehearsals({
    program: rehearsalProgram,
    processes,
    runtime: runtimeOptions(settings, slots),
    options: { tags, signature, loadTimeout, warmupTimeout },
  });
  const queues = queuesOf(settings, { loop, slots, logger });
  return new Manager({
    ...{ engines, source, tags, signature, defaultModel, strictReady, ...timing, logger, handlers },
    ...{ queues, dataPlane, batching, batchingParameters },
    ...{ rehearse: settings.rehearse, rehearsals, stateFolder: stateFolder(settings, process.env) },
  });
}

/** What the queues of an event loop are made of. */
interface QueuesParts {
  readonly loop: Loop;
  /** Runs at once. */
  readonly slots: number;
  readonly logger: Logger;
}

export function queuesOf(settings: Settings, { loop, slots, logger }: QueuesParts): Queues {
  // The event loop would wait for a run that is spread over threads.
  const inlineRunMicros = settings.interThreads === -1 ? settings.inlineRunMicros : 0;
  return new Queues({ loop, scheduler: new Scheduler(slots), inlineRunMicros, logger });
}

/** The bytes of body memory that all event loops together keep for the next requests. */
const unusedBodyBytes = 64 * 2 ** 20;

/** A body for which the budget never has room is too large: trying again does not help. */
export function limitBodies(
  { maxBodyBytes, maxInflightBytes, bodyTimeout: timeout }: Settings,
  free: Runtime['free'],
  budget: ByteBudget,
  { count: loops }: Loop,
): BodyLimits {
  const maxBytes = Math.min(maxBodyBytes, maxInflightBytes);
  const memory = new BodyMemory(Math.min(unusedBodyBytes, maxInflightBytes) / loops, free);
  return { maxBytes, timeout, budget, memory };
}

export function limitWire({ maxDepth, maxElements, maxDenseElements, maxImagePixels }: Settings): WireLimits {
  return { maxDepth, maxElements, maxDenseElements, maxImagePixels };
}
