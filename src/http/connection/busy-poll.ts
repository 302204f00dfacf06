/**
 * Keeps the event loop from going to sleep between requests that follow closely on one another.
 *
 * A loop with nothing to do sleeps in the kernel. To wake it, and a processor that has gone to sleep as well, takes longer than
 * a small model's request: one caller of `mlp` at a time got 1.17 to 1.25 times the answers (docs/tuning.md). It costs a
 * core for as long as it lasts.
 */
import type { RequestListener } from 'node:http';
import { type Milliseconds, now } from '../../time.js';

/** A listener for requests, after each of which the loop stays awake for some time. */
export function stayingAwake(listener: RequestListener, time: Milliseconds): RequestListener {
  let until = 0;
  let isAwake = false;
  // While something waits for its turn, the loop looks at the sockets and does not wait for them.
  const stayAwake = () => {
    isAwake = now() < until;
    if (isAwake) setImmediate(stayAwake);
  };
  return (req, res) => {
    until = now() + time;
    if (!isAwake) setImmediate(stayAwake);
    isAwake = true;
    listener(req, res);
  };
}
