/**
 * Starts rehearsals through a small process. Starting a process from one that holds models takes as long as its memory
 * is large, and the event loop stands still meanwhile.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { messageOf } from '../../errors.js';

/** What the small process is told. */
export type StarterOrder =
  | {
      readonly kind: 'start';
      readonly id: number;
      readonly program: string;
      readonly directory: string;
      readonly job: object;
    }
  | { readonly kind: 'end'; readonly id: number };

/** What becomes of the process of a rehearsal. */
export type ProcessNews =
  /** Text that it wrote to stderr. */
  | { readonly kind: 'text'; readonly text: string }
  /** A message from it. */
  | { readonly kind: 'said'; readonly said: unknown }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'close'; readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** What the small process reports. */
export type StarterNews = ProcessNews & { readonly id: number };

export class RehearsalProcesses {
  private starter: ChildProcess | undefined;
  private readonly listeners = new Map<number, (news: ProcessNews) => void>();
  private lastId = 0;

  /** @param program is that of the small process, which starts now because there may be no model yet */
  constructor(private readonly program: string) {
    this.starter = this.open();
  }

  /**
   * @param program is that of the rehearsal
   * @param directory is named on its command line
   * @param job is its first message
   * @returns a function that ends it, if it has not ended
   */
  start(program: string, directory: string, job: object, onNews: (news: ProcessNews) => void): () => void {
    this.lastId += 1;
    const id = this.lastId;
    this.listeners.set(id, onNews);
    this.starter ??= this.open();
    this.order(this.starter, { kind: 'start', id, program, directory, job });
    return () => {
      this.listeners.delete(id);
      if (this.starter) this.order(this.starter, { kind: 'end', id });
    };
  }

  /** Ends all of them. */
  close(): void {
    // When the small process loses its connection, it ends them, even if this process is killed.
    if (this.starter?.connected) this.starter.disconnect();
  }

  private order(starter: ChildProcess, order: StarterOrder): void {
    starter.send(order, (error) => {
      if (error) this.listeners.get(order.id)?.({ kind: 'error', message: messageOf(error) });
    });
  }

  private open(): ChildProcess {
    const starter = fork(this.program, [], {
      execArgv: [],
      serialization: 'advanced',
      env: environment(),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // The small process must not keep a server alive that has nothing else to do.
    starter.unref();
    starter.channel?.unref();
    starter.on('message', ({ id, ...news }: StarterNews) => this.listeners.get(id)?.(news));
    const isOver = (message: string) => {
      if (this.starter === starter) this.starter = undefined;
      for (const listener of this.listeners.values()) listener({ kind: 'error', message });
    };
    starter.on('error', (error) => isOver(error.message));
    starter.on('exit', () => isOver('the process that starts rehearsals has ended'));
    return starter;
  }
}

/** The environment without API keys, which rehearsals do not need. */
function environment(): NodeJS.ProcessEnv {
  const { TFJS_SERVING_API_KEYS: _, ...others } = process.env;
  return others;
}
