/**
 * The queue before one signature of one servable, and how its requests share runs.
 *
 * A run takes the requests that wait when it starts: the oldest one, and those behind it that fit the batch. No request
 * waits for others unless `--batch-timeout` says so. When a batch fails, its members run again, each alone. So one bad
 * request fails nobody else.
 *
 * A request that would miss its deadline yields to later ones. Otherwise, under overload, each request would run just
 * before its deadline, and for nothing.
 */

import type { InferenceModel, RunResult } from '../../engines/inference-model.js';
import type { Signature } from '../../engines/signature.js';
import { ServingError } from '../../errors.js';
import { entriesOf } from '../../flow/keys.js';
import type { SharedNumbers } from '../../flow/shared-numbers.js';
import { bucketOf } from '../../telemetry/buckets.js';
import { type Padding, type RowRange, splitRows } from '../../tfjs/rows.js';
import { disposeTensors, type NamedTensors } from '../../tfjs/tensors.js';
import { inMicros, type Milliseconds, type Moment, now, type Seconds } from '../../time.js';
import { removeBatchDim } from '../match.js';
import { type Batch, givesAll, inputsOf, isWhole, optionsOf, sizeOf, totalRows } from './batch.js';
import { type BatchLimits, paddedSize } from './batching.js';
import type { InlineRuns } from './inline.js';
import { type QueuedRequest, QueueEntry, type QueueOwner } from './queue-entry.js';
import {
  countStuck,
  idle,
  Lane,
  noSlot,
  ran,
  type Scheduler,
  type Start,
  type StartedRun,
} from './scheduler.js';
import { Sharing, type SharingOptions } from './sharing.js';
import { WaitingRequests } from './waiting-requests.js';

/** The parts of a queue. */
export interface BatcherOptions extends SharingOptions {
  readonly scheduler: Scheduler;
  readonly inline: InlineRuns;
  /** The numbers of this queue on all event loops, with {@link queueColumns} columns. */
  readonly numbers: SharedNumbers;
  /** The event loops on which requests wait for this signature; by default one. */
  readonly loops?: number | undefined;
}

/** What the event loops tell each other of a queue, each in its column. */
export const queueColumns = {
  queued: 0,
  inFlight: 1,
  stuck: 2,
  runs: 3,
  inlineRuns: 4,
  /** The rows of the runs that have begun, without padding. */
  rows: 5,
  paddingRows: 6,
} as const;

/** The upper bounds of the buckets that count runs by their rows. */
export const batchBounds: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** The first column of these buckets, with one more for runs beyond every bound. */
const batchesAt = Object.keys(queueColumns).length;

export const queueWidth = batchesAt + batchBounds.length + 1;

/** The numbers of a queue on all event loops together. */
export type QueueTotals = Readonly<Record<keyof typeof queueColumns, number>>;

export class Batcher extends Lane {
  /** The waiting requests, in the order in which they came. */
  private readonly waiting = new WaitingRequests();
  private readonly runs = new Set<StartedRun>();
  readonly numbers: SharedNumbers;
  /** How long the longest recent run took. Each shorter run lowers it by at most an eighth. */
  private longRun: Milliseconds = 0;
  readonly sharing: Sharing;
  readonly inline: InlineRuns;
  private readonly scheduler: Scheduler;
  private readonly loops: number;

  constructor(
    private readonly model: InferenceModel,
    readonly signature: Signature,
    options: BatcherOptions,
  ) {
    super();
    this.sharing = new Sharing(signature, options);
    this.inline = options.inline;
    this.scheduler = options.scheduler;
    this.numbers = options.numbers;
    this.loops = options.loops ?? 1;
  }

  get limits(): BatchLimits {
    return this.sharing.limits;
  }

  /** 1 if runs write state: two at once could read the same counter. */
  get runsAtOnce(): number {
    return this.signature.rows?.writes ? 1 : this.limits.runsInFlight;
  }

  /** True if as many requests wait as may, on all event loops together. */
  get isFull(): boolean {
    return this.numbers.total(queueColumns.queued) >= this.limits.queueSize;
  }

  /**
   * True if an owner holds as many places as may be. Each event loop knows its own places only, so it gives an equal part
   * of them: all together never give more than the share.
   */
  isFullFor({ id, queueShare }: QueueOwner): boolean {
    const places = Math.floor((queueShare * this.limits.queueSize) / this.loops);
    return this.waiting.heldBy(id) >= Math.max(1, places);
  }

  /** The numbers of all event loops together. */
  get totals(): QueueTotals {
    this.countStuck();
    const totals: Partial<Record<keyof typeof queueColumns, number>> = {};
    for (const [name, column] of entries) totals[name] = this.numbers.total(column);
    return totals as QueueTotals;
  }

  /** The runs by their rows, on all event loops together: one number for each of {@link batchBounds}, and one for larger runs. */
  get batches(): readonly number[] {
    return Array.from({ length: batchBounds.length + 1 }, (_, i) => this.numbers.total(batchesAt + i));
  }

