/**
 * Tells by which connection a client sent a request. It may have come to a worker, which passes it on to the main thread
 * through a connection within the process.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** The header in which a worker says that. It counts on connections within the process alone. */
export const connectionHeader = 'x-tfjs-serving-connection';

/** The two ends of a client's connection. */
export interface Connection {
  /** The address of the client; undefined if the connection is gone. */
  readonly remoteAddress: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly scheme: 'http' | 'https';
}

const passing = new WeakSet<Socket>();

/** Trusts a connection to say by which connections its requests came. */
export function trustConnection(socket: Socket): void {
  passing.add(socket);
}

export function connectionOf({ socket, headers }: IncomingMessage): Connection {
  if (passing.has(socket)) return JSON.parse(String(headers[connectionHeader]));
  const { remoteAddress, localAddress, localPort } = socket;
  return { remoteAddress, localAddress, localPort, scheme: 'encrypted' in socket ? 'https' : 'http' };
}

/** The address of the client; undefined if its connection is gone. */
export function peerOf(req: IncomingMessage): string | undefined {
  return passing.has(req.socket) ? connectionOf(req).remoteAddress : req.socket.remoteAddress;
}
