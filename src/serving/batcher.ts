/**
 * The queue before one signature of one servable, and how its requests share runs.
 *
 * A run takes what is waiting the moment it can start: the oldest request, and those behind it that fit the batch. No
 * request waits for company unless `--batch-timeout` says so. When a batch fails, its members run again, each alone, so
 * that one bad request fails nobody else.
 */
import { ServingError } from '../errors.js';
import { type Padding, type RowRange, splitRows } from '../runtime/rows.js';
import type { InferenceModel } from '../runtime/runtime.js';
import type { Signature } from '../runtime/signature.js';
import { disposeTensors, type NamedTensors } from '../runtime/tensors.js';
import { type BatchLimits, type BatchVerdict, paddedSize } from './batching.js';
import type { Cancellation } from './cancellation.js';
import { removeBatchDim } from './match.js';
import { countStuck, type Lane, type Scheduler, type StartedRun } from './scheduler.js';

export interface BatchRequest {
  /** As the graph takes them, with the batch dim. They stay the caller's, and must live until the answer is there. */
  readonly inputs: NamedTensors;
  /** One sample: the batch dim comes off the outputs. */
  readonly single: boolean;
  /** Outputs to give; all by default. */
  readonly outputs: readonly string[] | undefined;
  /** In milliseconds of the monotonic clock. Once it has passed, the request is not run any more. */
  readonly deadline: number;
  /** Ends the wait of a request that no run has taken. */
  readonly cancellation: Cancellation;
}

export interface BatchResult {
  /** Disposed by the caller. */
  readonly outputs: NamedTensors;
  /** Microseconds until a run took the request, and inside that run. */
  readonly queueMicros: number;
  readonly runMicros: number;
  /** Rows of the batch it was in, without padding. */
  readonly batchSize: number;
}

interface Entry extends BatchRequest {
  readonly rows: number;
  /** Requests with the same key may share a batch. */
  readonly key: string;
  /** Was in a batch that failed. */
  alone: boolean;
  readonly enqueued: number;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: unknown) => void;
}

export class Batcher implements Lane {
  /** In the order they came; a Set, so that one can leave from the middle. */
  private readonly waiting = new Set<Entry>();
  private readonly runs = new Set<StartedRun>();
  /** Runs that have begun, and the rows in them, padding not counted. */
  readonly totals = { runs: 0, rows: 0, paddingRows: 0 };
  /** Found out while serving: from then on every request runs alone. */
  private disagreement: string | undefined;

  /** @param limits as they are now: they change with `serving.json` */
  constructor(
    private readonly model: InferenceModel,
    readonly signature: Signature,
    private readonly scheduler: Scheduler,
    private readonly verdict: BatchVerdict,
    private readonly currentLimits: () => BatchLimits,
  ) {}

  get limits(): BatchLimits {
    return this.currentLimits();
  }

  /** Why every request runs alone, or undefined if they share runs. */
  get whyNot(): string | undefined {
    const { whyNot } = this.verdict;
    return whyNot ?? this.disagreement ?? (this.maxBatchSize === 1 ? 'the largest batch is 1' : undefined);
  }

  /** Rows that a batch is filled up to. */
  get maxBatchSize(): number {
    const { maxBatchSize, isExplicit } = this.limits;
    return isExplicit ? maxBatchSize : Math.min(maxBatchSize, this.verdict.worthwhile ?? maxBatchSize);
  }

  /** How requests are batched and why, for people. */
  get explanation(): string {
    const { whyNot, maxBatchSize, verdict } = this;
    if (whyNot !== undefined) return `not batched: ${whyNot}`;
    return `batched, up to ${maxBatchSize} rows: ${verdict.evidence}`;
  }

  get queued(): number {
    return this.waiting.size;
  }

  get isFull(): boolean {
    return this.waiting.size >= this.limits.queueSize;
  }

  get inFlight(): number {
    return this.runs.size;
  }

  /** Runs that go on although the time of all their requests is over. */
  get stuck(): number {
    return countStuck(this.runs, performance.now());
  }

  /**
   * Runs a request, alone or with others.
   *
   * @throws ServingError UNAVAILABLE if the queue is full, DEADLINE_EXCEEDED if its time was over before it could run, or
   * what the run ends in
   */
  run(request: BatchRequest): Promise<BatchResult> {
    if (this.isFull) return Promise.reject(queueFull());
    const { cancellation } = request;
    return new Promise((resolve, reject) => {
      const entry: Entry = {
        inputs: request.inputs,
        single: request.single,
        outputs: request.outputs,
        deadline: request.deadline,
        cancellation,
        rows: this.rowsOf(request.inputs),
        key: this.keyOf(request),
        alone: false,
        enqueued: performance.now(),
        resolve,
        reject,
      };
      this.waiting.add(entry);
      cancellation.onCancel((makeReason) => {
        if (this.waiting.delete(entry)) reject(makeReason());
      });
      this.scheduler.wake(this);
    });
  }

