/**
 * The protocol's JSON objects.
 */
import { z } from 'zod';

export const errorSchema = z.object({ error: z.string() }).meta({ id: 'OipError' });

export const serverSchema = z
  .object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })
  .meta({ id: 'OipServer' });

export const liveSchema = z.object({ live: z.boolean() }).meta({ id: 'OipLive' });

export const readySchema = z.object({ ready: z.boolean() }).meta({ id: 'OipReady' });

export const modelReadySchema = z
  .object({ name: z.string(), ready: z.literal(true) })
  .meta({ id: 'OipModelReady' });

const metadataTensorSchema = z
  .object({
    name: z.string(),
    datatype: z.string(),
    shape: z.array(z.int().gte(-1)).describe('-1 is a size that is settled per request'),
    parameters: z
      .object({
        kind: z.enum(['sparse', 'ragged']).optional(),
        any_rank: z.literal(true).optional().describe('the shape says nothing'),
      })
      .optional(),
  })
  .meta({ id: 'OipTensorMetadata' });

export const modelSchema = z
  .object({
    name: z.string(),
    versions: z.array(z.string()).describe('those that serve'),
    platform: z.string(),
    inputs: z.array(metadataTensorSchema),
    outputs: z.array(metadataTensorSchema),
  })
  .meta({ id: 'OipModel' });

const configTensorSchema = z
  .object({
    name: z.string(),
    data_type: z.string().describe('`TYPE_` and the datatype; `TYPE_STRING` for BYTES'),
    dims: z.array(z.int().gte(-1)).describe('without the batch dim, if `max_batch_size` is not 0'),
  })
  .meta({ id: 'OipTensorConfig' });

export const configSchema = z
  .object({
    name: z.string(),
    platform: z.string(),
    backend: z.string(),
    max_batch_size: z
      .int()
      .nonnegative()
      .describe('rows of a run that requests share; one request may have more. 0: no dim is a batch dim'),
    input: z.array(configTensorSchema),
    output: z.array(configTensorSchema),
    dynamic_batching: z
      .object({
        preferred_batch_size: z.array(z.int().positive()),
        max_queue_delay_microseconds: z.int().nonnegative(),
      })
      .optional()
      .describe('left out where requests share no runs'),
  })
  .meta({ id: 'OipConfig' });

const parametersSchema = z.looseObject({});
const dataSchema = z.array(z.unknown()).describe('flat, or in lists as the shape has them');

export const inferRequestSchema = z
  .looseObject({
    id: z.string().optional().describe('repeated in the answer'),
    parameters: z
      .looseObject({
        signature: z.string().optional().describe('the signature that is meant; the default one if left out'),
        binary_data_output: z.boolean().optional().describe('outputs are binary if nothing else is said'),
      })
      .optional(),
    inputs: z.array(
      z.looseObject({
        name: z.string(),
        datatype: z.string(),
        shape: z.array(z.int().nonnegative()),
        data: dataSchema.optional(),
        parameters: z
          .looseObject({ binary_data_size: z.int().nonnegative().optional() })
          .optional()
          .describe('`binary_data_size` in place of `data`: bytes behind the JSON'),
      }),
    ),
    outputs: z
      .array(
        z.looseObject({
          name: z.string(),
          parameters: z.looseObject({ binary_data: z.boolean().optional() }).optional(),
        }),
      )
      .optional()
      .describe('all if left out'),
  })
  .meta({ id: 'OipInferRequest' });

export const inferAnswerSchema = z
  .object({
    model_name: z.string(),
    model_version: z.string(),
    id: z.string().optional(),
    outputs: z.array(
      z.object({
        name: z.string(),
        datatype: z.string(),
        shape: z.array(z.int().nonnegative()),
        data: dataSchema.optional(),
        parameters: parametersSchema.optional(),
      }),
    ),
  })
  .meta({ id: 'OipInferAnswer' });

export const indexRequestSchema = z
  .looseObject({ ready: z.boolean().default(false).describe('only the versions that serve') })
  .meta({ id: 'OipIndexRequest' });

export const indexSchema = z
  .array(
    z.object({
      name: z.string(),
      version: z.string().optional(),
      state: z.enum(['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE']),
      reason: z.string().optional(),
    }),
  )
  .meta({ id: 'OipIndex' });

export const loadRequestSchema = z
  .looseObject({
    parameters: z
      .looseObject({
        version: z.int().nonnegative().optional().describe('holds the model at this version'),
      })
      .default({}),
  })
  .meta({ id: 'OipLoadRequest' });

export const unloadRequestSchema = z
  .looseObject({ parameters: z.looseObject({}).default({}) })
  .meta({ id: 'OipUnloadRequest' });

export const doneSchema = z.object({}).meta({ id: 'OipDone' });

const durationSchema = z
  .object({ count: z.int().nonnegative(), ns: z.int().nonnegative() })
  .meta({ id: 'OipDuration' });

export const statisticsSchema = z
  .object({
    model_stats: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        last_inference: z.int().nonnegative().describe('milliseconds since 1970; 0 for none'),
        inference_count: z.int().nonnegative().describe('rows of all batches'),
        execution_count: z.int().nonnegative().describe('runs'),
        inference_stats: z.object({
          success: durationSchema,
          fail: durationSchema,
          queue: durationSchema,
          compute_input: durationSchema,
          compute_infer: durationSchema,
          compute_output: durationSchema,
          cache_hit: durationSchema,
          cache_miss: durationSchema,
        }),
        batch_stats: z.array(z.unknown()),
      }),
    ),
  })
  .meta({ id: 'OipStatistics' });

/** A model with the name `stats` shares its path with the statistics of all models. */
export const allStatisticsSchema = z
  .object({ ...modelSchema.partial().shape, ...statisticsSchema.shape })
  .meta({ id: 'OipAllStatistics' });
