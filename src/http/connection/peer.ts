/**
 * Tells who sends a request. A request may have come to a worker, which passes it on to the main thread through a
 * connection within the process.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** The header in which a worker says who the client is. It counts on connections within the process alone. */
export const peerHeader = 'x-tfjs-serving-peer';

const passing = new WeakSet<Socket>();

/** Trusts a connection to say who the client is. */
export function trustPeers(socket: Socket): void {
  passing.add(socket);
}

/** The address of the client; undefined if its connection is gone. */
export function peerOf({ socket, headers }: IncomingMessage): string | undefined {
  if (passing.has(socket)) return headers[peerHeader] as string | undefined;
  return socket.remoteAddress;
}
