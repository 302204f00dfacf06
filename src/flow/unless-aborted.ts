/**
 * Waits that end when nobody wants what is waited for.
 */

/**
 * @param signal aborted with an error
 * @throws (rejects) what `promise` rejects with, or the signal's reason. What comes after that is ignored
 */
export async function unlessAborted<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  if (signal.aborted) stop();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
