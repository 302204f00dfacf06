/**
 * Workers: event loops that answer requests beside the main thread, over one copy of the weights and one set of limits.
 *
 * The main thread has the control plane. It prepares each version on every worker, and has all of them change to a new
 * table at once: the number of the table in force is one integer in memory that they share. A worker that dies is
 * replaced. Its successor takes over its socket, with the connections that wait in it.
 */
import { lookup } from 'node:dns/promises';
import { Worker as Thread } from 'node:worker_threads';
import type { LiveSettings } from '../config/live-settings.js';
import type { Settings } from '../config/settings.js';
import type { DataPlane } from '../control/data-plane.js';
import { addonFile } from '../engines/tensorflow/installed.js';
import { loadBinding, type NativeBinding } from '../engines/tensorflow/native.js';
import type { Runtime } from '../engines/tensorflow/runtime.js';
import { messageOf, ServingError } from '../errors.js';
import { type Loop, SharedNumbers } from '../flow/shared-numbers.js';
import { nameOf } from '../http/access/hosts.js';
import type { Deployment } from '../serving/deployment.js';
import type { Servable } from '../serving/servable.js';
import type { Table } from '../serving/table.js';
import type { Logger } from '../telemetry/logger.js';
import type { Telemetry } from '../telemetry/metrics.js';
import { type Milliseconds, type Moment, now } from '../time.js';
import { Held } from './held.js';
import type { ProcessMemory, SharedTable, ToMain, ToWorker, WorkerStart } from './messages.js';

export interface WorkersOptions {
  /** The number of workers. */
  readonly count: number;
  /** The main thread among the event loops. */
  readonly loop: Loop;
  readonly settings: Settings;
  /** The runtime of the main thread. */
  readonly runtime: Runtime;
  /** The models that may run at once on each worker. */
  readonly slots: number;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  /** The memory in which the rates of keys are counted. */
  readonly rates: SharedArrayBuffer;
  /** Takes a connection on which a worker passes on requests. */
  readonly adopt: (descriptor: number) => void;
}

/** The pause before a worker is replaced that has died again soon: at first, and at most. */
const shortestPause: Milliseconds = 100;
const longestPause: Milliseconds = 10_000;

/** A worker that has lived this long has not died at its start. */
const longLife: Milliseconds = 60_000;

/** How long a worker may take to end. */
const endTime: Milliseconds = 3000;

export class Workers implements DataPlane {
  /** The numbers that the main thread shares with its workers. */
  readonly bodyBytes: SharedNumbers;
  readonly unreadBytes: SharedNumbers;
  readonly requests: SharedNumbers;
  readonly tensors: SharedNumbers;
  private readonly loop: Loop;
  private readonly binding: NativeBinding;
  private readonly places: Place[];
  private readonly epoch = new SharedArrayBuffer(4);
  private readonly held: Held;
  private sockets: readonly number[] = [];
  /** The table that is in force. */
  private current: SharedTable | undefined;
  private pending: Pending | undefined;
  /** The table that is published next. It replaces one that has not been sent yet. */
  private wanted: Table | undefined;
  /** The table that was published last. */
  private latest: Table | undefined;
  private epochs = 0;
  /** Those who want the main thread to answer all requests. */
  private passing = 0;
  private readonly settled: (() => void)[] = [];
  private isEnding = false;

  constructor(private readonly options: WorkersOptions) {
    const { count, telemetry, loop } = options;
    this.loop = loop;
    this.binding = loadBinding(addonFile);
    const numbers = () => SharedNumbers.make(this.loop, 1);
    this.bodyBytes = numbers();
    this.unreadBytes = numbers();
    this.requests = numbers();
    this.tensors = numbers();
    this.held = new Held(telemetry);
    this.places = Array.from({ length: count }, (_, i) => new Place(i + 1));
  }

  /** The address that the workers listen on, once they do. */
  get address(): string | undefined {
    return this.places.find(({ address }) => address !== undefined)?.address;
  }

