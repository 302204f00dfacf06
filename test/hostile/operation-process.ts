/** Runs models that may end their process in a process of their own, and starts another one when it has ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { addonFile } from '../../src/engines/tensorflow/installed.ts';
import type { Feed, Output } from '../../src/engines/tensorflow/native.ts';

/** What came of a message. */
export type Answer =
  | { readonly outputs?: readonly Output[] | undefined; readonly error?: string }
  /** The process has ended, or it had to be ended: then `how` is `hangs`. */
  | { readonly died: string };

export type Order =
  | {
      readonly kind: 'load';
      readonly directory: string;
      readonly feeds: readonly string[];
      readonly fetches: readonly string[];
    }
  | { readonly kind: 'run'; readonly feeds: readonly Feed[]; readonly keeps?: boolean };

const program = fileURLToPath(new URL('operation-runs.mjs', import.meta.url));

/** What its data may take, so that huge outputs end it and not this machine. */
const kilobytes = 6_000_000;

const milliseconds = 20_000;

export class OperationProcess {
  private child: ChildProcess | undefined;
  private said = '';

  async ask(order: Order): Promise<Answer> {
    this.child ??= this.start();
    const { child } = this;
    return new Promise((resolve) => {
      const timer = setTimeout(() => end({ died: 'hangs' }), milliseconds);
      const end = (answer: Answer) => {
        clearTimeout(timer);
        child.off('message', answered);
        child.off('close', closed);
        if ('died' in answer) {
          child.kill('SIGKILL');
          this.child = undefined;
        }
        resolve(answer);
      };
      const answered = (answer: unknown) => end(answer as Answer);
      const closed = (code: number | null, signal: string | null) =>
        end({ died: `${signal ?? `exit code ${code}`}${reasonIn(this.said)}` });
      child.on('message', answered);
      child.on('close', closed);
      child.send(order, () => {});
    });
  }

  private start(): ChildProcess {
    this.said = '';
    const command = `ulimit -c 0; ulimit -d ${kilobytes}; exec "$0" "$@"`;
    const child = spawn('sh', ['-c', command, process.execPath, program, addonFile], {
      serialization: 'advanced',
      // By default TensorFlow takes oneDNN's kernels on some processors only, and some operations end the process only there.
      env: { TF_ENABLE_ONEDNN_OPTS: '1', ...process.env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-20_000);
    });
    return child;
  }

  close(): void {
    this.child?.kill('SIGKILL');
    this.child = undefined;
  }
}

function reasonIn(said: string): string {
  const line = said
    .split('\n')
    .findLast((each) => /Check failed|\(\): |terminate called|what\(\)|Assertion/.test(each));
  return line === undefined ? '' : `: ${line.trim().slice(0, 240)}`;
}
