/**
 * A small process that starts rehearsals for a server. To start a process copies the page tables of the one that starts it: with models
 * of gigabytes in memory the server would stand still meanwhile. This one is started before there are any.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { StarterNews, StarterOrder } from '../control/load/rehearsal-processes.js';

const children = new Map<number, ChildProcess>();

// A terminal tells the whole group: the server says when it is over.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => {
  for (const child of children.values()) child.kill('SIGKILL');
  process.exit();
});
process.on('message', (order: StarterOrder) => {
  if (order.kind === 'end') children.get(order.id)?.kill('SIGKILL');
  else start(order);
});

function start({ id, program, directory, job }: StarterOrder & { kind: 'start' }): void {
  const tell = (news: StarterNews) => process.send?.(news);
  const child = fork(program, [directory], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
  });
  children.set(id, child);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => tell({ id, kind: 'text', text }));
  // It may be gone before it has read: its end is told by `close`.
  child.stdin?.on('error', () => {});
  child.on('message', (said) => tell({ id, kind: 'said', said }));
  child.on('error', ({ message }) => tell({ id, kind: 'error', message }));
  child.on('close', (code, signal) => {
    children.delete(id);
    tell({ id, kind: 'close', code, signal });
  });
  child.send(job, () => {});
}
