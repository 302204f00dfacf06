/**
 * Whether requests may share runs: said by the specs, and seen in runs before the version serves.
 *
 * Rows that all differ are run alone, and then together, in every size that will be used. That warms those sizes up, and
 * shows whether a row's answer depends on its neighbours, and from which size on a larger batch saves nothing.
 */
import { messageOf } from '../errors.js';
import { type Dtype, dtypes, elementCount } from '../runtime/dtypes.js';
import type { Engine } from '../runtime/engine.js';
import type { Padding } from '../runtime/rows.js';
import type { InferenceModel } from '../runtime/runtime.js';
import type { Signature } from '../runtime/signature.js';
import {
  createTensor,
  disposeTensors,
  type NamedTensors,
  type TensorView,
  viewTensor,
} from '../runtime/tensors.js';
import { fromBfloat16, fromFloat16, viewOf } from '../runtime/values.js';
import { type BatchLimits, type BatchVerdict, doublingSizes, whyNotBatched } from './batching.js';
import { canMakeRows, distinctRows, makeRow, rowShape, runBeforehand } from './beforehand.js';

export interface RowCheckOptions {
  /** In milliseconds of the monotonic clock; sizes that are not reached by then stay unchecked. */
  readonly deadline: number;
  readonly defaultSignature: Signature | undefined;
  readonly limits: BatchLimits;
  /** Why the version could not be warmed up, if so. */
  readonly warmup: string | undefined;
  readonly engine: Engine;
}

/** Elements of all inputs of a batch; larger batches are not tried. */
const maxElements = 2 ** 26;

/** A row may cost this much more than in the best size: smaller batches answer sooner. */
const goodEnough = 1.1;

/** A verdict for each signature. */
export async function judgeBatching(
  model: InferenceModel,
  options: RowCheckOptions,
): Promise<ReadonlyMap<Signature, BatchVerdict>> {
  const verdicts = new Map<Signature, BatchVerdict>();
  for (const signature of model.signatures.values()) {
    const whyNot = whyNotBatched(signature);
    const whyUnchecked = whyNot ?? cannotCheck(signature, options);
    if (whyNot !== undefined) verdicts.set(signature, { whyNot, evidence: '' });
    else if (whyUnchecked !== undefined) verdicts.set(signature, { evidence: `unchecked: ${whyUnchecked}` });
    else verdicts.set(signature, await checkRows(model, signature, options));
  }
  return verdicts;
}

function cannotCheck(
  signature: Signature,
  { defaultSignature, limits, warmup }: RowCheckOptions,
): string | undefined {
  if (limits.maxBatchSize === 1) return 'batches were turned off';
  if (signature !== defaultSignature) return 'only the default signature is run before it serves';
  if (warmup !== undefined) return `it ${warmup}`;
  const unmade = [...signature.inputs.values()].find((spec) => !canMakeRows(spec));
  return unmade && `no rows can be made up for input \`${unmade.name}\`, which is ${unmade.dtype}`;
}

/**
 * Microseconds. A batch that runs for less is worth its wait whatever its rows cost: to begin a run and to tell of its end
 * takes a tenth of that, and a machine that was busy just then could make any size look dear.
 */
const shortRun = 1000;

/** Microseconds. A batch that runs for longer keeps its requests waiting more than it saves, unless it was asked for. */
const longRun = 100_000;

/** Values of one row or of several, without a `tf.Tensor`: rows are fed again and again. */
type Values = ReadonlyMap<string, TensorView>;

