/**
 * Keeps the event loop awake between requests that follow each other closely.
 *
 * An event loop with nothing to do sleeps in the kernel. Waking it, and perhaps a processor that sleeps as well, takes
 * longer than a small model's request. Staying awake gave one caller of `mlp` 1.17 to 1.25 times the answers
 * (docs/tuning.md). It costs a core as long as it lasts.
 */
import type { RequestListener } from 'node:http';
import { type Milliseconds, now } from '../../time.js';

/** Wraps a listener, so that the event loop stays awake for some time after each request. */
export function stayingAwake(listener: RequestListener, time: Milliseconds): RequestListener {
  let until = 0;
  let isAwake = false;
  // While an immediate callback is pending, the event loop checks the sockets and does not wait for them.
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
