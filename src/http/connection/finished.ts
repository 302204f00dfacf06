/**
 * Calls back when a request is over: its answer has been sent, or its connection is gone.
 *
 * The response's own `close` event is not enough. It has fired already if a client leaves while its run goes on. It
 * never fires for a response that waits behind another on a connection that breaks (pipelining).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ServingError } from '../../errors.js';

/** There is one listener for each connection, however many requests wait on it. */
const waiting = new WeakMap<Socket, (() => void)[]>();

/** Calls `action` once: when the request is over, or now if it is over already. */
export function whenFinished(socket: Socket, res: ServerResponse, action: () => void): void {
  if (res.closed || socket.destroyed) {
    action();
    return;
  }
  const actions = waiting.get(socket) ?? listen(socket);
  const done = () => {
    remove(actions, done);
    res.off('close', done);
    action();
  };
  actions.push(done);
  res.on('close', done);
}

/** Calls `action` when the connection closes. @returns a function that cancels this */
export function whenSocketCloses(socket: Socket, action: () => void): () => void {
  const actions = waiting.get(socket) ?? listen(socket);
  actions.push(action);
  return () => remove(actions, action);
}

export function clientGone(): ServingError {
  return new ServingError('CANCELLED', 'the client closed the connection');
}

function remove(actions: (() => void)[], action: () => void): void {
  const place = actions.lastIndexOf(action);
  if (place >= 0) actions.splice(place, 1);
}

function listen(socket: Socket): (() => void)[] {
  const actions: (() => void)[] = [];
  waiting.set(socket, actions);
  socket.once('close', () => {
    for (const action of [...actions]) action();
  });
  return actions;
}
