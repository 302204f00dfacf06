/** The endpoints of handlers, below `/models/{name}`, at paths where the server has none of its own. */
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
  /** The part of the path after the name of the model. */
  readonly path: string;
  readonly methods: readonly string[];
}

/** The handler that has a route with this path, for any method. */
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

/**
 * Runs the handler's own route, with the same limits for bodies as predictions. The version stays until it has
 * answered.
 */
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

/** The path as the router sees it. An application that mounts this one may have set another path for routers. */
export function pathOf(ctx: Context): string {
  return ctx['newRouterPath'] || ctx.path;
}
