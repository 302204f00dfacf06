/**
 * Cuts off clients that stop reading, since they keep tensors alive. Like clients that stop sending, they have
 * `--idle-timeout`.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { inMilliseconds, type Seconds } from '../../time.js';
import { takenFrom, type Unacknowledged } from './taken-bytes.js';

/**
 * The stalls of a server's answers.
 *
 * Two pipelined requests share the timer of the connection: the first may set it, and it may fire during the second.
 * Without a listener, Node would cut the connection off by itself. So each answer listens from its beginning.
 */
export class Stalls {
  private readonly taken = new WeakMap<Socket, number>();
  private readonly timedOut: (this: ServerResponse, socket: Socket) => void;

  constructor(
    private readonly timeout: Seconds,
    private readonly unacknowledged: Unacknowledged | undefined,
  ) {
    const goesOn = this.goesOn.bind(this);
    this.timedOut = function cutOff(socket) {
      if (this.headersSent && !goesOn(socket)) socket.destroy();
    };
  }

  /** Listens from the beginning of each answer. */
  listen(res: ServerResponse): void {
    res.on('timeout', this.timedOut);
  }

  /** Starts the timer once the answer is on its way. */
  startTimer(res: ServerResponse): void {
    const { socket } = res.req;
    this.taken.set(socket, takenFrom(socket, this.unacknowledged));
    res.setTimeout(inMilliseconds(this.timeout));
  }

  /**
   * True if the client has taken something since the last check. The system fills its buffers in leaps, and only these
   * restart Node's timer. Between two of them, a slow client may take megabytes.
   */
  private goesOn(socket: Socket): boolean {
    const before = this.taken.get(socket);
    const now = takenFrom(socket, this.unacknowledged);
    if (before === undefined || now <= before) return false;
    this.taken.set(socket, now);
    socket.setTimeout(inMilliseconds(this.timeout));
    return true;
  }
}
