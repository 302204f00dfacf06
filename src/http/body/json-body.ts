/** Reads the JSON body of a small request, for example one that controls the server. */
import type { Context } from 'koa';
import { parseJsonText } from '../../handwritten/json-text.js';
import { type BodyLimits, readBody } from './body.js';

/**
 * The value of the body; `{}` for an empty one.
 *
 * @throws ServingError (rejects) INVALID_ARGUMENT if it is no JSON or cannot be unpacked, PAYLOAD_TOO_LARGE,
 * REQUEST_TIMEOUT, UNAVAILABLE
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
