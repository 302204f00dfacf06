/**
 * Handles requests that a client sends before it has the answers to earlier ones (RFC 9112, section 9.3.2).
 *
 * Node reads all requests in a packet in one go. Hundreds of them would keep the event loop from everybody else, and a
 * client that goes on sending would fill the memory, so their number is bounded.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Linked, List } from '../../flow/list.js';

/** A connection on which a client sent requests ahead. */
interface Ahead {
  /** The response to the newest of them. */
  newest: ServerResponse;
  /** The number of those that wait for their turn. */
  waiting: number;
}

/** The most requests that one connection may send ahead. It is ended at the next one. */
const mostAhead = 1000;

/** Once so many wait on all connections together, one that has sent more than a few ahead is ended as well. */
const mostInAll = 20_000;
const aFew = 64;

/** A request that waits for its turn. Once it is taken, nothing here keeps it alive. */
class Turn extends Linked {
  constructor(
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
  ) {
    super();
  }
}

const ahead = new WeakMap<Socket, Ahead>();

/** True if the client has sent nothing by this connection after the request that this answer is for. */
export function isLastOn(socket: Socket, res: ServerResponse): boolean {
  const last = ahead.get(socket)?.newest;
  return last === undefined || last === res || last.writableFinished;
}

/**
 * Wraps a listener. A request behind an unanswered one of its connection gets a turn of the event loop of its own. All
 * others are taken at once.
 */
export function oneATurn(listener: RequestListener): RequestListener {
  const waiting = new List<Turn>();

  function takeNext(): void {
    for (const turn of waiting) {
      waiting.delete(turn);
      const { req, res } = turn;
      // A client that has left needs no turn.
      if (req.socket.destroyed) continue;
      if (waiting.size > 0) setImmediate(takeNext);
      const found = ahead.get(req.socket);
      if (found) found.waiting -= 1;
      listener(req, res);
      return;
    }
  }

  return (req, res) => {
    // A response gets its connection when those before it have been sent.
    if (res.socket !== null) {
      listener(req, res);
      return;
    }
    const { socket } = req;
    // The rest of a packet comes although its connection has been ended.
    if (socket.destroyed) return;
    const found = ahead.get(socket) ?? { newest: res, waiting: 0 };
    ahead.set(socket, found);
    found.newest = res;
    found.waiting += 1;
    if (found.waiting > mostAhead || (found.waiting > aFew && waiting.size > mostInAll)) {
      // To read no more for a while would be kinder, but Node reads on at the next answer that leaves.
      socket.destroy();
      return;
    }
    waiting.add(new Turn(req, res));
    if (waiting.size === 1) setImmediate(takeNext);
  };
}
