/**
 * Waits that end when the server is told to stop.
 */
import { shuttingDown } from '../../errors.js';

/** Who waits for a model to serve must not keep a server that has been told to stop. */
export async function unlessAborted<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(shuttingDown());
    signal.addEventListener('abort', stop);
  });
  if (signal.aborted) stop();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
