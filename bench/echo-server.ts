/** Runs `echo.ts` in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endTogether } from './process.ts';

export class EchoServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** @param bytes of each answer */
  static async start(kind: 'node' | 'koa', bytes: number): Promise<EchoServer> {
    const script = fileURLToPath(new URL('echo.js', import.meta.url));
    const child = spawn(process.execPath, [script, kind, String(bytes)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    endTogether(child);
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
    return new EchoServer(child, String(line).trim());
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async stop(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.kill();
    await exit;
  }
}
