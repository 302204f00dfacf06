/**
 * The schemas of answers without tensors. The types of the routes' answers are derived from them, and the OpenAPI
 * document shows them.
 */

import { z } from 'zod';
import { errorCodes } from '../../../errors.js';
import { keysOf } from '../../../flow/keys.js';
import { errorCodeSchema } from '../../../http/answer/error-value.js';
import { versionStates } from '../../../serving/table.js';
import { dtypes } from '../../../tensors/dtypes.js';

/** The errors of routes that load or run a model. Any code of TensorFlow is passed on. */
export const modelErrors = errorCodes.filter(
  (code) => code !== 'METHOD_NOT_ALLOWED' && code !== 'UNAUTHENTICATED',
);

const specSchema = z
  .object({
    kind: z.enum(['sparse', 'ragged']).optional().describe('left out for a tensor that is neither'),
    dtype: z.enum(keysOf(dtypes)),
    shape: z
      .union([z.array(z.int()), z.literal('unknown rank')])
      .describe('-1 is a size that is settled per request'),
    ragged_rank: z.int().positive().optional().describe('how many levels of row splits a ragged tensor has'),
  })
  .meta({ id: 'TensorSpec', description: 'Dtype and shape of an input or output.' });

const signatureSchema = z
  .object({
    default: z.boolean().describe('the one that is meant when a request names none'),
    inputs: z.record(z.string(), specSchema),
    outputs: z.record(z.string(), specSchema),
  })
  .meta({ id: 'Signature', description: 'A named function of a model.' });

const signaturesSchema = z.record(z.string(), signatureSchema);

const handlerSchema = z
  .object({
    type: z.string(),
    streams: z.boolean().describe('True if a request gets several answers, one after another'),
    calls: z.int().describe("Calls of the handler's functions"),
    blocked_seconds: z.number().describe('Seconds for which the handler blocked the event loop'),
    longest_blocked_seconds: z.number().describe('The longest single block, in seconds'),
    behind: z
      .object({ runs: z.int(), rows: z.int() })
      .optional()
      .describe('Runs of the model behind the handler, and the rows in them'),
  })
  .meta({ id: 'Handler' });

const batchingSchema = z
  .object({
    sharing: z
      .enum(['proven', 'trial', 'declared', 'alone'])
      .describe(
        'proven: requests share runs, because the graph shows that rows are not mixed; trial: because somebody said so, and answers are compared; declared: because a handler takes batches, or made-up rows agreed and the engine proves nothing; alone: they share none',
      ),
    choice: z.string().describe('How requests share runs, with the reasons'),
    max_batch_size: z.int(),
    batch_timeout_micros: z.number(),
    allowed_batch_sizes: z.array(z.int()),
    queue: z.object({ waiting: z.int(), size: z.int() }),
    run: z.string().describe('Where the runs are made, and why'),
    runs: z.object({ in_flight: z.int(), stuck: z.int(), at_once: z.int() }),
  })
  .meta({ id: 'Batching', description: 'How the requests of a signature share runs, and what waits.' });

const timeSchema = z.iso.datetime();

const versionSchema = z
  .object({
    version: z.int(),
    generation: z.int().describe('counts its loads in this process'),
    state: z.enum(versionStates),
    since: timeSchema.optional().describe('when its load began, while it is LOADING'),
    error: z
      .object({ code: errorCodeSchema, message: z.string() })
      .optional()
      .describe('why it is not served, also while it is tried again'),
    retry_at: timeSchema.optional().describe('when it is tried again, if the failure may pass by itself'),
    warmup: z.string().optional().describe('why it was not warmed up, or why its warm-up says nothing'),
    fingerprint: z.string().describe('changes when its files do'),
  })
  .meta({ id: 'Version' });

export const modelSchema = z
  .object({
    name: z.string(),
    version: z.int().nullable().describe('the one that serves'),
    generation: z.int().nullable(),
    wanted: z.int().nullable().describe('the version that should serve'),
    pinned: z.int().nullable().describe('the version it is held at'),
    labels: z.record(z.string(), z.int()),
    warnings: z
      .array(z.string())
      .optional()
      .describe('what its serving.json says of versions that are not there'),
    unloaded: z
      .boolean()
      .optional()
      .describe('it was unloaded by request, and is not loaded until it is asked for'),
    source_missing: z.boolean().describe('it serves although its folder is gone'),
    versions: z.array(versionSchema),
    signatures: signaturesSchema.describe('of the version that serves'),
    batching: z.record(z.string(), batchingSchema).describe('by signature'),
    handler: handlerSchema.optional(),
  })
  .meta({
    id: 'Model',
    description: 'A model with every version, its state and what stands between it and service.',
  });

export const modelsSchema = z
  .object({ default_model: z.string().nullable(), models: z.array(modelSchema) })
  .meta({ id: 'Models' });

export const modelInfoSchema = z
  .object({
    model: z.string(),
    version: z.int(),
    generation: z.int(),
    model_type: z.string().describe('TensorFlow SavedModel, unless it has a handler'),
    device: z.string(),
    engine: z
      .object({ runtime: z.string(), xla: z.boolean(), mixed_precision: z.string().nullable() })
      .describe('what the options of TensorFlow came to on this machine'),
    parameters: z.int().describe('numbers in all variables together'),
    signatures: signaturesSchema,
  })
  .meta({ id: 'ModelInfo' });

export const updateSchema = z
  .object({
    status: z.enum(['ok', 'pending']),
    models: z.array(modelSchema).describe('those that were meant'),
  })
  .meta({ id: 'Update' });

const modelHealthSchema = z
  .object({
    name: z.string(),
    serving: z.int().nullable().describe('the version that serves'),
    wanted: z.int().nullable(),
    state: z.enum(versionStates).describe('of the wanted version'),
    pinned: z.int().optional(),
    source: z.literal('missing').optional().describe('its folder is gone'),
    code: errorCodeSchema.optional().describe('why the wanted version does not serve'),
  })
  .meta({ id: 'ModelHealth' });

export const healthSchema = z
  .object({
    status: z.enum(['ok', 'draining']),
    ready: z.boolean(),
    source: z.enum(['ok', 'unreadable']).describe('where models come from'),
    models: z.array(modelHealthSchema),
  })
  .meta({ id: 'Health' });

export const liveSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Live' });
export const readySchema = z.object({ status: z.enum(['ok', 'not ready']) }).meta({ id: 'Ready' });

const cpuProfileSchema = z
  .looseObject({ nodes: z.array(z.looseObject({})), startTime: z.number(), endTime: z.number() })
  .meta({ id: 'CpuProfile', description: "A .cpuprofile file, for Chrome's DevTools." });

const stepTraceSchema = z
  .object({
    traceEvents: z.array(z.looseObject({})),
    displayTimeUnit: z.literal('ms'),
    otherData: z.record(z.string(), z.union([z.string(), z.number()])),
  })
  .meta({ id: 'StepTrace', description: "TensorFlow's operations as a trace, for Perfetto." });

export const profileSchema = z
  .union([
    z.object({
      seconds: z.number(),
      cpu_profile: cpuProfileSchema,
      step_trace: stepTraceSchema.nullable(),
      why_no_step_trace: z.string().optional(),
    }),
    cpuProfileSchema,
    stepTraceSchema,
  ])
  .meta({ id: 'Profile', description: 'Both in one object, or the one that `kind` names.' });
