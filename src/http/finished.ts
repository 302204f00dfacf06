/**
 * Tells when a request is over: its answer has left, or its connection is gone.
 *
 * The response's own `close` is not enough. It has fired already when a client leaves while its run goes on, and it never
 * fires for a response that waits behind another on a connection that breaks (pipelining).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** One listener per connection, however many requests wait on it. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls `action` once: when the request is over, or now if it is. */
export function whenFinished(socket: Socket, res: ServerResponse, action: () => void): void {
  if (res.closed || socket.destroyed) {
    action();
    return;
  }
  const actions = waiting.get(socket) ?? listen(socket);
  const done = () => {
    actions.delete(done);
    res.off('close', done);
    action();
  };
  actions.add(done);
  res.on('close', done);
}

function listen(socket: Socket): Set<() => void> {
  const actions = new Set<() => void>();
  waiting.set(socket, actions);
  socket.once('close', () => {
    for (const action of [...actions]) action();
  });
  return actions;
}