  addMetrics(): void {
    const { telemetry } = this.options;
    telemetry.gauges('tfjs_serving_workers', 'Workers that are alive', () => [
      { value: this.threads.length },
    ]);
    telemetry.counters(
      'tfjs_serving_workers_replaced_total',
      'Workers that have died and were replaced',
      () => [{ value: this.replaced.reduce((sum, deaths) => sum + deaths, 0) }],
    );
    telemetry.gauges(
      'tfjs_serving_worker_utilization',
      'The share of time that each worker was busy since it began',
      () =>
        this.places.flatMap(({ index, member }) =>
          member
            ? [
                {
                  value: member.thread.performance.eventLoopUtilization().utilization,
                  labels: { worker: index },
                },
              ]
            : [],
        ),
    );
  }

  /** How often each worker has been replaced, in order. */
  get replaced(): readonly number[] {
    return this.places.map(({ deaths }) => deaths);
  }

  /** The threads of the workers that are alive. */
  get threads(): readonly Thread[] {
    return this.places.flatMap(({ member }) => (member ? [member.thread] : []));
  }

  /**
   * Opens the port, and resolves once every worker listens on it.
   *
   * @throws ServingError (rejects) FAILED_PRECONDITION if the port cannot be opened, or a worker cannot begin
   */
  async open(): Promise<void> {
    const { settings, count } = this.options;
    const { host, port } = settings;
    try {
      const { address } = await lookup(host.startsWith('[') ? nameOf(host) : host);
      this.sockets = this.binding.openPort(address, port, count);
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'ALREADY_EXISTS';
      const why = isTaken ? 'the port is in use (EADDRINUSE): choose another with --port' : messageOf(error);
      throw new ServingError('FAILED_PRECONDITION', `cannot listen on ${host}:${port}: ${why}`);
    }
    await Promise.all(this.places.map((place) => this.begin(place)));
  }

  /** Starts the worker of a place. It resolves once it listens. */
  private begin(place: Place): Promise<void> {
    const { settings, runtime, slots, telemetry, logger, rates } = this.options;
    if (!runtime.shared) throw new Error(`workers cannot run the models of ${runtime.kind}`);
    const memory: ProcessMemory = {
      epoch: this.epoch,
      bodyBytes: this.bodyBytes.memory as SharedArrayBuffer,
      unreadBytes: this.unreadBytes.memory as SharedArrayBuffer,
      requests: this.requests.memory as SharedArrayBuffer,
      rates,
      tensors: this.tensors.memory as SharedArrayBuffer,
      nameless: telemetry.requests.memoryOf('', '') as SharedArrayBuffer,
    };
    const start: WorkerStart = {
      ...{ settings, slots, memory },
      runtime: runtime.shared,
      loop: { index: place.index, count: this.loop.count },
    };
    const thread = new Thread(new URL('worker.js', import.meta.url), {
      workerData: start,
      name: `worker ${place.index}`,
    });
    const member = new Member(thread);
    place.member = member;
    return new Promise((resolve, reject) => {
      let failure: unknown;
      thread.on('message', (message: ToMain) => {
        this.receive(message, place, member);
        if (message.kind === 'listening') resolve();
      });
      thread.on('error', (error) => {
        failure = error;
        logger.error({ err: error }, `worker ${place.index} has failed`);
      });
      thread.on('exit', (code) => {
        const why = failure === undefined ? `it ended with ${code}` : messageOf(failure);
        reject(new ServingError('FAILED_PRECONDITION', `worker ${place.index} could not begin: ${why}`));
        this.hasDied(place, member);
      });
    });
  }

