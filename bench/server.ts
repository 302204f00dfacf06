/** Runs the server that is measured in a process of its own, with its log in JSON. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { endTogether } from './process.ts';

export interface LogLine {
  /** In epoch milliseconds. */
  readonly time: number;
  readonly msg: string;
}

export class MeasuredServer {
  readonly log: LogLine[] = [];
  private rest = '';

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (this.rest + chunk).split('\n');
      this.rest = lines.pop() ?? '';
      for (const line of lines) this.log.push(JSON.parse(line));
    });
  }

  /** @param root of the checkout whose server it is; by default the folder of this process */
  static async start(args: readonly string[], root = '.'): Promise<MeasuredServer> {
    const main = path.join(root, 'dist', 'main.js');
    const flags = [main, 'serve', '--port', '0', '--log-format', 'json', ...args];
    const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'ignore'] });
    endTogether(child);
    const server = new MeasuredServer(child);
    await server.line(/^serving on /);
    return server;
  }

  get url(): string {
    const line = this.log.find(({ msg }) => msg.startsWith('serving on '));
    return line?.msg.slice('serving on '.length) ?? '';
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first matching line from `since` on. It waits for the line if need be. */
  async line(pattern: RegExp, since = 0): Promise<LogLine> {
    for (;;) {
      const found = this.log.find(({ msg, time }) => time >= since && pattern.test(msg));
      if (found) return found;
      if (this.child.exitCode !== null) throw new Error(`the server ended: ${this.log.at(-1)?.msg}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exit;
  }
}
