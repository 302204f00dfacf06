/**
 * The body of a small request in JSON, such as one that steers the server.
 */
import type { Context } from 'koa';
import { parseJsonText } from '../../json-text.js';
import { type BodyLimits, readBody } from './body.js';

/**
 * The value of the body; `{}` for one without text.
 *
 * @throws ServingError (rejects) INVALID_ARGUMENT if it is no JSON or cannot be unpacked, PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT,
 * UNAVAILABLE
 */
export async function readJsonBody(ctx: Context, limits: BodyLimits): Promise<unknown> {
  const body = await readBody(ctx.req, ctx.res, limits);
  try {
    const text = Buffer.from(body.bytes).toString();
    return text.trim() === '' ? {} : parseJsonText(text);
  } finally {
    body.release();
  }
}
