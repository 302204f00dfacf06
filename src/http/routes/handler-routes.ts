/**
 * Endpoints of handlers: below `/models/{name}`, where the server has none of its own.
 */
import { Readable } from 'node:stream';
import type { Context, Middleware } from 'koa';
import { koaBody } from 'koa-body';
import { ServingError, shuttingDown } from '../../errors.js';
import { nextTurn } from '../../flow/turns.js';
import { HandledModel } from '../../handlers/handled-model.js';
import type { Servable } from '../../serving/servable.js';
import { type Body, hasBody, readBody } from '../body/body.js';
import { mediaTypeOf } from '../body/media-type.js';
import type { Services } from '../services.js';

interface Found {
  readonly servable: Servable;
  readonly handled: HandledModel;
  /** What follows the model's name. */
  readonly path: string;
  readonly methods: readonly string[];
}

/** The handler that has a route of this path, whatever its method. */
export function findHandlerRoute({ manager }: Services, path: string): Found | undefined {
  const [, encoded = '', rest = ''] = /^\/models\/([^/]+)(\/.+)$/.exec(path) ?? [];
  const servable = manager.table.models.get(decode(encoded))?.serving;
  if (!servable || !(servable.model instanceof HandledModel)) return undefined;
  const handled = servable.model;
  const layers = handled.router?.match(rest, '').path ?? [];
  if (layers.length === 0) return undefined;
  return { servable, handled, path: rest, methods: [...new Set(layers.flatMap(({ methods }) => methods))] };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** Runs the handler's own route, with every limit on bodies that predictions have. The version stays until it has answered. */
export function handlerRoutes(services: Services): Middleware {
  return async (ctx, next) => {
    const found = findHandlerRoute(services, pathOf(ctx));
    if (!found) return next();
    if (services.draining.aborted) throw shuttingDown();
    const { servable, handled, path } = found;
    servable.acquire();
    let body: Body | undefined;
    try {
      if (hasBody(ctx.req)) {
        body = await readBody(ctx.req, ctx.res, services.bodyLimits);
        await parseInto(ctx, body);
      }
      ctx['newRouterPath'] = path;
      await handled.answerRoute(async () => handled.router?.routes()(ctx as never, async () => {}));
    } finally {
      servable.release();
      body?.release();
    }
  };
}

/** Bytes of a body that is parsed, and values in it: parsing takes the event loop at once. */
const maxParsedBytes = 2 ** 20;
const maxParsedValues = 2 ** 16;

const parse = koaBody({
  jsonLimit: maxParsedBytes,
  formLimit: maxParsedBytes,
  textLimit: maxParsedBytes,
  multipart: false,
});

/** What koa-body parses. */
const parsedTypes = ['json', 'application/*+json', 'urlencoded', 'text/*'];

/**
 * Sets `ctx.request.body`: JSON, a form or a text as its value, anything else as a Buffer.
 *
 * @throws ServingError PAYLOAD_TOO_LARGE for more than is parsed at once; whatever koa-body throws, with its status
 */
async function parseInto(ctx: Context, { bytes, claim }: Body): Promise<void> {
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
  // The body under the context's own head, in place of the connection that it came by, and as it is now: not compressed.
  const { 'content-encoding': _, 'content-length': __, ...headers } = ctx.req.headers;
  const req = Object.assign(Readable.from([Buffer.from(bytes)], { objectMode: false }), { headers });
  await parse(Object.create(ctx, { req: { value: req } }), async () => {});
}

/** Bytes that are copied in one turn of the event loop. */
const copiedAtOnce = 2 ** 22;

/** In memory of its own: a handler may keep it, and the body's goes to the next one. */
async function copyOf(bytes: Uint8Array): Promise<Buffer> {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  for (let start = 0; start < bytes.length; start += copiedAtOnce) {
    if (start > 0) await nextTurn();
    copy.set(bytes.subarray(start, start + copiedAtOnce), start);
  }
  return copy;
}

/** Before each value of JSON stands one of `[{,`, and between two of a form an `&`. */
function hasTooManyValues(bytes: Uint8Array): boolean {
  let values = 0;
  for (const byte of bytes) if (byte === 0x5b || byte === 0x7b || byte === 0x2c || byte === 0x26) values += 1;
  return values > maxParsedValues;
}

/** As the router chooses: an application that mounts this one may have named another path for routers. */
export function pathOf(ctx: Context): string {
  return ctx['newRouterPath'] || ctx.path;
}
