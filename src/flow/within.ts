import { inMilliseconds, type Seconds } from '../time.js';

/**
 * Resolves with the value of `promise` if it comes in time. The promise itself goes on.
 *
 * @param seconds to wait
 * @param expired makes the error for a value that does not come in time
 */
export async function within<Value>(
  seconds: Seconds,
  promise: Promise<Value>,
  expired: () => Error,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(expired()), Math.max(0, inMilliseconds(seconds)));
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
