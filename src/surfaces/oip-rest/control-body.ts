/** Reads small JSON bodies of requests that control the server. */
import type { RouterContext } from '@koa/router';
import type { z } from 'zod';
import { invalidArgument, ServingError } from '../../errors.js';
import { describeFaults } from '../../handwritten/schema-faults.js';
import { hasBody } from '../../http/body/body.js';
import { readJsonBody } from '../../http/body/json-body.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { Services } from '../../http/services.js';

/** The most bytes. A request has a name and some parameters, and no models. */
const maxBytes = 16 * 1024;

/** The types that clients other than web pages send: tritonclient sends none, and curl the last. */
const plainTypes: ReadonlySet<string> = new Set([
  '',
  'application/octet-stream',
  'application/x-www-form-urlencoded',
]);

/**
 * Reads a body. No body means `{}`.
 *
 * @throws ServingError INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT
 */
export async function readControlBody<Schema extends z.ZodType>(
  ctx: RouterContext,
  { bodyLimits }: Services,
  schema: Schema,
): Promise<z.output<Schema>> {
  const type = mediaTypeOf(ctx.req);
  // A page may send the plain types without asking first, but its browser adds these headers.
  const isPlain = plainTypes.has(type) && ctx.get('origin') === '' && ctx.get('sec-fetch-site') === '';
  if (!isPlain && type !== 'application/json')
    throw new ServingError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${ctx.path} takes JSON: send it as content-type: application/json`,
    );
  const value = hasBody(ctx.req) ? await readJsonBody(ctx, { ...bodyLimits, maxBytes, isFixed: true }) : {};
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidArgument(describeFaults(parsed.error, value, schema));
  return parsed.data;
}
