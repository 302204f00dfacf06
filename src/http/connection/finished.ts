/**
 * Calls back when a request is over: its answer has been sent, or its connection is gone.
 *
 * The response's own `close` event is not enough. It has fired already if a client leaves while its run goes on. It
 * never fires for a response that waits behind another on a connection that breaks (pipelining).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ServingError } from '../../errors.js';

/** Waits for the close of a connection. */
interface Waiting {
  readonly action: () => void;
  /** Its place among those of the connection. */
  place: number;
}

/**
 * There is one listener for each connection, however many requests wait on it. There may be thousands (pipelining), so
 * that each leaves at once. A `List` would do, but then its methods see so many kinds of members that V8 no longer
 * optimises them, and a small model's request takes a tenth more time.
 */
const waiting = new WeakMap<Socket, Waiting[]>();

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
  const member: Waiting = { action, place: all.length };
  all.push(member);
  return () => remove(member, all);
}

/** Removes a member, unless it has left already. The last one takes its place. */
function remove(member: Waiting, all: Waiting[]): void {
  if (all[member.place] !== member) return;
  const last = all.pop() as Waiting;
  if (last === member) return;
  last.place = member.place;
  all[last.place] = last;
}

export function clientGone(): ServingError {
  return new ServingError('CANCELLED', 'the client closed the connection');
}

function listen(socket: Socket): Waiting[] {
  const all: Waiting[] = [];
  waiting.set(socket, all);
  socket.once('close', () => {
    for (const { action } of [...all]) action();
  });
  return all;
}
