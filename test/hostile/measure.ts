/** Measures what one hostile case does to a server: the longest wait of somebody else, and the most memory. */
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { forgetPeak, residentMebibytes } from '../../bench/process.ts';
import type { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';
import type { HostileCase } from './cases.ts';

export interface Effect {
  /** Of the hostile requests' answers; 0 for one without. */
  readonly statuses: readonly number[];
  /** Milliseconds of the longest `/health/live` meanwhile, less what threads waited for a processor. */
  readonly longestWait: number;
  /** The most milliseconds of one such wait that the server's event loop computed; 0 where the system does not tell. */
  readonly held: number;
  /** How often it was asked. */
  readonly asked: number;
  /** MiB over the memory before. */
  readonly peak: number;
  /** MiB that the case may take: what it reserves, and what it may take beyond that. */
  readonly allowed: number;
  readonly seconds: number;
}

/** Runs one case against a server whose models are served, and waits until nothing of it is left. */
export async function measure(server: TestServer, hostile: HostileCase): Promise<Effect> {
  const pid = server.child.pid as number;
  const send = await hostile.prepare(server);
  await server.nothingIsLeft();
  const before = residentMebibytes(pid);
  forgetPeak(pid);
  const reserved = watchReserved(server);
  const health = await HealthWatch.start(server.url, pid);
  const started = performance.now();
  const statuses = await send();
  const seconds = (performance.now() - started) / 1000;
  await server.nothingIsLeft();
  const { longest, held, asked } = await health.stop();
  const most = await reserved.stop();
  return {
    statuses,
    longestWait: longest,
    held,
    asked,
    peak: Math.max(0, residentMebibytes(pid, 'at its most') - before),
    allowed: most / 2 ** 20 + (hostile.beyond?.mebibytes ?? 0),
    seconds,
  };
}

/** The most that bodies reserved. Asked rarely: what counts is held for long. */
function watchReserved(server: TestServer): { stop(): Promise<number> } {
  let most = 0;
  let isStopped = false;
  const watching = (async () => {
    while (!isStopped) {
      most = Math.max(most, (await server.metric('tfjs_serving_inflight_bytes')) ?? 0);
      await delay(50);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await watching;
      return most;
    },
  };
}

interface Waits {
  readonly longest: number;
  readonly held: number;
  readonly asked: number;
}

class HealthWatch {
  private result: Waits | undefined;
  private failure: string | undefined;

  private constructor(private readonly worker: Worker) {
    worker.on('message', (message: 'asking' | Waits | { failure: string }) => {
      if (message === 'asking') return;
      if ('failure' in message) this.failure = message.failure;
      else this.result = message;
    });
    worker.on('error', (error) => {
      this.failure = String(error);
    });
  }

  static async start(url: string, pid: number): Promise<HealthWatch> {
    const { hostname, port } = new URL(url);
    const worker = new Worker(path.resolve('test/hostile/health-watch.mjs'), {
      workerData: { hostname, port: Number(port), pid },
    });
    const watch = new HealthWatch(worker);
    await once(worker, 'message');
    return watch;
  }

  async stop(): Promise<Waits> {
    this.worker.postMessage('stop');
    const result = await until(() => {
      if (this.failure !== undefined) throw new Error(this.failure);
      return this.result;
    }, 'the health to be told');
    await this.worker.terminate();
    return result;
  }
}
