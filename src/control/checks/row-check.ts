/**
 * Decides whether requests may share runs. The graph must show it, and runs before the version serves must confirm it.
 *
 * Different rows are run alone, and then together, in every size that will be used. This also warms those sizes up, and
 * shows from which size on a larger batch saves nothing. If the answer of a row differs in a batch, requests do not
 * share runs, whatever the graph shows.
 */

import type { InferenceModel } from '../../engines/inference-model.js';
import type { Signature } from '../../engines/signature.js';
import { messageOf } from '../../errors.js';
import { findDifference, toTensors, toValues, type Values } from '../../serving/queue/agreement.js';
import {
  type BatchLimits,
  type BatchVerdict,
  doublingSizes,
  type SeenRows,
  signatureLimits,
  whyNotBatched,
  whyUnproven,
} from '../../serving/queue/batching.js';
import { elementCount } from '../../tensors/dtypes.js';
import type { Padding } from '../../tfjs/rows.js';
import { disposeTensors, viewTensor } from '../../tfjs/tensors.js';
import { type Moment, now } from '../../time.js';
import { distinctRows, makeRow, rowShape, runBeforehand } from './made-up-runs.js';

export interface RowCheckOptions {
  /** Sizes that are not reached by then stay unchecked. */
  readonly deadline: Moment;
  readonly defaultSignature: Signature | undefined;
  readonly limits: BatchLimits;
  /** Why the version could not be warmed up; undefined if it was. */
  readonly warmup: string | undefined;
}

/** The most elements of all inputs of a batch. Larger batches are not tried. */
const maxElements = 2 ** 26;

/** A row may cost this much more than in the best size, because smaller batches answer sooner. */
const goodEnough = 1.1;

/**
 * Gives a verdict for each signature, from what its graph shows and from runs with made-up rows.
 *
 * The default signature is run in every size that will be used. Any other signature that may share runs is run in one
 * size.
 */
export async function judgeBatching(
  model: InferenceModel,
  options: RowCheckOptions,
): Promise<ReadonlyMap<Signature, BatchVerdict>> {
  const { defaultSignature, limits } = options;
  const verdicts = new Map<Signature, BatchVerdict>();
  const byDefault = defaultSignature && (await judge(model, defaultSignature, options));
  for (const signature of model.signatures.values()) {
    if (signature === defaultSignature && byDefault) {
      verdicts.set(signature, byDefault);
      continue;
    }
    const sizes = { ...limits, maxBatchSize: Math.min(limits.maxBatchSize, distinctRows), allowedSizes: [] };
    const verdict = await judge(model, signature, { ...options, limits: sizes });
    const isAlike = defaultSignature !== undefined && runsTheSame(signature, defaultSignature);
    // So few sizes do not show which one is enough.
    const enough = isAlike && byDefault && byDefault.sharing !== 'alone' ? byDefault.enough : undefined;
    verdicts.set(signature, verdict.sharing === 'alone' ? verdict : { ...verdict, enough });
  }
  return verdicts;
}

/**
 * True if two signatures run the same operations: a function that was saved under two names gains as much under either.
 */
function runsTheSame({ operations: a }: Signature, { operations: b }: Signature): boolean {
  return (
    a !== undefined && b !== undefined && a.size === b.size && [...a].every((operation) => b.has(operation))
  );
}

async function judge(
  model: InferenceModel,
  signature: Signature,
  options: RowCheckOptions,
): Promise<BatchVerdict> {
  const whyNot = whyNotBatched(signature);
  if (whyNot !== undefined) return { sharing: 'alone', why: whyNot, afterTrial: false };
  const unproven = whyUnproven(signature);
  if (unproven !== undefined && !options.limits.isTrusted)
    return { sharing: 'trial', why: unproven, evidence: '' };
  const whyUnchecked = cannotCheck(options);
  const check =
    whyUnchecked === undefined ? await checkRows(model, signature, options) : uncompared(whyUnchecked);
  if (check.found === 'a difference')
    return { sharing: 'alone', why: check.why, afterTrial: unproven !== undefined };
  const { evidence, enough } = check;
  if (unproven !== undefined) return { sharing: 'trial', why: unproven, evidence, enough };
  if (signature.rows) return { sharing: 'proven', evidence, enough };
  // Without a graph, and without a comparison, nothing shows that rows stay apart.
  if (check.found === 'nothing') return { sharing: 'trial', why: evidence, evidence, enough };
  return { sharing: 'declared', evidence, enough };
}

/** What a comparison of rows found. */
type RowCheck =
  | { readonly found: 'a difference'; readonly why: string }
  | ({ readonly found: 'agreement' | 'nothing' } & SeenRows);

function cannotCheck({ limits, warmup }: RowCheckOptions): string | undefined {
  if (limits.maxBatchSize === 1) return 'batches were turned off';
  return warmup === undefined ? undefined : `it ${warmup}`;
}

function uncompared(why: string): RowCheck {
  return { found: 'nothing', evidence: `made-up rows could not be compared: ${why}` };
}

/**
 * Microseconds. A batch that runs for less is worth its wait, whatever its rows cost. Starting a run and reporting its
 * end takes a tenth of that, and a machine that was just busy could make any size look expensive.
 */
const shortRun = 1000;

/** Microseconds. A batch that runs for longer delays its requests more than it saves, unless somebody asked for it. */
const longRun = 100_000;