async function checkRows(
  model: InferenceModel,
  signature: Signature,
  { deadline, limits, engine }: RowCheckOptions,
): Promise<BatchVerdict> {
  const run = async (members: readonly Values[], padding?: Padding) => {
    const prediction = await runBeforehand(model, signature, members.map(toTensors), { deadline, padding });
    const values = toValues(prediction.outputs);
    disposeTensors(prediction.outputs);
    return { values, micros: prediction.runMicros };
  };
  const rows = Array.from({ length: Math.min(distinctRows, limits.maxBatchSize) }, (_, place) =>
    makeValues(signature, place),
  );
  const alone: Values[] = [];
  const costs = new Costs(engine.xla);
  for (const row of rows) {
    const outcome = await run([row]).catch(firstLine);
    if (typeof outcome === 'string') return { evidence: `unchecked: ${outcome}` };
    alone.push(outcome.values);
    costs.add(1, outcome.micros);
  }
  // The first run of a size is interpreted and the second compiles: neither says what it costs.
  const uncounted = engine.xla ? 2 : 0;
  for (const size of batchSizes(signature, limits)) {
    if (performance.now() >= deadline || (!limits.isExplicit && costs.haveSettled)) break;
    const batch = Array.from({ length: size }, (_, i) => rows[i % rows.length] as Values);
    const isPadded = limits.allowedSizes.length > 0 && size > 1;
    const attempts = [...Array<number>(uncounted).fill(0), ...(isPadded ? [0, 1] : [0, 0, 0])];
    for (const [attempt, padded] of attempts.entries()) {
      // The first run of a size is slow, and the machine may be busy: one that seems not worth it gets more chances.
      if (!isPadded && costs.isGood(size)) break;
      const padding = padded > 0 ? { rows: padded, value: limits.paddingValue } : undefined;
      const members = batch.slice(0, size - padded);
      const outcome = await run(members, padding).catch(firstLine);
      // To compile a large model for many sizes takes longer than a warm-up may: what there was time for will do.
      if (typeof outcome === 'string' && engine.xla && performance.now() >= deadline) return costs.verdict();
      if (typeof outcome === 'string') return { whyNot: `rows cannot be joined: ${outcome}`, evidence: '' };
      const whyNot = findDifference(outcome.values, alone, members.length, size, engine);
      if (whyNot !== undefined) return { whyNot, evidence: '' };
      if (attempt >= uncounted) costs.add(size, outcome.micros / size);
    }
  }
  return costs.verdict();
}

/** Microseconds per row, by the size of the batch. */
class Costs {
  private readonly bySize = new Map<number, number>();

  /** @param isBounded sizes that were not tried are not to be used */
  constructor(private readonly isBounded: boolean) {}

  /** The least of several counts. */
  add(size: number, microsPerRow: number): void {
    this.bySize.set(size, Math.min(this.bySize.get(size) ?? microsPerRow, microsPerRow));
  }

  /** True if a row costs about as little in this size as in any, or the run is short. */
  isGood(size: number): boolean {
    const cost = this.bySize.get(size) ?? Number.POSITIVE_INFINITY;
    return size * cost <= shortRun || cost <= goodEnough * Math.min(...this.bySize.values());
  }

  /** True once two sizes in a row saved nothing, or runs are long: larger ones are not worth the wait. */
  get haveSettled(): boolean {
    const costs = [...this.bySize.values()];
    const [size, cost] = [...this.bySize].at(-1) ?? [0, 0];
    if (size * cost > longRun) return true;
    if (size * cost <= shortRun) return false;
    const before = costs.slice(0, -2);
    return before.length > 0 && Math.min(...costs) * goodEnough >= Math.min(...before);
  }

  verdict(): BatchVerdict {
    const sizes = [...this.bySize];
    const least = Math.min(...this.bySize.values());
    const cheapest = sizes.find(([, cost]) => cost <= goodEnough * least)?.[0] ?? 1;
    const largestShort = sizes.findLast(([size, cost]) => size * cost <= shortRun)?.[0] ?? 1;
    const worthwhile = Math.max(cheapest, largestShort);
    const [largest] = sizes.at(-1) ?? [1];
    const evidence = `in batches of up to ${largest} they agreed with rows run alone`;
    const mayGrow = worthwhile === largest && !this.haveSettled && !this.isBounded;
    return mayGrow ? { evidence } : { evidence, worthwhile };
  }
}

/** Ascending. */
function batchSizes({ inputs }: Signature, { maxBatchSize, allowedSizes }: BatchLimits): number[] {
  const sizes = allowedSizes.length > 0 ? allowedSizes : doublingSizes(maxBatchSize).slice(1);
  let elements = 0;
  for (const spec of inputs.values()) elements += elementCount(rowShape(spec));
  return sizes.filter((size) => size * elements <= maxElements);
}

