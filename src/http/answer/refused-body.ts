/** What happens to the body of a request that is refused while the body is still coming. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServingError } from '../../errors.js';
import type { Milliseconds } from '../../time.js';
import { expectsContinue, hasBody } from '../body/body.js';

/** The bytes of a refused body that are still read, so that the client gets to read the answer. */
const drainBytes = 1024 * 1024;
const drainTime: Milliseconds = 2000;

/**
 * True if more of the body is still coming than Node should read and drop. A short rest is read, so that the connection
 * stays usable.
 */
export function mustRefuseBody(req: IncomingMessage, { code }: ServingError): boolean {
  if (req.complete || !hasBody(req)) return false;
  const length = Number(req.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return code === 'REQUEST_TIMEOUT' || length > drainBytes || expectsContinue(req);
}

/**
 * Resolves when the client has had time to read an answer while it may still be sending. Closing at once would reset
 * the connection before it has read. Reading on for ever would let it send the refused body.
 */
export function drained(req: IncomingMessage, res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, drainTime);
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > drainBytes) resolve();
    });
    for (const event of ['end', 'close', 'error']) req.on(event, () => resolve());
    req.resume();
    res.on('close', () => clearTimeout(timer));
  });
}
