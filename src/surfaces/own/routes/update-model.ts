/**
 * `POST /update_model`: look for new versions, hold a model at a version, or serve another folder. The answer says what
 * became of it.
 */
import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import { update } from '../../../control/update.js';
import { invalidArgument, messageOf } from '../../../errors.js';
import { unlessAborted } from '../../../flow/unless-aborted.js';
import { describeFaults } from '../../../handwritten/schema-faults.js';
import { type Operation, valueAnswer } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import type { Services } from '../../../http/services.js';
import { sendValue } from '../answers.js';
import { controlTypes, readControlRequest } from '../control-request.js';
import { modelErrors, updateSchema } from '../openapi/answer-schemas.js';
import { atMostOneOf } from '../openapi/at-most-one.js';
import { describeModel } from './models.js';

const schema = atMostOneOf(
  z.strictObject({
    model: z.string().min(1).optional().describe('the default model if left out beside another key'),
    version: z
      .union([z.int().nonnegative(), z.literal('latest')])
      .optional()
      .describe('pins it; `latest` unpins'),
    label: z.string().min(1).optional().describe('pins the version that has this label now'),
    model_path: z.string().min(1).optional().describe('a folder within the allowed ones, to serve instead'),
    unload: z.literal(true).optional().describe('unloads the model until it is asked for again'),
    timeout: z.number().positive().max(3600).default(60).describe('seconds to wait until it serves'),
  }),
  ['version', 'label', 'model_path', 'unload'],
).meta({ id: 'UpdateRequest' });

const example = { model: 'policy', version: 2 };

const operation: Operation = {
  id: 'updateModel',
  tag: 'models',
  summary: 'Looks for new versions now; pins a version, or serves another folder',
  description:
    '`{}`, or no body, looks for what is new of every model. Answers when it serves, or says why it does not; what served ' +
    'before goes on serving.',
  body: {
    description: 'What to do',
    required: false,
    content: [{ mediaTypes: controlTypes, schema, example }],
  },
  answers: {
    200: valueAnswer('It serves', updateSchema),
    202: valueAnswer('It does not serve yet: `timeout` has passed', updateSchema),
  },
  errors: modelErrors,
};

export function updateModelRoutes(services: Services): Route[] {
  return [
    {
      method: 'POST',
      path: '/update_model',
      scope: 'admin',
      operation,
      handle: (ctx) => updateModel(ctx, services),
    },
  ];
}

async function updateModel(ctx: RouterContext, services: Services): Promise<void> {
  const value = await readControlRequest(ctx, services, example);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidArgument(describeFaults(parsed.error, value, schema));
  const { model_path: modelPath, ...request } = parsed.data;
  const updated = update(services.manager, { ...request, modelPath });
  const { done, models } = await unlessAborted(services.draining, updated).catch((error: unknown) => {
    services.logger.warn(`POST /update_model is refused: ${messageOf(error)}`);
    throw error;
  });
  ctx.status = done ? 200 : 202;
  sendValue(ctx, {
    status: done ? 'ok' : 'pending',
    models: models.map(describeModel),
  } satisfies z.output<typeof updateSchema>);
}