async function checkRows(
  model: InferenceModel,
  signature: Signature,
  { deadline, limits: given }: RowCheckOptions,
): Promise<RowCheck> {
  const limits = signatureLimits(signature, given);
  const { mode } = model;
  const compiles = mode.xla || signature.compilesShapes === true;
  const run = async (members: readonly Values[], padding?: Padding) => {
    const prediction = await runBeforehand(model, signature, members.map(toTensors), { deadline, padding });
    const values = toValues(prediction.outputs);
    disposeTensors(prediction.outputs);
    return { values, micros: prediction.runMicros };
  };
  const rows: Values[] = [];
  const alone: Values[] = [];
  const costs = new Costs(compiles);
  let refusal = '';
  // Some made-up values are wrong for a model that accepts others.
  for (let place = 0; place < Math.min(distinctRows, limits.maxBatchSize); place++) {
    const row = makeValues(signature, place);
    const outcome = await run([row]).catch(firstLine);
    if (typeof outcome === 'string') {
      refusal ||= outcome;
      continue;
    }
    rows.push(row);
    alone.push(outcome.values);
    costs.add(1, outcome.micros);
  }
  if (rows.length === 0) return uncompared(refusal);
  // The first run of a size is interpreted, and the second compiles. Neither says what the size costs.
  const uncounted = compiles ? 2 : 0;
  for (const size of batchSizes(signature, limits)) {
    if (now() >= deadline || (!limits.isExplicit && costs.haveSettled)) break;
    const batch = Array.from({ length: size }, (_, i) => rows[i % rows.length] as Values);
    const isPadded = limits.allowedSizes.length > 0 && size > 1;
    const attempts = [...Array<number>(uncounted).fill(0), ...(isPadded ? [0, 1] : [0, 0, 0])];
    for (const [attempt, padded] of attempts.entries()) {
      // The first run of a size is slow, and the machine may be busy. So a size that does not seem worth it gets more
      // chances.
      if (!isPadded && costs.isGood(size)) break;
      const padding = padded > 0 ? { rows: padded, value: limits.paddingValue } : undefined;
      const members = batch.slice(0, size - padded);
      const outcome = await run(members, padding).catch(firstLine);
      // Compiling a large model for many sizes may take longer than the whole warm-up. The sizes that were reached must
      // do.
      if (typeof outcome === 'string' && compiles && now() >= deadline) return agreement(costs);
      if (typeof outcome === 'string')
        return { found: 'a difference', why: `rows cannot be joined: ${outcome}` };
      const why = findDifference(outcome.values, alone, members.length, size, mode);
      if (why !== undefined) return { found: 'a difference', why };
      if (attempt >= uncounted) costs.add(size, outcome.micros / size);
    }
  }
  return agreement(costs);
}

function agreement(costs: Costs): RowCheck {
  return { found: 'agreement', ...costs.seen() };
}

/** The microseconds per row, by batch size. */
class Costs {
  private readonly bySize = new Map<number, number>();

  /** @param isBounded says that sizes that were not tried must not be used */
  constructor(private readonly isBounded: boolean) {}

  /** Adds a measurement. The least of several counts. */
  add(size: number, microsPerRow: number): void {
    this.bySize.set(size, Math.min(this.bySize.get(size) ?? microsPerRow, microsPerRow));
  }

  /** True if a row costs about as little in this size as in any, or if the run is short. */
  isGood(size: number): boolean {
    const cost = this.bySize.get(size) ?? Number.POSITIVE_INFINITY;
    return size * cost <= shortRun || cost <= goodEnough * Math.min(...this.bySize.values());
  }

  /** True once two sizes in a row saved nothing, or runs are long. Larger sizes are then not worth the wait. */
  get haveSettled(): boolean {
    if (this.isLong) return true;
    const costs = [...this.bySize.values()];
    const [size, cost] = [...this.bySize].at(-1) ?? [0, 0];
    if (size * cost <= shortRun) return false;
    const before = costs.slice(0, -2);
    return before.length > 0 && Math.min(...costs) * goodEnough >= Math.min(...before);
  }

  /** True if the largest size that was tried runs for too long. */
  private get isLong(): boolean {
    const [size, cost] = [...this.bySize].at(-1) ?? [0, 0];
    return size * cost > longRun;
  }

  seen(): SeenRows {
    const sizes = [...this.bySize];
    const least = Math.min(...this.bySize.values());
    const cheapest = sizes.find(([, cost]) => cost <= goodEnough * least)?.[0] ?? 1;
    const largestShort = sizes.findLast(([size, cost]) => size * cost <= shortRun)?.[0] ?? 1;
    const worthwhile = Math.max(cheapest, largestShort);
    const [largest] = sizes.at(-1) ?? [1];
    const evidence = `made-up rows gave the same in batches of up to ${largest} as alone`;
    const isLargest = worthwhile === largest;
    if (isLargest && !this.haveSettled && !this.isBounded) return { evidence };
    return { evidence, enough: { rows: worthwhile, limitedBy: isLargest && this.isLong ? 'time' : 'gain' } };
  }
}

/** The batch sizes, ascending. */
function batchSizes({ inputs }: Signature, { maxBatchSize, allowedSizes }: BatchLimits): number[] {
  const sizes = allowedSizes.length > 0 ? allowedSizes : doublingSizes(maxBatchSize).slice(1);
  let elements = 0;
  for (const spec of inputs.values()) elements += elementCount(rowShape(spec));
  return sizes.filter((size) => size * elements <= maxElements);
}

function makeValues({ inputs }: Signature, place: number): Values {
  const tensors = new Map(Array.from(inputs.values(), (spec) => [spec.name, makeRow(spec, place)]));
  // The memory belongs to the garbage collector, so it outlives the tensors without a copy.
  const values = new Map(Array.from(tensors, ([name, tensor]) => [name, viewTensor(tensor)]));
  disposeTensors(tensors);
  return values;
}

/** The first line of an error. TensorFlow adds the place in the graph after it. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] as string;
}
