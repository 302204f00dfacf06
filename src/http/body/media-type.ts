/**
 * The media type of a body, without parameters and in small letters, in which types are compared (RFC 9110, section
 * 8.3.1).
 */
import type { IncomingMessage } from 'node:http';

/** `Application/JSON ; charset=utf-8` becomes `application/json`. It is empty if the head has none. */
export function mediaTypeOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  return type.trim().toLowerCase();
}