function makeValues({ inputs }: Signature, place: number): Values {
  const tensors = new Map(Array.from(inputs.values(), (spec) => [spec.name, makeRow(spec, place)]));
  // The collector's own memory: it outlives the tensors without a copy.
  const values = new Map(Array.from(tensors, ([name, tensor]) => [name, viewTensor(tensor)]));
  disposeTensors(tensors);
  return values;
}

function toTensors(values: Values): NamedTensors {
  return new Map(
    Array.from(values, ([name, { dtype, shape, data }]) => [name, createTensor(dtype, shape, data)]),
  );
}

/** A copy that outlives the tensors. */
function toValues(tensors: NamedTensors): Values {
  const copy = (data: TensorView['data']) =>
    data instanceof Uint8Array ? Uint8Array.from(data) : data.map((string) => Uint8Array.from(string));
  return new Map(
    Array.from(tensors, ([name, tensor]) => {
      const { dtype, shape, data } = viewTensor(tensor);
      return [name, { dtype, shape, data: copy(data) }];
    }),
  );
}

/**
 * Holds each row of a batch against what it gave alone.
 *
 * @param count rows of members; those behind are padding
 * @param size rows of the batch
 * @returns in words what keeps rows from sharing a run, if anything does
 */
function findDifference(
  batch: Values,
  alone: readonly Values[],
  count: number,
  size: number,
  engine: Engine,
): string | undefined {
  for (const [name, output] of batch) {
    if (output.shape[0] !== size) return `output \`${name}\` gave ${output.shape[0]} rows for ${size}`;
    for (let row = 0; row < count; row++) {
      const expected = alone[row % alone.length]?.get(name);
      const isAlike = expected !== undefined && isAlikeRow(output, row, size, expected, engine);
      if (!isAlike) return `in a batch of ${size}, \`${name}\` of a row is not what it is alone`;
    }
  }
  return undefined;
}

function isAlikeRow(
  batch: TensorView,
  row: number,
  size: number,
  expected: TensorView,
  engine: Engine,
): boolean {
  const width = batch.data.length / size;
  if (width !== expected.data.length) return false;
  const values = batch.data.slice(row * width, (row + 1) * width);
  if (batch.dtype === 'string') {
    const strings = expected.data as readonly Uint8Array[];
    return (values as readonly Uint8Array[]).every(
      (value, i) => Buffer.compare(value, strings[i] as Uint8Array) === 0,
    );
  }
  const found = numbersOf(batch.dtype, values as Uint8Array);
  const wanted = numbersOf(batch.dtype, expected.data as Uint8Array);
  const tolerance = toleranceOf(batch.dtype, engine);
  return found.every((value, i) => isClose(value, wanted[i] as number, tolerance));
}

function numbersOf(dtype: Exclude<Dtype, 'string'>, bytes: Uint8Array): (number | bigint)[] {
  const values = Array.from<number | bigint>(viewOf(dtype, bytes));
  if (dtype === 'float16') return values.map((bits) => fromFloat16(Number(bits)));
  if (dtype === 'bfloat16') return values.map((bits) => fromBfloat16(Number(bits)));
  return values;
}

/** Relative to the value, or absolute below 1. Kernels may add up in another order for another size. */
function toleranceOf(dtype: Dtype, { mixedPrecision }: Engine): number {
  if (dtypes[dtype].seenAs === 'int32' || dtype === 'bool') return 0;
  // A sum that comes out on the other side of a rounding differs by 2^-8 in bfloat16, and is carried on.
  if (mixedPrecision) return 3e-2;
  return dtype === 'float16' || dtype === 'bfloat16' ? 1e-2 : 1e-3;
}

function isClose(a: number | bigint, b: number | bigint, tolerance: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (typeof a === 'bigint' || typeof b === 'bigint') return false;
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
}

/** TensorFlow adds where in the graph it was. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] as string;
}
