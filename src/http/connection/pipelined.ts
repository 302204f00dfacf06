/**
 * Handles requests that a client sends before it has the answers to earlier ones (RFC 9112, section 9.3.2).
 *
 * Node reads all requests in a packet in one go. Hundreds of them would keep the event loop from everybody else.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The response to the newest pipelined request of each connection. */
const newest = new WeakMap<Socket, ServerResponse>();

/** True if the client has sent nothing by this connection after the request that this answer is for. */
export function isLastOn(socket: Socket, res: ServerResponse): boolean {
  const last = newest.get(socket);
  return last === undefined || last === res || last.writableFinished;
}

/**
 * Wraps a listener. A request behind an unanswered one of its connection gets a turn of the event loop of its own. All
 * others are taken at once.
 */
export function oneATurn(listener: RequestListener): RequestListener {
  const waiting: [req: IncomingMessage, res: ServerResponse][] = [];
  let next = 0;

  function takeNext(): void {
    const [req, res] = waiting[next++] as [IncomingMessage, ServerResponse];
    if (next < waiting.length) {
      setImmediate(takeNext);
    } else {
      waiting.length = 0;
      next = 0;
    }
    if (!req.socket.destroyed) listener(req, res);
  }

  return (req, res) => {
    // A response gets its connection when those before it have been sent.
    if (res.socket !== null) {
      listener(req, res);
      return;
    }
    newest.set(req.socket, res);
    waiting.push([req, res]);
    if (waiting.length === 1) setImmediate(takeNext);
  };
}
