/**
 * `POST /update_model`: look at the folder now, hold a model at a version, serve another folder; and say what became of
 * it.
 */
import type { RouterContext } from '@koa/router';
import { Decoder } from 'cbor-x';
import { koaBody } from 'koa-body';
import { z } from 'zod';
import { CborReader } from '../../codec/cbor-reader.js';
import { invalidArgument, ServingError } from '../../errors.js';
import { update } from '../../serving/update.js';
import { continueIfExpected, hasBody, readBody } from '../body.js';
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
  const { done, models } = await update(services.manager, { ...request, modelPath }, services.allowedRoots);
  ctx.status = done ? 200 : 202;
  sendValue(ctx, { status: done ? 'ok' : 'pending', models: models.map(describeModel) });
}

/** A body is JSON or CBOR; no body at all is `{}`. Types that a web page can send without asking are refused. */
async function readRequest(ctx: RouterContext, services: Services): Promise<unknown> {
  const { type } = ctx.request;
  if (!hasBody(ctx.req) && ['', 'application/json', 'application/cbor'].includes(type)) return {};
  switch (type) {
    case 'application/json':
      continueIfExpected(ctx.req, ctx.res);
      await parseJson(ctx, async () => {});
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