  private receive(message: ToMain, place: Place, member: Member): void {
    switch (message.kind) {
      case 'begun':
        this.join(place, member);
        break;
      case 'prepared':
        member.prepared(message.key, message.failure);
        break;
      case 'published':
        if (this.pending?.table.epoch === message.epoch) this.pending.waitsFor.delete(member);
        this.mayBeInForce();
        break;
      case 'retired':
        member.retired(message.key);
        break;
      case 'listening':
        place.address = message.address;
        break;
      case 'connect':
        this.options.adopt(message.descriptor);
        break;
      case 'explained':
        this.held.explain(message.key, message.runs);
        break;
    }
  }

  /** Tells a new worker everything that the others know. From now on it is told what they are told. */
  private join({ index }: Place, member: Member): void {
    const { logger } = this.options;
    member.isMember = true;
    for (const deployment of this.held.all) {
      member.prepare(deployment).catch((error: unknown) => {
        logger.error(`worker ${index} cannot open what the others serve: ${messageOf(error)}`);
        void member.thread.terminate();
      });
    }
    if (this.current) member.send({ kind: 'publish', table: this.current });
    if (this.pending) {
      this.pending.waitsFor.add(member);
      member.send({ kind: 'publish', table: this.pending.table });
    }
    const socket = this.sockets[(index - 1) % this.sockets.length] as number;
    try {
      member.send({ kind: 'listen', descriptor: this.binding.duplicateDescriptor(socket) });
    } catch (error) {
      // The process may have no descriptor left. The next worker may find one.
      logger.error(`worker ${index} cannot listen: ${messageOf(error)}`);
      void member.thread.terminate();
    }
  }

  private hasDied(place: Place, member: Member): void {
    const { logger } = this.options;
    member.isMember = false;
    place.member = undefined;
    member.forsake();
    for (const numbers of [this.bodyBytes, this.unreadBytes, this.requests, this.tensors])
      numbers.of(place.index).fill(0);
    this.held.forgetQueues(place.index);
    this.pending?.waitsFor.delete(member);
    this.mayBeInForce();
    if (this.isEnding || place.address === undefined) return;
    const pause = place.pauseAfter(now() - member.born);
    logger.error(`worker ${place.index} is gone, and its requests with it; it is replaced in ${pause} ms`);
    const again = setTimeout(() => {
      if (!this.isEnding) this.begin(place).catch(() => {});
    }, pause);
    again.unref();
  }

  private get members(): readonly Member[] {
    return this.places.flatMap(({ member }) => (member?.isMember ? [member] : []));
  }

  private tellAll(message: ToWorker): void {
    for (const member of this.members) member.send(message);
  }

