/**
 * The schema of `serving.json`. It is apart from the reader, because zod takes longer to load than most programs here
 * take to run.
 */
import { z } from 'zod';
import { invalidArgument } from '../errors.js';
import { describeFaults } from '../handwritten/schema-faults.js';

const version = z.int().nonnegative();

/** A number. TensorFlow Serving's text format wraps each one: `{"value": 32}`. */
function number(schema: z.ZodInt) {
  return z.union([schema, z.strictObject({ value: schema }).transform(({ value }) => value)]).optional();
}

const size = z
  .int()
  .positive()
  .max(2 ** 20);

/** TensorFlow Serving's `BatchingParameters`, and settings that it lacks. */
export const batchingSchema = z
  .strictObject({
    /** False runs every request alone. */
    enabled: z.boolean().optional(),
    /** The most rows of a batch. */
    max_batch_size: number(size),
    /** How long the first request of a batch waits for more. */
    batch_timeout_micros: number(z.int().nonnegative().max(60_000_000)),
    /** The most waiting requests, in batches of `max_batch_size`. */
    max_enqueued_batches: number(size),
    /** The most concurrent runs. */
    num_batch_threads: number(z.int().positive().max(1024)),
    /** Batches are padded to the next of these sizes. The last is `max_batch_size`. */
    allowed_batch_sizes: z.array(size).min(1).optional(),
    /** The value of padding rows; 0 by default. */
    padding_value: z.number().optional(),
  })
  .superRefine(({ allowed_batch_sizes: sizes, max_batch_size: max }, ctx) => {
    if (!sizes) return;
    if (sizes.some((each, i) => each <= (sizes[i - 1] ?? 0))) ctx.addIssue('allowed_batch_sizes must ascend');
    if (max !== undefined && sizes.at(-1) !== max)
      ctx.addIssue(`the last of allowed_batch_sizes must be max_batch_size, ${max}`);
  });

/** The file whose presence in a version's folder says that all of it is there. */
const marker = z
  .string()
  .regex(/^[^/\0]+$/, 'the name of a file, without a folder')
  .refine((name) => name !== '.' && name !== '..', 'the name of a file');

/** The most labels of one model. Each version that has one is held ready. */
const mostLabels = 1000;

export const repositorySchema = z.strictObject({
  /** The model that `/infer` means. */
  default_model: z.string().min(1).optional(),
  /** The batching of every model whose own file does not say otherwise. */
  batching_parameters: batchingSchema.optional(),
  /** The file that publishers write last, in each version of every model. A version without it is not loaded. */
  complete_marker: marker.optional(),
});

export const modelSchema = z.strictObject({
  /** The versions that are loaded; the newest one by default. */
  model_version_policy: z
    .union([
      z.strictObject({ latest: z.strictObject({ num_versions: z.int().positive().default(1) }) }),
      z.strictObject({ all: z.strictObject({}) }),
      z.strictObject({ specific: z.strictObject({ versions: z.array(version).min(1) }) }),
    ])
    .default({ latest: { num_versions: 1 } }),
  /** Movable names for versions. A version that has one is held ready. */
  version_labels: z
    .record(z.string().regex(/^[A-Za-z0-9_.-]+$/, 'of letters, digits, `_`, `.` and `-`'), version)
    .refine((labels) => Object.keys(labels).length <= mostLabels, `expected at most ${mostLabels} labels`)
    .default({}),
  /** The version that serves, whatever else is there. */
  pin: version.optional(),
  /** The signature that is meant when a request names none. It precedes `--signature`. */
  default_signature: z.string().min(1).optional(),
  /** The same as for the repository, for this model. */
  complete_marker: marker.optional(),
  batching_parameters: batchingSchema.optional(),
});

/**
 * Checks a value with a schema.
 *
 * @throws ServingError INVALID_ARGUMENT saying what is wrong
 */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidArgument(describeFaults(parsed.error, value, schema));
  return parsed.data;
}