  /** Counts the runs of this event loop that go on although the time of all their requests is over. */
  countStuck(): void {
    this.numbers.mine[queueColumns.stuck] = countStuck(this.runs, now());
  }

  private count(): void {
    const { mine } = this.numbers;
    mine[queueColumns.queued] = this.waiting.size;
    mine[queueColumns.inFlight] = this.runs.size;
  }

  private add(column: number, count: number): void {
    const { mine } = this.numbers;
    mine[column] = (mine[column] as number) + count;
  }

  /**
   * Queues a request, to be run alone or with others.
   *
   * @throws ServingError UNAVAILABLE if the queue is full, RESOURCE_EXHAUSTED if it is for the owner of the request
   */
  submit(request: QueuedRequest): QueueEntry {
    if (this.isFull) throw queueFull();
    if (request.owner && this.isFullFor(request.owner)) throw queueFullForKey();
    const entry = new QueueEntry(request, this.signature);
    this.waiting.add(entry);
    this.count();
    this.scheduler.wake(this);
    return entry;
  }

  /** Takes a request back. @returns true if no run has taken it: then its callbacks are not called */
  withdraw(entry: QueueEntry): boolean {
    entry.withdrawn = true;
    const waited = this.waiting.delete(entry);
    this.count();
    return waited;
  }

  start(moment: Moment, hasSlot: boolean): Start {
    const { sharing } = this;
    const { limits, maxBatchSize } = sharing;
    const first = this.first(moment);
    if (first === undefined) return idle;
    const noThread = this.runs.size >= this.runsAtOnce ? idle : hasSlot ? undefined : noSlot;
    if (noThread && !this.inline.arePossible) return noThread;
    const isShared = !first.alone && sharing.whyNot === undefined;
    const members = isShared ? this.gather(first, maxBatchSize, moment) : [first];
    const rows = totalRows(members);
    if (isShared && rows < maxBatchSize && limits.timeout > 0) {
      const wait = first.enqueued + limits.timeout - moment;
      if (wait > 0) return { kind: 'wait', time: wait };
    }
    const size = isShared ? paddedSize(rows, limits.allowedSizes) : rows;
    const isTried = members.length > 1 && sharing.isOnTrial;
    const isInline =
      first.isEven && !isTried && !this.model.isTraced && this.inline.areShort(size, givesAll(first));
    if (noThread && !isInline) return noThread;
    for (const member of members) this.waiting.delete(member);
    this.count();
    const padding = size > rows ? { rows: size - rows, value: limits.paddingValue } : undefined;
    const isChecked = isTried && sharing.trial.takesNext();
    const batch = { members, rows, padding, started: moment, isInline, isChecked };
    this.add(queueColumns.runs, 1);
    this.add(queueColumns.rows, rows);
    this.add(batchesAt + bucketOf(rows, batchBounds), 1);
    this.add(queueColumns.paddingRows, size - rows);
    if (isInline) {
      this.add(queueColumns.inlineRuns, 1);
      this.runHere(batch);
      return ran;
    }
    const lastDeadline = Math.max(...members.map(({ request }) => request.deadline));
    const run: StartedRun = {
      kind: 'run',
      lastDeadline,
      ended: this.begin(batch, (lastDeadline - moment) / 1000).then(() => {
        this.runs.delete(run);
        this.count();
        this.longRun = Math.max(now() - moment, (this.longRun * 7) / 8);
        if (this.waiting.size > 0) this.scheduler.wake(this);
      }),
    };
    this.runs.add(run);
    this.count();
    return run;
  }

  /** The oldest request that can be answered in time, or if there is none, the oldest. */
  private first(moment: Moment): QueueEntry | undefined {
    let late: QueueEntry | undefined;
    for (const entry of this.waiting) {
      const { deadline } = entry.request;
      if (deadline > moment + this.longRun) return entry;
      if (deadline > moment) {
        late ??= entry;
        continue;
      }
      this.waiting.delete(entry);
      this.count();
      entry.request.failed(new ServingError('DEADLINE_EXCEEDED', 'the request was not run within its time'));
    }
    return late;
  }

  /**
   * The batch that would start now: `first` and the requests that fit. If `first` can be answered in time, so can all
   * of them.
   */
  private gather(first: QueueEntry, maxBatchSize: number, moment: Moment): QueueEntry[] {
    const members = [first];
    let { rows } = first;
    const end = moment + this.longRun;
    const earliest = first.request.deadline > end ? end : moment;
    for (const entry of this.waiting) {
      if (rows >= maxBatchSize) break;
      const isInTime = entry.request.deadline > earliest;
      const fits = isInTime && entry.key === first.key && rows + entry.rows <= maxBatchSize;
      if (entry === first || entry.alone || !fits) continue;
      members.push(entry);
      rows += entry.rows;
    }
    return members;
  }

