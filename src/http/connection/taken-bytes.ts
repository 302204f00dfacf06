/**
 * How much of what was sent by a connection its client has taken.
 */
import type { Socket } from 'node:net';

/** Bytes that the system holds for a connection, by its descriptor; undefined where it does not tell. */
export type Unacknowledged = (descriptor: number) => number | undefined;

/**
 * Bytes that have reached the client, or have at least left this process.
 *
 * `socket.bytesWritten` also counts bytes that still wait in Node, where a large answer waits in one piece. The handle counts
 * those that have left. Node looks at it too, to tell a slow client from one that does not read.
 */
export function takenFrom(socket: Socket, unacknowledged: Unacknowledged = () => undefined): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return socket.bytesWritten - socket.writableLength;
  const [written, waiting, descriptor] = ['bytesWritten', 'writeQueueSize', 'fd'].map((name) =>
    Number(Reflect.get(handle, name)),
  ) as [number, number, number];
  return written - waiting - (unacknowledged(descriptor) ?? 0);
}
