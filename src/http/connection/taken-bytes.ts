/** Finds how much of what a connection sent its client has taken. */
import type { Socket } from 'node:net';

/** The bytes that the system holds for a connection, by its descriptor; undefined if the system does not tell. */
export type Unacknowledged = (descriptor: number) => number | undefined;

/**
 * The bytes that have reached the client, or have at least left this process.
 *
 * `socket.bytesWritten` also counts bytes that still wait in Node, where a large answer waits in one piece. The handle
 * counts only those that have left. Node uses it as well, to tell a slow client from one that does not read.
 */
export function takenFrom(socket: Socket, unacknowledged: Unacknowledged = () => undefined): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return socket.bytesWritten - socket.writableLength;
  const [written, waiting, descriptor] = ['bytesWritten', 'writeQueueSize', 'fd'].map((name) =>
    Number(Reflect.get(handle, name)),
  ) as [number, number, number];
  return written - waiting - (unacknowledged(descriptor) ?? 0);
}