  private begin(batch: Batch, timeoutSeconds: Seconds): Promise<void> {
    return batch.isChecked ? this.runAndCheck(batch, timeoutSeconds) : this.run(batch, timeoutSeconds);
  }

  /** Runs a batch together and its members alone. Never rejects. */
  private async runAndCheck(batch: Batch, timeoutSeconds: Seconds): Promise<void> {
    const { members, rows, padding, started } = batch;
    const options = { ...optionsOf(batch), timeoutSeconds };
    const predict = (inputs: readonly NamedTensors[], added?: Padding) =>
      this.model.predict(this.signature, inputs, { ...options, padding: added });
    const difference = await this.sharing.trial.run(
      {
        members,
        rows,
        together: async () => {
          const { outputs } = await predict(inputsOf(batch), padding);
          return this.split(batch, outputs, false);
        },
        alone: ({ request }) => predict([request.inputs]),
        succeeded: ({ request, enqueued }, { outputs, runMicros }) => {
          const given = request.single ? removeBatchDim(this.signature, outputs) : outputs;
          const queueMicros = inMicros(started - enqueued);
          request.succeeded({ outputs: given, queueMicros, runMicros, batchSize: 1 });
        },
        failed: ({ request }, error) => request.failed(error),
      },
      this.model.mode,
    );
    if (difference !== undefined) this.sharing.disagree(difference);
  }

  /** Runs a batch on a thread and answers its members. Never rejects. */
  private async run(batch: Batch, timeoutSeconds: Seconds): Promise<void> {
    let prediction: RunResult;
    try {
      const options = { ...optionsOf(batch), timeoutSeconds };
      prediction = await this.model.predict(this.signature, inputsOf(batch), options);
    } catch (error) {
      this.giveUp(batch, error);
      return;
    }
    this.answer(batch, prediction);
  }

  /** Runs a batch on the event loop. */
  private runHere(batch: Batch): void {
    let prediction: RunResult;
    try {
      prediction = this.model.predictHere(this.signature, inputsOf(batch), optionsOf(batch));
    } catch (error) {
      this.giveUp(batch, error);
      return;
    }
    this.answer(batch, prediction);
  }

  private answer(batch: Batch, { outputs, runMicros }: RunResult): void {
    const { members, rows, started, isInline } = batch;
    this.inline.observe(sizeOf(batch), runMicros, isInline, givesAll(members[0]));
    let split: readonly NamedTensors[];
    try {
      if (!isWhole(batch)) split = this.split(batch, outputs, true);
      else split = [members[0]?.request.single ? removeBatchDim(this.signature, outputs) : outputs];
    } catch (error) {
      this.giveUp(batch, error);
      return;
    }
    members.forEach(({ request, enqueued }, i) => {
      const queueMicros = inMicros(started - enqueued);
      request.succeeded({ outputs: split[i] as NamedTensors, queueMicros, runMicros, batchSize: rows });
    });
  }

  /**
   * Gives each member its own rows.
   *
   * @param removesBatchDim says that a member that is one sample gets its outputs without the batch dim
   * @throws ServingError if the outputs do not have as many rows as the inputs
   */
  private split(batch: Batch, outputs: NamedTensors, removesBatchDim: boolean): NamedTensors[] {
    const size = sizeOf(batch);
    for (const [name, { shape }] of outputs) {
      if (shape[0] === size) continue;
      disposeTensors(outputs);
      const why = `output \`${name}\` gave ${shape[0]} rows for ${size}`;
      this.sharing.disagree(why);
      throw new ServingError('INTERNAL', why);
    }
    let start = 0;
    const ranges = batch.members.map(({ rows: count, request }): RowRange => {
      const range = { start, count, single: removesBatchDim && request.single };
      start += count;
      return range;
    });
    return splitRows(outputs, ranges);
  }

  /**
   * Answers the only member of a failed batch. If there are several, each is run once more, alone, before anything
   * else.
   */
  private giveUp(batch: Batch, error: unknown): void {
    const { members } = batch;
    if (isWhole(batch)) {
      members[0]?.request.failed(error);
      return;
    }
    for (const member of members.toReversed()) {
      member.alone = true;
      if (member.withdrawn) member.request.failed(error);
      else this.waiting.addFirst(member);
    }
    this.count();
    this.scheduler.wake(this);
  }
}

const entries = entriesOf<keyof typeof queueColumns, number>(queueColumns);

/** The error for a full queue. After a second, the queue may be shorter. */
export function queueFull(): ServingError {
  return new ServingError('UNAVAILABLE', 'too many requests wait for this model (--queue-size)', {
    retryAfter: 1,
  });
}

/** The error for a key that holds its share of a queue, which may still have places for others. */
export function queueFullForKey(): ServingError {
  return new ServingError(
    'RESOURCE_EXHAUSTED',
    'too many requests of this key wait for this model (`queue_share` of the key)',
    { retryAfter: 1 },
  );
}
