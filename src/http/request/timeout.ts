/** Reads how long a request may take. */
import { invalidArgument, quoted } from '../../errors.js';
import type { Seconds } from '../../time.js';

/** A positive decimal number, for example 1.5. An empty value means the same as no header. */
export const timeoutPattern = /^(0*[1-9][0-9]*(\.[0-9]+)?|0+\.0*[1-9][0-9]*)?$/;

/**
 * The seconds that a request may take.
 *
 * @param header is `X-Request-Timeout`, which can only lower the limit
 * @param limit is the server's own
 * @throws ServingError INVALID_ARGUMENT if it is no positive decimal number
 */
export function readTimeout(header: string | string[] | undefined, limit: Seconds): Seconds {
  if (header === undefined || header === '') return limit;
  const text = String(header);
  if (!timeoutPattern.test(text))
    throw invalidArgument(`X-Request-Timeout must be seconds, as 1.5, not ${quoted(text)}`);
  return Math.min(Number(text), limit);
}
