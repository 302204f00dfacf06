/**
 * Says which signatures can be batched, and under which limits. The names and their meaning are those of TensorFlow
 * Serving.
 */

import type { Signature } from '../../engines/signature.js';
import type { BatchingParameters } from '../../stores/serving-json.js';
import type { Milliseconds } from '../../time.js';

/** How one signature of one servable is batched. */
export interface BatchLimits {
  /** The most rows of a batch. A single request may have more. */
  readonly maxBatchSize: number;
  /** True if somebody asked for exactly that size. */
  readonly isExplicit: boolean;
  /** True if somebody said that requests may share runs, whatever the graph shows. */
  readonly isTrusted: boolean;
  /** How long the first request of a batch waits for more. */
  readonly timeout: Milliseconds;
  /** Batches are padded to the next of these sizes, ascending. If it is empty, none is padded. */
  readonly allowedSizes: readonly number[];
  /** The value of padding rows, in the input's own dtype. Strings are padded with empty ones. */
  readonly paddingValue: number;
  /** The most concurrent runs of this signature. */
  readonly runsInFlight: number;
  /** The most requests that wait, beyond those in a run. */
  readonly queueSize: number;
}

/** The limits if no file says otherwise. */
export interface BatchingDefaults {
  readonly maxBatchSize: number;
  readonly timeout: Milliseconds;
  /** Undefined means two full batches for each concurrent run, and at least 32. */
  readonly queueSize: number | undefined;
  readonly slots: number;
  /** True if every batch size is compiled, so that there should be few sizes. */
  readonly compiles: boolean;
}

/**
 * Says whether requests for a signature share runs, and how that is known:
 *
 * - proven: the graph shows that rows are not mixed.
 * - trial: rows may be mixed. Requests share runs if somebody says so, and are checked.
 * - declared: a handler takes batches, or made-up rows agreed and there is no graph.
 * - alone: requests never share a run.
 */
export type BatchVerdict = AloneVerdict | ProvenVerdict | TrialVerdict | DeclaredVerdict;

export interface AloneVerdict {
  readonly sharing: 'alone';
  readonly why: string;
  /** True if somebody said that they may share runs, and a comparison of made-up rows showed that they must not. */
  readonly afterTrial: boolean;
}

export interface ProvenVerdict extends SeenRows {
  readonly sharing: 'proven';
}

export interface TrialVerdict extends SeenRows {
  readonly sharing: 'trial';
  /** Why nothing is proven. */
  readonly why: string;
}

export interface DeclaredVerdict extends SeenRows {
  readonly sharing: 'declared';
}

/** What was seen of rows that ran together. */
export interface SeenRows {
  /** The same in words; empty if none did. */
  readonly evidence: string;
  readonly enough?: EnoughRows | undefined;
}

/** The size from which on a larger batch is not worth it. */
export interface EnoughRows {
  readonly rows: number;
  /** Why it is not: it saves nothing, or takes longer than a request should wait. */
  readonly limitedBy: 'gain' | 'time';
}

/** Says why requests for this signature cannot share a run; undefined if its specs and its graph allow it. */
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

/** What specs and graph say of a signature's requests before the first run. */
export function sharingOf(signature: Signature): {
  readonly sharing: 'proven' | 'alone';
  readonly why: string;
} {
  const why = whyNotBatched(signature) ?? whyUnproven(signature);
  return { sharing: why === undefined ? 'proven' : 'alone', why: why ?? '' };
}

/** Says why rows may be mixed; undefined if the graph shows that they are not, or if there is no graph. */
export function whyUnproven({ rows }: Signature): string | undefined {
  return rows?.verdict === 'unproven' ? rows.why : undefined;
}

/** @param parameters come from files, the most specific first; files are not merged, so the most specific one counts */
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

/** The limits of a signature. If each size is compiled, batches are padded to a few sizes. */
export function signatureLimits(signature: Signature, limits: BatchLimits): BatchLimits {
  if (limits.allowedSizes.length > 0 || !signature.compilesShapes) return limits;
  return { ...limits, allowedSizes: doublingSizes(limits.maxBatchSize) };
}

/** The sizes 1, 2, 4 …, and the largest. */
export function doublingSizes(largest: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < largest; size *= 2) sizes.push(size);
  return [...sizes, largest];
}

/** The size at which a batch of so many rows is run. */
export function paddedSize(rows: number, allowedSizes: readonly number[]): number {
  return allowedSizes.find((size) => size >= rows) ?? rows;
}
