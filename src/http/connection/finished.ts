/**
 * Calls back when a request is over: its answer has been sent, or its connection is gone.
 *
 * The response's own `close` event is not enough. It has fired already if a client leaves while its run goes on. It
 * never fires for a response that waits behind another on a connection that breaks (pipelining).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ServingError } from '../../errors.js';
import { Linked, List } from '../../flow/list.js';

/** Waits for the close of a connection. Thousands of pipelined requests may, so that each leaves the list at once. */
class Waiting extends Linked {
  constructor(readonly action: () => void) {
    super();
  }
}

/** There is one listener for each connection, however many requests wait on it. */
const waiting = new WeakMap<Socket, List<Waiting>>();

/** Calls `action` once: when the request is over, or now if it is over already. */
export function whenFinished(socket: Socket, res: ServerResponse, action: () => void): void {
  if (res.closed || socket.destroyed) {
    action();
    return;
  }
  const done = () => {
    cancel();
    res.off('close', done);
    action();
  };
  const cancel = whenSocketCloses(socket, done);
  res.on('close', done);
}

/** Calls `action` when the connection closes. @returns a function that cancels this */
export function whenSocketCloses(socket: Socket, action: () => void): () => void {
  const all = waiting.get(socket) ?? listen(socket);
  const member = new Waiting(action);
  all.add(member);
  return () => all.delete(member);
}

export function clientGone(): ServingError {
  return new ServingError('CANCELLED', 'the client closed the connection');
}

function listen(socket: Socket): List<Waiting> {
  const all = new List<Waiting>();
  waiting.set(socket, all);
  socket.once('close', () => {
    for (const { action } of [...all]) action();
  });
  return all;
}