  async prepare(deployment: Deployment, servable: Servable): Promise<void> {
    const shared = this.held.add(deployment, servable);
    if (!shared) return;
    const results = await Promise.allSettled(this.members.map((member) => member.prepare(shared)));
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) return;
    this.held.delete(servable);
    this.tellAll({ kind: 'retire', key: shared.key });
    throw new ServingError('INTERNAL', `a worker cannot open it: ${messageOf(failed.reason)}`);
  }

  publish(table: Table): void {
    this.wanted = table;
    this.publishNext();
  }

  /** Has the main thread answer all requests, until each call with true has had one with false. */
  async passAll(passesAll: boolean): Promise<void> {
    this.passing += passesAll ? 1 : -1;
    this.held.passesAll = this.passing > 0;
    this.wanted ??= this.latest;
    this.publishNext();
    await this.inForce();
  }

  private publishNext(): void {
    if (this.pending || !this.wanted) return;
    this.latest = this.wanted;
    this.epochs += 1;
    const table = this.held.share(this.wanted, this.epochs);
    this.wanted = undefined;
    this.pending = { table, waitsFor: new Set(this.members) };
    this.tellAll({ kind: 'publish', table });
    this.mayBeInForce();
  }

  /** Puts the pending table in force on all event loops at once, if all of them know it. */
  private mayBeInForce(): void {
    const { pending } = this;
    if (!pending || pending.waitsFor.size > 0) return;
    this.pending = undefined;
    this.current = pending.table;
    Atomics.store(new Int32Array(this.epoch), 0, pending.table.epoch);
    this.publishNext();
    if (!this.pending) for (const resolve of this.settled.splice(0)) resolve();
  }

  async inForce(): Promise<void> {
    if (this.pending) await new Promise<void>((resolve) => this.settled.push(resolve));
  }

  async retired(servable: Servable): Promise<void> {
    const key = this.held.keyOf(servable);
    if (key === undefined) return;
    await this.inForce();
    this.held.delete(servable);
    await Promise.all(this.members.map((member) => member.retire(key)));
  }

  /** Has every worker read its files again, and open its access log anew. */
  reloadFiles(): void {
    this.tellAll({ kind: 'reload files' });
  }

  /** Has every worker take over settings. Those that are started later get them with all others. */
  adjust(changes: Partial<LiveSettings>): void {
    this.tellAll({ kind: 'adjust', changes });
  }

  /** Has every worker refuse new inference requests. */
  drain(): void {
    this.isEnding = true;
    this.tellAll({ kind: 'drain' });
  }

  /** Has every worker give up clients that hardly send or read. */
  giveUpSlow(): void {
    this.tellAll({ kind: 'give up slow' });
  }

  /** Ends the workers and closes the port. */
  async close(): Promise<void> {
    this.isEnding = true;
    const threads = this.threads.map((thread) => new Promise((resolve) => thread.once('exit', resolve)));
    this.tellAll({ kind: 'end' });
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise((resolve) => {
      timer = setTimeout(resolve, endTime);
    });
    await Promise.race([Promise.all(threads), tooLong]);
    clearTimeout(timer);
    await Promise.all(this.threads.map((thread) => thread.terminate()));
    for (const socket of this.sockets) this.binding.closeDescriptor(socket);
    this.sockets = [];
  }
}

/** A table that not every worker knows yet. */
interface Pending {
  readonly table: SharedTable;
  readonly waitsFor: Set<Member>;
}

/** The place of a worker, which its successors take over. */
class Place {
  member: Member | undefined;
  address: string | undefined;
  deaths = 0;
  private pause: Milliseconds = 0;

  constructor(readonly index: number) {}

  /** The pause before the next worker begins. */
  pauseAfter(life: Milliseconds): Milliseconds {
    this.deaths += 1;
    const pause = life > longLife ? 0 : this.pause;
    this.pause = Math.min(longestPause, Math.max(shortestPause, 2 * pause));
    return pause;
  }
}

/** One thread, and what it was asked for and has not answered. */
class Member {
  readonly born: Moment = now();
  /** True while it is told what all workers are told. */
  isMember = false;
  private readonly preparations = new Map<number, (failure: string | undefined) => void>();
  private readonly retirements = new Map<number, () => void>();

  constructor(readonly thread: Thread) {}

  send(message: ToWorker): void {
    this.thread.postMessage(message);
  }

  /** @throws Error (rejects) if the worker cannot open it */
  prepare(deployment: Parameters<typeof sendable>[0]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.preparations.set(deployment.key, (failure) => {
        if (failure === undefined) resolve();
        else reject(new Error(failure));
      });
      this.send(sendable(deployment));
    });
  }

  prepared(key: number, failure: string | undefined): void {
    this.preparations.get(key)?.(failure);
    this.preparations.delete(key);
  }

  retire(key: number): Promise<void> {
    return new Promise((resolve) => {
      this.retirements.set(key, resolve);
      this.send({ kind: 'retire', key });
    });
  }

  retired(key: number): void {
    this.retirements.get(key)?.();
    this.retirements.delete(key);
  }

  /** It is gone: nobody waits for it any more, and it holds nothing. */
  forsake(): void {
    for (const resolve of this.preparations.values()) resolve(undefined);
    for (const resolve of this.retirements.values()) resolve();
    this.preparations.clear();
    this.retirements.clear();
  }
}

function sendable(deployment: Extract<ToWorker, { kind: 'prepare' }>['deployment']): ToWorker {
  return { kind: 'prepare', deployment };
}
