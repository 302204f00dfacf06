/**
 * What `promise` gives, if it does so in time; the promise itself goes on.
 *
 * @param seconds how long to wait
 * @param expired makes the error after that
 */
export async function within<Value>(
  seconds: number,
  promise: Promise<Value>,
  expired: () => Error,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(expired()), Math.max(0, seconds * 1000));
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
