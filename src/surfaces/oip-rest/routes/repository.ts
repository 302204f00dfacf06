/**
 * The model repository extension: list the versions, look at a model's folder now, or unload a model.
 *
 * The folder says what is served. These requests do the same as `/update_model`.
 */
import type { z } from 'zod';
import { type UpdateRequest, update } from '../../../control/update.js';
import { type ErrorCode, ServingError } from '../../../errors.js';
import { unlessAborted } from '../../../flow/unless-aborted.js';
import type { RequestBody } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import type { Services } from '../../../http/services.js';
import type { ModelStatus, VersionStatus } from '../../../serving/table.js';
import { readControlBody } from '../control-body.js';
import { jsonAnswer, modelParameter, oipOperation } from '../operations.js';
import {
  doneSchema,
  indexRequestSchema,
  indexSchema,
  loadRequestSchema,
  unloadRequestSchema,
} from '../schemas.js';
import { sendValue } from '../values.js';

/** The seconds that a caller waits for a model to serve. */
const loadTimeout = 60;

const bodyErrors: readonly ErrorCode[] = [
  'INVALID_ARGUMENT',
  'UNSUPPORTED_MEDIA_TYPE',
  'PAYLOAD_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'UNAVAILABLE',
];

/** The errors of a load. A version may fail to load in any way, and the caller is told. */
const loadErrors: readonly ErrorCode[] = [
  ...bodyErrors,
  'NOT_FOUND',
  'FAILED_PRECONDITION',
  'UNIMPLEMENTED',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
];

export function repositoryRoutes(services: Services): Route[] {
  return [
    {
      method: 'POST',
      path: '/v2/repository/index',
      scope: 'admin',
      operation: oipOperation({
        id: 'oipIndex',
        summary: 'Every version of every model, and its state',
        body: bodyOf(indexRequestSchema),
        answers: { 200: jsonAnswer('The versions', indexSchema) },
        errors: bodyErrors,
      }),
      handle: async (ctx) => {
        const { ready } = await readControlBody(ctx, services, indexRequestSchema);
        const all = Array.from(services.manager.table.models.values(), describeVersions).flat();
        const index = ready ? all.filter(({ state }) => state === 'READY') : all;
        sendValue(ctx, index satisfies z.output<typeof indexSchema>);
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/:model/load',
      scope: 'admin',
      operation: oipOperation({
        id: 'oipLoad',
        summary: 'Looks for new versions now, and answers when the model serves',
        parameters: [modelParameter],
        body: bodyOf(loadRequestSchema),
        answers: { 200: jsonAnswer('It serves', doneSchema) },
        errors: loadErrors,
      }),
      handle: async (ctx) => {
        const { parameters } = await readControlBody(ctx, services, loadRequestSchema);
        refuseFiles(Object.keys(parameters));
        const { version = 'latest' } = parameters;
        await updateModel(services, { model: ctx.params['model'], version, timeout: loadTimeout });
        sendValue(ctx, {} satisfies z.output<typeof doneSchema>);
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/:model/unload',
      scope: 'admin',
      operation: oipOperation({
        id: 'oipUnload',
        summary: 'Unloads a model, until it is asked for again',
        parameters: [modelParameter],
        body: bodyOf(unloadRequestSchema),
        answers: { 200: jsonAnswer('It is being unloaded', doneSchema) },
        errors: loadErrors,
      }),
      handle: async (ctx) => {
        await readControlBody(ctx, services, unloadRequestSchema);
        await updateModel(services, { model: ctx.params['model'], unload: true, timeout: loadTimeout });
        sendValue(ctx, {} satisfies z.output<typeof doneSchema>);
      },
    },
  ];
}

function bodyOf(schema: z.ZodType): RequestBody {
  return {
    description: 'May be left out',
    required: false,
    content: [{ mediaTypes: ['application/json'], schema }],
  };
}

/** Refuses a configuration and files of a model, which Triton accepts here. */
function refuseFiles(keys: readonly string[]): void {
  const key = keys.find((each) => each === 'config' || each.startsWith('file:'));
  if (key !== undefined)
    throw new ServingError(
      'UNIMPLEMENTED',
      `\`${key.slice(0, 100)}\` is not taken: put the model and its settings where the server finds its models`,
    );
}

async function updateModel(services: Services, request: UpdateRequest): Promise<void> {
  const { manager, draining } = services;
  const { done } = await unlessAborted(draining, update(manager, request));
  if (!done)
    throw new ServingError(
      'DEADLINE_EXCEEDED',
      `\`${request.model}\` does not serve yet after ${request.timeout} s, and is still being loaded`,
    );
}

function describeVersions({ name, versions, isUnloaded }: ModelStatus): z.output<typeof indexSchema> {
  if (versions.length === 0) return [{ name, state: 'UNAVAILABLE', reason: 'it has no version' }];
  return versions.map(({ version, state, error }) => ({
    name,
    version: String(version),
    state: stateOf(state),
    ...(isUnloaded ? { reason: 'unloaded' } : error ? { reason: error.message } : {}),
  }));
}

function stateOf(state: VersionStatus['state']): z.output<typeof indexSchema>[number]['state'] {
  switch (state) {
    case 'AVAILABLE':
      return 'READY';
    case 'LOADING':
    case 'UNLOADING':
      return state;
    default:
      return 'UNAVAILABLE';
  }
}
