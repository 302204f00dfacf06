/**
 * How long a request may take.
 */
import { invalidArgument, quoted } from '../errors.js';

/**
 * Seconds that a request may take.
 *
 * @param header `X-Request-Timeout`, which may only lower the limit
 * @param limit the server's own
 * @throws ServingError INVALID_ARGUMENT if it is no positive decimal number
 */
export function readTimeout(header: string | string[] | undefined, limit: number): number {
  if (header === undefined || header === '') return limit;
  const text = String(header);
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds <= 0) throw invalidArgument(`X-Request-Timeout must be seconds, as 1.5, not ${quoted(text)}`);
  return Math.min(seconds, limit);
}
