/**
 * `POST /update_model`: look at the folder now, hold a model at a version, serve another folder; and say what became of
 * it.
 */
import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import { invalidArgument, shuttingDown } from '../../errors.js';
import { update } from '../../serving/update.js';
import { readControlRequest } from '../control-request.js';
import { sendValue } from '../respond.js';
import type { Route } from '../route.js';
import type { Services } from '../services.js';
import { describeModel } from './models.js';

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

const example = '{"model": "policy", "version": 2}';

export function updateModelRoutes(services: Services): Route[] {
  return [
    { method: 'POST', path: '/update_model', scope: 'admin', handle: (ctx) => updateModel(ctx, services) },
  ];
}

async function updateModel(ctx: RouterContext, services: Services): Promise<void> {
  const parsed = schema.safeParse(await readControlRequest(ctx, services, example));
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
