/**
 * Which signatures can be batched, and under which limits. Names and meanings are TensorFlow Serving's.
 */

import type { Signature } from '../../engines/signature.js';
import type { BatchingParameters } from '../../stores/serving-json.js';
import type { Milliseconds } from '../../time.js';

/** How one signature of one servable is batched. */
export interface BatchLimits {
  /** Rows of a batch; a single request may have more. */
  readonly maxBatchSize: number;
  /** Somebody asked for just that size. */
  readonly isExplicit: boolean;
  /** Somebody said that requests may share runs, whatever the graph shows. */
  readonly isTrusted: boolean;
  /** How long the first of a batch waits for more. */
  readonly timeout: Milliseconds;
  /** Batches are padded to the next of these, ascending; empty: none is padded. */
  readonly allowedSizes: readonly number[];
  /** What padding rows hold, in the input's own dtype; strings are padded with empty ones. */
  readonly paddingValue: number;
  /** Runs of this signature under way at once. */
  readonly runsInFlight: number;
  /** Requests that may wait, beyond those in a run. */
  readonly queueSize: number;
}

/** What holds where no file says otherwise. */
export interface BatchingDefaults {
  readonly maxBatchSize: number;
  readonly timeout: Milliseconds;
  /** Undefined: as many as two full batches per run in flight, at least 32. */
  readonly queueSize: number | undefined;
  readonly slots: number;
  /** Every size of a batch is compiled, so that few sizes must do. */
  readonly compiles: boolean;
}

/** What is known of a signature's rows when they are run together. */
export interface BatchVerdict {
  /** Why its requests cannot share a run, if so: whatever anybody says. */
  readonly whyNot?: string | undefined;
  /** Why they share none unless somebody says that they may, and then on trial: rows may be mixed. */
  readonly unproven?: string | undefined;
  /** A handler stands before the model, and takes batches: what its code does to rows no graph shows. */
  readonly isDeclared?: boolean | undefined;
  /** What was seen of rows that were run together, in words; empty where none were. */
  readonly evidence: string;
  /** The size from which on a larger batch is not worth it, where that was seen. */
  readonly worthwhile?: number | undefined;
  /** Why not: it saves nothing, or runs for longer than a request should wait. */
  readonly limitedBy?: 'gain' | 'time' | undefined;
}

/** Why requests for this signature cannot share a run, or undefined where its specs and its graph allow it. */
export function whyNotBatched({ inputs, outputs, composites, rows }: Signature): string | undefined {
  if (rows?.verdict === 'effects') return rows.why;
  if (inputs.size === 0) return 'it has no inputs';
  const [composite] = [...(composites?.inputs.values() ?? []), ...(composites?.outputs.values() ?? [])];
  if (composite) return `\`${composite.name}\` is a ${composite.kind} tensor`;
  for (const [kind, specs] of [
    ['input', inputs],
    ['output', outputs],
  ] as const) {
    for (const { name, shape } of specs.values()) {
      if (shape === null) return `${kind} \`${name}\` has an unknown rank`;
      if (shape.length === 0) return `${kind} \`${name}\` is a scalar`;
      if (shape[0] !== null) return `${kind} \`${name}\` has a fixed first dim`;
    }
  }
  return undefined;
}

/** What specs and graph say of a signature's requests, before anybody runs it. */
export function sharingOf(signature: Signature): {
  readonly sharing: 'proven' | 'alone';
  readonly why: string;
} {
  const why = whyNotBatched(signature) ?? whyUnproven(signature);
  return { sharing: why === undefined ? 'proven' : 'alone', why: why ?? '' };
}

/** Why rows may be mixed, or undefined where the graph shows that they are not, or no graph tells. */
export function whyUnproven({ rows }: Signature): string | undefined {
  return rows?.verdict === 'unproven' ? rows.why : undefined;
}

/** @param parameters what files say, the most specific first; the most specific file wins, files are not merged */
export function batchLimits(
  defaults: BatchingDefaults,
  ...parameters: readonly (BatchingParameters | undefined)[]
): BatchLimits {
  const { slots, compiles } = defaults;
  const given = parameters.find((each) => each !== undefined) ?? {};
  const isOff = given.enabled === false;
  const givenSizes = isOff ? [] : given.allowed_batch_sizes;
  const explicitSize = isOff ? 1 : (given.max_batch_size ?? givenSizes?.at(-1));
  const maxBatchSize = explicitSize ?? defaults.maxBatchSize;
  const allowedSizes = givenSizes ?? (compiles ? doublingSizes(maxBatchSize) : []);
  const runsInFlight = Math.min(given.num_batch_threads ?? slots, slots);
  const timeout =
    given.batch_timeout_micros === undefined ? defaults.timeout : given.batch_timeout_micros / 1000;
  const queueSize =
    given.max_enqueued_batches === undefined
      ? (defaults.queueSize ?? Math.max(32, 2 * maxBatchSize * runsInFlight))
      : given.max_enqueued_batches * maxBatchSize;
  return {
    maxBatchSize,
    isExplicit: explicitSize !== undefined,
    isTrusted: given.enabled === true,
    timeout,
    allowedSizes,
    paddingValue: given.padding_value ?? 0,
    runsInFlight,
    queueSize,
  };
}

/** True if TensorFlow compiles a program of the graph for each shape that comes, whatever the server's options say: models of JAX. */
export function compilesShapes({ operations }: Signature): boolean {
  return operations !== undefined && [...operations].some((operation) => operation.startsWith('Xla'));
}

/** The limits of a signature: few sizes must do where each is compiled, so batches are padded to them. */
export function signatureLimits(signature: Signature, limits: BatchLimits): BatchLimits {
  if (limits.allowedSizes.length > 0 || !compilesShapes(signature)) return limits;
  return { ...limits, allowedSizes: doublingSizes(limits.maxBatchSize) };
}

/** 1, 2, 4 … and the largest. */
export function doublingSizes(largest: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < largest; size *= 2) sizes.push(size);
  return [...sizes, largest];
}

/** The size that a batch of so many rows is run at. */
export function paddedSize(rows: number, allowedSizes: readonly number[]): number {
  return allowedSizes.find((size) => size >= rows) ?? rows;
}
