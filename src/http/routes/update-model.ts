/**
 * `POST /update_model`: look at the folder now, hold a model at a version, serve another folder; and say what became of
 * it.
 */
import type { RouterContext } from '@koa/router';
import { Decoder } from 'cbor-x';
import { koaBody } from 'koa-body';
import { z } from 'zod';
import { CborReader } from '../../codec/cbor-reader.js';
import { invalidArgument, ServingError, shuttingDown } from '../../errors.js';
import { update } from '../../serving/update.js';
import { within } from '../../serving/within.js';
import { continueIfExpected, hasBody, readBody, tooSlow } from '../body.js';
import { sendValue } from '../respond.js';
import type { Route } from '../route.js';
import type { Services } from '../services.js';
import { describeModel } from './models.js';

/** More than anybody needs to name a model or a path; few enough that cbor-x cannot be kept busy by a huge bignum. */
const maxBytes = 16 * 1024;

const schema = z
  .strictObject({
    model: z.string().min(1).optional(),
    /** Pins it; `latest` unpins. */
    version: z.union([z.int().positive(), z.literal('latest')]).optional(),
    /** Pins the version that has this label now. */
    label: z.string().min(1).optional(),
    /** A folder within the allowed ones, to serve instead. */
    model_path: z.string().min(1).optional(),
    /** Lets go of a model that serves although its folder is gone. */
    unload: z.literal(true).optional(),
    /** Seconds to wait until it serves. */
    timeout: z.number().positive().max(3600).default(60),
  })
  .refine(
    ({ version, label, model_path, unload }) =>
      [version, label, model_path, unload].filter((each) => each !== undefined).length <= 1,
    { message: 'give one of version, label, model_path and unload' },
  );

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
const parseJson = koaBody({
  json: true,
  jsonLimit: maxBytes,
  urlencoded: false,
  text: false,
  multipart: false,
});

export function updateModelRoutes(services: Services): Route[] {
  return [
    { method: 'POST', path: '/update_model', scope: 'admin', handle: (ctx) => updateModel(ctx, services) },
  ];
}

async function updateModel(ctx: RouterContext, services: Services): Promise<void> {
  const parsed = schema.safeParse(await readRequest(ctx, services));
  if (!parsed.success) throw invalidArgument(z.prettifyError(parsed.error));
  const { model_path: modelPath, ...request } = parsed.data;
  const updated = update(services.manager, { ...request, modelPath }, services.allowedRoots);
  const { done, models } = await unlessAborted(services.draining, updated);
  ctx.status = done ? 200 : 202;
  sendValue(ctx, { status: done ? 'ok' : 'pending', models: models.map(describeModel) });
}

/** Who waits for a model to serve must not keep a server that has been told to stop. */
async function unlessAborted<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(shuttingDown());
    signal.addEventListener('abort', stop);
  });
  if (signal.aborted) stop();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A body is JSON or CBOR; no body at all is `{}`. Types that a web page can send without asking are refused. */
async function readRequest(ctx: RouterContext, services: Services): Promise<unknown> {
  const { type } = ctx.request;
  const { bodyLimits } = services;
  if (!hasBody(ctx.req) && ['', 'application/json', 'application/cbor'].includes(type)) return {};
  switch (type) {
    case 'application/json':
      continueIfExpected(ctx.req, ctx.res);
      await within(
        bodyLimits.timeout,
        parseJson(ctx, async () => {}),
        () => tooSlow(bodyLimits.timeout),
      );
      return ctx.request.body;
    case 'application/cbor':
      return readCbor(ctx, services);
    default:
      throw new ServingError(
        'UNSUPPORTED_MEDIA_TYPE',
        `/update_model takes JSON or CBOR: curl -H 'content-type: application/json' -d '{"model": "policy", "version": 2}'`,
      );
  }
}

async function readCbor(ctx: RouterContext, { bodyLimits, wireLimits }: Services): Promise<unknown> {
  const body = await readBody(ctx.req, ctx.res, { ...bodyLimits, maxBytes });
  try {
    const reader = new CborReader(body.bytes);
    reader.skip(wireLimits.maxDepth);
    if (reader.position < body.bytes.length) throw invalidArgument('bytes follow the end of the CBOR body');
    return decoder.decode(body.bytes);
  } finally {
    body.release();
  }
}
