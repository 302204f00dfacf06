/**
 * Requests that steer the server: small, JSON or CBOR.
 */
import type { RouterContext } from '@koa/router';
import { Decoder } from 'cbor-x/index-no-eval';
import { invalidArgument, ServingError } from '../../errors.js';
import { hasBody, readBody } from '../../http/body/body.js';
import { readJsonBody } from '../../http/body/json-body.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { Services } from '../../http/services.js';
import { parseJsonText } from '../../json-text.js';
import { CborReader } from '../../tensors/cbor-reader.js';

/** More than anybody needs to name a model or a path; few enough that cbor-x cannot be kept busy by a huge bignum. */
const maxBytes = 16 * 1024;

/** What it comes in. */
export const controlTypes = ['application/json', 'application/cbor'] as const;

/** What is wrong with such a request by itself. */
export const controlErrors = [
  'INVALID_ARGUMENT',
  'UNSUPPORTED_MEDIA_TYPE',
  'PAYLOAD_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'UNAVAILABLE',
] as const;

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/**
 * A body is JSON or CBOR; no body at all is `{}`. Types that a web page can send without asking are refused, but for JSON that no
 * browser sent.
 *
 * @param example a body in JSON, for who sends something else
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
 * JSON as `curl -d` sends it. A page of any origin may send this type without being asked for, and every browser says where a
 * request is from: whatever says so is refused, the pages of this machine too.
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
