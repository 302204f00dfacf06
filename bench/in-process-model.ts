/** Runs `in-process.ts` in a process of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** The figures of a model without a server. */
export interface InProcess {
  readonly perSecond: number;
  /** The median in milliseconds. */
  readonly p50: number;
  /** In microseconds. */
  readonly cpuPerRequest: number;
}

export class InProcessModel {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: Interface;

  /**
   * @param folder of the SavedModel
   * @param args are further arguments of `in-process.ts`
   */
  constructor(folder: string, kind: 'native' | 'tfjs', ...args: readonly string[]) {
    const script = fileURLToPath(new URL('in-process.js', import.meta.url));
    this.child = spawn(process.execPath, [script, folder, kind, ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.lines = createInterface({ input: this.child.stdout });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** @param rows of each run */
  async measure(callers: number, seconds: number, rows = 1): Promise<InProcess> {
    const line = once(this.lines, 'line');
    this.child.stdin.write(`${callers} ${seconds} ${rows}\n`);
    return JSON.parse((await line)[0]);
  }

  async stop(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.stdin.end();
    await exit;
  }
}
