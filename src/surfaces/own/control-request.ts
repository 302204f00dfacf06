/** Reads requests that control the server. They are small, in JSON or CBOR. */
import type { RouterContext } from '@koa/router';
import { Decoder } from 'cbor-x/index-no-eval';
import { invalidArgument, ServingError } from '../../errors.js';
import { parseJsonText } from '../../handwritten/json-text.js';
import { hasBody, readBody } from '../../http/body/body.js';
import { readJsonBody } from '../../http/body/json-body.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { Services } from '../../http/services.js';
import { CborReader } from '../../tensors/cbor-reader.js';

/** The most bytes. A name or a path needs fewer, and cbor-x takes long to read a larger bignum. */
const maxBytes = 16 * 1024;

/** The types of the body. */
export const controlTypes = ['application/json', 'application/cbor'] as const;

/** The errors of such a request itself. */
export const controlErrors = [
  'INVALID_ARGUMENT',
  'UNSUPPORTED_MEDIA_TYPE',
  'PAYLOAD_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'UNAVAILABLE',
] as const;

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/**
 * Reads a body in JSON or CBOR. No body means `{}`. Types that a web page can send without asking first are refused,
 * except JSON that no browser sent.
 *
 * @param example is a body in JSON, for the error about another type
 * @throws ServingError INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT
 */
export async function readControlRequest(
  ctx: RouterContext,
  services: Services,
  example: object,
): Promise<unknown> {
  const type = mediaTypeOf(ctx.req);
  const { bodyLimits } = services;
  if (!hasBody(ctx.req) && ['', ...controlTypes].includes(type)) return {};
  switch (type) {
    case 'application/json':
      return readJsonBody(ctx, { ...bodyLimits, maxBytes, isFixed: true });
    case 'application/x-www-form-urlencoded':
      return readCurl(ctx, services, example);
    case 'application/cbor':
      return readCbor(ctx, services);
    default:
      throw unsupported(ctx, example);
  }
}

function unsupported(ctx: RouterContext, example: object): ServingError {
  return new ServingError(
    'UNSUPPORTED_MEDIA_TYPE',
    `${ctx.path} takes JSON or CBOR: curl -H 'content-type: application/json' -d '${JSON.stringify(example)}'`,
  );
}

/**
 * Reads JSON as `curl -d` sends it. A page of any origin may send this type without asking first. Every browser adds a
 * header with the origin, so a request with that header is refused, even from a page of this machine.
 */
async function readCurl(ctx: RouterContext, { bodyLimits }: Services, example: object): Promise<unknown> {
  if (ctx.get('origin') !== '' || ctx.get('sec-fetch-site') !== '') throw unsupported(ctx, example);
  const body = await readBody(ctx.req, ctx.res, { ...bodyLimits, maxBytes, isFixed: true });
  try {
    const text = Buffer.from(body.bytes).toString();
    if (!text.trimStart().startsWith('{')) throw unsupported(ctx, example);
    return parseJsonText(text);
  } finally {
    body.release();
  }
}

async function readCbor(ctx: RouterContext, { bodyLimits, wireLimits }: Services): Promise<unknown> {
  const body = await readBody(ctx.req, ctx.res, { ...bodyLimits, maxBytes, isFixed: true });
  try {
    const reader = new CborReader(body.bytes);
    reader.skip(wireLimits.maxDepth);
    if (reader.position < body.bytes.length) throw invalidArgument('bytes follow the end of the CBOR body');
    return decoder.decode(body.bytes);
  } finally {
    body.release();
  }
}
