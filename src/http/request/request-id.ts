/** The id by which a request is found in logs: the caller's own, or a new one. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A caller's own id. Any other text is replaced. */
export const requestIdPattern = /^[!-~]{1,128}$/;

export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  if (typeof given === 'string' && requestIdPattern.test(given)) return given;
  const made = randomUUID();
  // The answer and the log ask later, and must get the same id.
  headers['x-request-id'] = made;
  return made;
}