  start(now: number): StartedRun | 'idle' | number {
    const { limits, maxBatchSize } = this;
    const first = this.first(now);
    if (first === undefined || this.runs.size >= limits.runsInFlight) return 'idle';
    const isShared = !first.alone && first.rows > 0 && this.whyNot === undefined;
    const members = isShared ? this.gather(first, maxBatchSize) : [first];
    const rows = totalRows(members);
    if (isShared && rows < maxBatchSize && limits.timeoutMilliseconds > 0) {
      const wait = first.enqueued + limits.timeoutMilliseconds - now;
      if (wait > 0) return wait;
    }
    for (const member of members) this.waiting.delete(member);
    const size = isShared ? paddedSize(rows, limits.allowedSizes) : rows;
    const padding = size > rows ? { rows: size - rows, value: limits.paddingValue } : undefined;
    const run: StartedRun = {
      lastDeadline: Math.max(...members.map(({ deadline }) => deadline)),
      ended: this.execute(members, rows, padding, now).then(() => {
        this.runs.delete(run);
        if (this.waiting.size > 0) this.scheduler.wake(this);
      }),
    };
    this.runs.add(run);
    this.totals.runs += 1;
    this.totals.rows += rows;
    this.totals.paddingRows += size - rows;
    return run;
  }

  /** The oldest that is still worth running. */
  private first(now: number): Entry | undefined {
    for (const entry of this.waiting) {
      if (entry.deadline > now) return entry;
      this.waiting.delete(entry);
      entry.reject(new ServingError('DEADLINE_EXCEEDED', 'the request was not run within its time'));
    }
    return undefined;
  }

  /** The batch that would start now: `first`, and those behind it that fit. */
  private gather(first: Entry, maxBatchSize: number): Entry[] {
    const members = [first];
    let { rows } = first;
    for (const entry of this.waiting) {
      if (rows >= maxBatchSize) break;
      const fits = entry.key === first.key && entry.rows > 0 && rows + entry.rows <= maxBatchSize;
      if (entry === first || entry.alone || !fits) continue;
      members.push(entry);
      rows += entry.rows;
    }
    return members;
  }

  /** Runs a batch and answers its members. Never rejects. */
  private async execute(
    members: readonly Entry[],
    rows: number,
    padding: Padding | undefined,
    started: number,
  ): Promise<void> {
    const [first] = members as [Entry];
    try {
      const inputs = members.map((member) => member.inputs);
      const { outputs, runMicros } = await this.model.predict(this.signature, inputs, {
        outputs: first.outputs,
        padding,
      });
      const whole = members.length === 1 && padding === undefined;
      const split = whole
        ? [first.single ? removeBatchDim(this.signature, outputs) : outputs]
        : this.split(members, outputs, rows + (padding?.rows ?? 0));
      members.forEach(({ enqueued, resolve }, i) => {
        const queueMicros = (started - enqueued) * 1000;
        resolve({ outputs: split[i] as NamedTensors, queueMicros, runMicros, batchSize: rows });
      });
    } catch (error) {
      if (first.alone || (members.length === 1 && padding === undefined)) first.reject(error);
      else this.runAlone(members);
    }
  }

  /** Each member's own rows. @throws ServingError if the outputs do not have a row for each of the inputs' */
  private split(members: readonly Entry[], outputs: NamedTensors, size: number): NamedTensors[] {
    for (const [name, { shape }] of outputs) {
      if (shape[0] === size) continue;
      this.disagreement = `output \`${name}\` gave ${shape[0]} rows for ${size}`;
      disposeTensors(outputs);
      throw new ServingError('INTERNAL', this.disagreement);
    }
    let start = 0;
    const ranges = members.map(({ rows: count, single }): RowRange => {
      const range = { start, count, single };
      start += count;
      return range;
    });
    return splitRows(outputs, ranges);
  }

  /** Puts the members of a failed batch back, to be run one by one, before anything else. */
  private runAlone(members: readonly Entry[]): void {
    const others = [...this.waiting];
    this.waiting.clear();
    for (const member of members) {
      const { reason } = member.cancellation;
      member.alone = true;
      if (reason) member.reject(reason);
      else this.waiting.add(member);
    }
    for (const other of others) this.waiting.add(other);
    this.scheduler.wake(this);
  }

  private rowsOf(inputs: NamedTensors): number {
    const [tensor] = inputs.values();
    return tensor?.shape[0] ?? 1;
  }

  /** Batches have one set of outputs and one shape per row. */
  private keyOf({ inputs, outputs }: BatchRequest): string {
    let key = outputs === undefined ? '' : outputs.join('\0');
    for (const tensor of inputs.values()) key += `\n${tensor.shape.slice(1)}`;
    return key;
  }
}

function totalRows(members: readonly Entry[]): number {
  let rows = 0;
  for (const entry of members) rows += entry.rows;
  return rows;
}

/** Tried again a second later it may have gone down. */
export function queueFull(): ServingError {
  return new ServingError('UNAVAILABLE', 'too many requests wait for this model (--queue-size)', 1);
}
