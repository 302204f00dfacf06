/**
 * The id by which a request is found in logs: the caller's own, or a new one.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A caller's own id; what is none is replaced. */
export const requestIdPattern = /^[!-~]{1,128}$/;

export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  if (typeof given === 'string' && requestIdPattern.test(given)) return given;
  const made = randomUUID();
  // Whoever asks next, for the answer or for the log, gets the same.
  headers['x-request-id'] = made;
  return made;
}
