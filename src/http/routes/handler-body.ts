/** Parses the bodies that come to the endpoints of handlers, as koa-body does, within limits. */
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { koaBody } from 'koa-body';
import { ServingError } from '../../errors.js';
import { nextTurn } from '../../flow/turns.js';
import type { Body } from '../body/body.js';
import { mediaTypeOf } from '../body/media-type.js';

/** The bytes of a body that is parsed, and the values in it. Parsing holds the event loop. */
const maxParsedBytes = 2 ** 20;
const maxParsedValues = 2 ** 16;

const parse = koaBody({
  jsonLimit: maxParsedBytes,
  formLimit: maxParsedBytes,
  textLimit: maxParsedBytes,
  multipart: false,
});

/** The types that koa-body parses. */
const parsedTypes = ['json', 'application/*+json', 'urlencoded', 'text/*'];

/**
 * Sets `ctx.request.body`: the value of JSON, a form or a text, and a Buffer for anything else.
 *
 * @throws ServingError PAYLOAD_TOO_LARGE for more than is parsed at once; an error of koa-body with its status
 */
export async function parseInto(ctx: Context, { bytes, claim }: Body): Promise<void> {
  if (!ctx.is(parsedTypes)) {
    claim(bytes.length);
    Object.assign(ctx.request, { body: await copyOf(bytes) });
    return;
  }
  const isTooLarge = bytes.length > maxParsedBytes;
  if (isTooLarge || hasTooManyValues(bytes))
    throw new ServingError(
      'PAYLOAD_TOO_LARGE',
      `expected at most ${isTooLarge ? `${maxParsedBytes} bytes` : `${maxParsedValues} values`} of ${mediaTypeOf(ctx.req)} for a handler's route: send application/octet-stream`,
    );
  // The context gets the body in its present form, which is not compressed, in place of its connection.
  const { 'content-encoding': _, 'content-length': __, ...headers } = ctx.req.headers;
  const req = Object.assign(Readable.from([Buffer.from(bytes)], { objectMode: false }), { headers });
  await parse(Object.create(ctx, { req: { value: req } }), async () => {});
}

/** The bytes that are copied in one turn of the event loop. */
const copiedAtOnce = 2 ** 22;

/** Copies the body, because a handler may keep it, and its memory is used for the next one. */
async function copyOf(bytes: Uint8Array): Promise<Buffer> {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  for (let start = 0; start < bytes.length; start += copiedAtOnce) {
    if (start > 0) await nextTurn();
    copy.set(bytes.subarray(start, start + copiedAtOnce), start);
  }
  return copy;
}

/** Counts values by what stands before them: `[`, `{` or `,` in JSON, and `&` in a form. */
function hasTooManyValues(bytes: Uint8Array): boolean {
  let values = 0;
  for (const byte of bytes) if (byte === 0x5b || byte === 0x7b || byte === 0x2c || byte === 0x26) values += 1;
  return values > maxParsedValues;
}
