/**
 * `POST /debug/profile`: what the event loop and TensorFlow do for some seconds, as files that Chrome's DevTools and
 * Perfetto open.
 */
import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import { invalidArgument, shuttingDown } from '../../../errors.js';
import { describeFaults } from '../../../handwritten/schema-faults.js';
import { hasBody } from '../../../http/body/body.js';
import { clientGone, whenFinished } from '../../../http/connection/finished.js';
import type { Operation } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import type { Services } from '../../../http/services.js';
import { type Profile, Profiler } from '../../../profiling/profiler.js';
import { controlErrors, controlTypes, readControlRequest } from '../control-request.js';
import { profileSchema } from '../openapi/answer-schemas.js';

const schema = z
  .strictObject({
    // Everything in the query is text.
    seconds: z
      .preprocess((value) => (typeof value === 'string' ? Number(value) : value), z.number().min(1).max(60))
      .describe('for how long'),
    kind: z
      .enum(['cpu', 'tensorflow'])
      .optional()
      .describe('one file, as it is; by default an object with both'),
  })
  .meta({ id: 'ProfileRequest' });

const example = { seconds: 5 };

const operation: Operation = {
  id: 'takeProfile',
  tag: 'diagnosis',
  summary: 'What the event loop and TensorFlow do for some seconds',
  description:
    'Say for how long in the query or in the body, not in both. The answer comes when the time is over, always in JSON; one ' +
    'profile is taken at a time.',
  parameters: (['seconds', 'kind'] as const).map((name) => ({
    name,
    in: 'query',
    description: schema.shape[name].description ?? '',
    schema: schema.shape[name],
  })),
  body: {
    description: 'In place of the query',
    required: false,
    content: [{ mediaTypes: controlTypes, schema, example }],
  },
  answers: {
    200: {
      description: 'The profile',
      content: [{ mediaTypes: ['application/json'], schema: profileSchema }],
      headers: ['Content-Disposition'],
    },
  },
  errors: [...controlErrors, 'ABORTED', 'UNIMPLEMENTED'],
};

export function profileRoutes(services: Services): Route[] {
  const profiler = new Profiler(services.runtime, () => services.manager.table);
  return [
    {
      method: 'POST',
      path: '/debug/profile',
      scope: 'debug',
      operation,
      handle: (ctx) => takeProfile(ctx, services, profiler),
    },
  ];
}

async function takeProfile(ctx: RouterContext, services: Services, profiler: Profiler): Promise<void> {
  const value = await readRequest(ctx, services);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidArgument(describeFaults(parsed.error, value, schema));
  const { seconds, kind } = parsed.data;
  const { whyNoSteps } = profiler;
  services.logger.info(`recording a profile for ${seconds} s`);
  const wanted = {
    seconds,
    cpu: kind !== 'tensorflow',
    steps: kind === 'tensorflow' || (kind === undefined && whyNoSteps === undefined),
    signal: endedEarly(ctx, services),
  };
  // The profile speaks for the process, so every request goes through the thread that it is taken on.
  await services.passAll(true);
  const profile = await profiler.record(wanted).finally(() => services.passAll(false));
  answer(ctx, kind, profile, { seconds, whyNoSteps });
}

function answer(
  ctx: RouterContext,
  kind: 'cpu' | 'tensorflow' | undefined,
  { cpu, steps }: Profile,
  { seconds, whyNoSteps }: { seconds: number; whyNoSteps: string | undefined },
): void {
  switch (kind) {
    case 'cpu':
      sendFile(ctx, 'tfjs-serving.cpuprofile', cpu);
      break;
    case 'tensorflow':
      sendFile(ctx, 'tfjs-serving.trace.json', steps);
      break;
    default:
      sendFile(ctx, 'tfjs-serving.profile.json', {
        seconds,
        cpu_profile: cpu,
        step_trace: steps ?? null,
        ...(whyNoSteps === undefined ? {} : { why_no_step_trace: whyNoSteps }),
      });
  }
}

/** Sends JSON, whatever `Accept` says, because viewers read nothing else. `curl -OJ` and browsers use the name. */
function sendFile(ctx: RouterContext, name: string, value: unknown): void {
  ctx.attachment(name);
  ctx.set('Content-Type', 'application/json');
  ctx.body = JSON.stringify(value);
}

async function readRequest(ctx: RouterContext, services: Services): Promise<unknown> {
  if (ctx.querystring === '') return readControlRequest(ctx, services, example);
  if (hasBody(ctx.req)) throw invalidArgument('say what to profile in the query or in the body, not in both');
  return { ...ctx.query };
}

/** A signal that is aborted when the client leaves, and when the server is told to stop. */
function endedEarly({ req, res }: RouterContext, { draining }: Services): AbortSignal {
  const ended = new AbortController();
  const { signal } = ended;
  whenFinished(req.socket, res, () => ended.abort(clientGone()));
  if (draining.aborted) ended.abort(shuttingDown());
  draining.addEventListener('abort', () => ended.abort(shuttingDown()), { signal });
  return signal;
}
