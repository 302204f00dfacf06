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

import type { InferenceModel, RunOptions, RunResult } from '../../engines/inference-model.js';
import type { Signature } from '../../engines/signature.js';
import { ServingError } from '../../errors.js';
import { Linked, List } from '../../flow/list.js';
import { type Padding, type RowRange, splitRows } from '../../tfjs/rows.js';
import { disposeTensors, type NamedTensors } from '../../tfjs/tensors.js';
import { removeBatchDim } from '../match.js';
import { type BatchLimits, type BatchVerdict, paddedSize, signatureLimits } from './batching.js';
import type { InlineRuns } from './inline.js';
import { countStuck, Lane, type Scheduler, type Start, type StartedRun } from './scheduler.js';
import { Trial } from './shared-trial.js';

export interface QueuedRequest {
  /** As the graph takes them, with the batch dim. They stay the caller's, and must live until the answer is there. */
  readonly inputs: NamedTensors;
  /** One sample: the batch dim comes off the outputs. */
  readonly single: boolean;
  /** Outputs to give; all by default. */
  readonly outputs: readonly string[] | undefined;
  /** In milliseconds of the monotonic clock. Once it has passed, the request is not run any more. */
  readonly deadline: number;
  /** Models whose handlers' calls it is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
  /** One of these is called once, unless the request is withdrawn in time. */
  succeeded(result: BatchResult): void;
  failed(error: unknown): void;
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

/** A request in the queue, or in a run. */
export class QueueEntry extends Linked {
  /** Of its first input. */
  readonly rows: number;
  /** Requests with the same key may share a batch: they ask for the same outputs, and the rows of each input have one shape. */
  readonly key: string;
  readonly enqueued = performance.now();
  /** All of its inputs have that many. */
  readonly isEven: boolean;
  /** Shares no run: its inputs do not have the same number of rows, or none, or it was in a batch that failed. */
  alone: boolean;
  /** Nobody waits for it any more. */
  withdrawn = false;

  constructor(
    readonly request: QueuedRequest,
    { inputs: specs }: Signature,
  ) {
    super();
    const { inputs, outputs } = request;
    let key = outputs === undefined ? '' : outputs.join('\0');
    let rows: number | undefined;
    let isEven = true;
    // In the signature's order, not in the one that the client wrote them in.
    for (const name of specs.keys()) {
      const shape = inputs.get(name)?.shape ?? [];
      rows ??= shape[0];
      if (shape[0] !== rows) isEven = false;
      for (let i = 1; i < shape.length; i++) key += `,${shape[i]}`;
      key += ';';
    }
    this.key = key;
    this.rows = rows ?? 1;
    this.isEven = isEven;
    this.alone = !isEven || rows === 0;
  }
}

/** Requests that share a run. */
interface Batch {
  readonly members: readonly QueueEntry[];
  /** Of all members. */
  readonly rows: number;
  readonly padding: Padding | undefined;
  /** When it was put together, in milliseconds of the monotonic clock. */
  readonly started: number;
  /** It is run on the event loop. */
  readonly isInline: boolean;
  /** Its members are run alone as well. */
  readonly isChecked: boolean;
}

/** What a queue tells of, and is told. */
export interface BatcherSurroundings {
  /** As they are now: they change with `serving.json`. */
  readonly limits: () => BatchLimits;
  /** Requests no longer share runs. */
  readonly onDisagreement: (why: string) => void;
}

export class Batcher extends Lane {
  /** In the order they came. */
  private readonly waiting = new List<QueueEntry>();
  private readonly runs = new Set<StartedRun>();
  /** Runs that have begun, and the rows in them, padding not counted. */
  readonly totals = { runs: 0, inlineRuns: 0, rows: 0, paddingRows: 0 };
  /** Milliseconds of the longest recent run. Each shorter run lowers it by at most an eighth. */
  private longRun = 0;
  /** Found out while serving: from then on every request runs alone. */
  private disagreement: string | undefined;
  readonly trial = new Trial();

  /** Those that were last worked out, and from what. */
  private known: { readonly given: BatchLimits; readonly limits: BatchLimits } | undefined;

  constructor(
    private readonly model: InferenceModel,
    readonly signature: Signature,
    private readonly scheduler: Scheduler,
    private readonly verdict: BatchVerdict,
    readonly inline: InlineRuns,
    private readonly surroundings: BatcherSurroundings,
  ) {
    super();
  }

  get limits(): BatchLimits {
    const given = this.surroundings.limits();
    if (this.known?.given !== given) this.known = { given, limits: signatureLimits(this.signature, given) };
    return this.known.limits;
  }

  /** Why every request runs alone, or undefined if they share runs. */
  get whyNot(): string | undefined {
    const { whyNot, unproven } = this.verdict;
    return whyNot ?? this.disagreement ?? (this.limits.isTrusted ? undefined : unproven) ?? this.whyNoBatch;
  }

  private get whyNoBatch(): string | undefined {
    if (this.maxBatchSize > 1) return undefined;
    const { maxBatchSize, isExplicit } = this.limits;
    if (maxBatchSize > 1) return `larger batches ${whyNoLarger(this.verdict)}, as its warm-up showed`;
    return `somebody set the largest batch to 1 (${isExplicit ? 'batching_parameters' : '--max-batch-size'})`;
  }

  /** True once it was seen that requests that shared runs must not. */
  get hasDisagreed(): boolean {
    return this.disagreement !== undefined;
  }

  /**
   * - proven: requests share runs, since the graph shows that rows are not mixed.
   * - trial: they share runs because somebody said so, and are checked.
   * - declared: they share runs because a handler takes batches, or because made-up rows agreed where no graph tells.
   * - alone: they share none.
   */
  get sharing(): 'proven' | 'trial' | 'declared' | 'alone' {
    if (this.whyNot !== undefined) return 'alone';
    if (this.verdict.unproven !== undefined) return 'trial';
    return this.signature.rows && !this.verdict.isDeclared ? 'proven' : 'declared';
  }

  /** 1 if runs write state: two at once could read the same counter. */
  get runsAtOnce(): number {
    return this.signature.rows?.writes ? 1 : this.limits.runsInFlight;
  }

  /** Rows that a batch is filled up to. */
  get maxBatchSize(): number {
    const { maxBatchSize, isExplicit } = this.limits;
    return isExplicit ? maxBatchSize : Math.min(maxBatchSize, this.verdict.worthwhile ?? maxBatchSize);
  }

  /** How requests are batched and why, for people. */
  get explanation(): string {
    const { whyNot, sharing, maxBatchSize, verdict, limits, disagreement } = this;
    const mayTry =
      verdict.whyNot === undefined && verdict.unproven !== undefined && disagreement === undefined;
    const how = mayTry ? `; ${howToTry}` : '';
    if (whyNot !== undefined) return `alone: ${whyNot}${whyNot === verdict.unproven ? how : ''}`;
    const cut = maxBatchSize < limits.maxBatchSize ? `; larger ones ${whyNoLarger(verdict)}` : '';
    const size = `in batches of up to ${maxBatchSize} rows${cut}`;
    if (sharing === 'trial')
      return `on trial, ${size}: ${verdict.unproven}; ${this.trial.checked} batches were compared`;
    return `${sharing}, ${size}${verdict.evidence === '' ? '' : `: ${verdict.evidence}`}`;
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
   * Queues a request, to be run alone or with others.
   *
   * @throws ServingError UNAVAILABLE if the queue is full
   */
  submit(request: QueuedRequest): QueueEntry {
    if (this.isFull) throw queueFull();
    const entry = new QueueEntry(request, this.signature);
    this.waiting.add(entry);
    this.scheduler.wake(this);
    return entry;
  }

  /** Takes a request back. @returns true if no run has taken it: then its callbacks are not called */
  withdraw(entry: QueueEntry): boolean {
    entry.withdrawn = true;
    return this.waiting.delete(entry);
  }

  start(now: number, hasSlot: boolean): Start {
    const { limits, maxBatchSize } = this;
    const first = this.first(now);
    if (first === undefined) return 'idle';
    const noThread = this.runs.size >= this.runsAtOnce ? 'idle' : hasSlot ? undefined : 'no slot';
    if (noThread && !this.inline.arePossible) return noThread;
    const isShared = !first.alone && this.whyNot === undefined;
    const members = isShared ? this.gather(first, maxBatchSize, now) : [first];
    const rows = totalRows(members);
    if (isShared && rows < maxBatchSize && limits.timeoutMilliseconds > 0) {
      const wait = first.enqueued + limits.timeoutMilliseconds - now;
      if (wait > 0) return wait;
    }
    const size = isShared ? paddedSize(rows, limits.allowedSizes) : rows;
    const isTried = members.length > 1 && this.verdict.unproven !== undefined;
    const isInline =
      first.isEven && !isTried && !this.model.isTraced && this.inline.areShort(size, givesAll(first));
    if (noThread && !isInline) return noThread;
    for (const member of members) this.waiting.delete(member);
    const padding = size > rows ? { rows: size - rows, value: limits.paddingValue } : undefined;
    const isChecked = isTried && this.trial.takesNext();
    const batch = { members, rows, padding, started: now, isInline, isChecked };
    this.totals.runs += 1;
    this.totals.rows += rows;
    this.totals.paddingRows += size - rows;
    if (isInline) {
      this.totals.inlineRuns += 1;
      this.runHere(batch);
      return 'ran';
    }
    const lastDeadline = Math.max(...members.map(({ request }) => request.deadline));
    const run: StartedRun = {
      lastDeadline,
      ended: this.begin(batch, (lastDeadline - now) / 1000).then(() => {
        this.runs.delete(run);
        this.longRun = Math.max(performance.now() - now, (this.longRun * 7) / 8);
        if (this.waiting.size > 0) this.scheduler.wake(this);
      }),
    };
    this.runs.add(run);
    return run;
  }

  /** The oldest that can be answered in time, or if none can, the oldest. */
  private first(now: number): QueueEntry | undefined {
    let late: QueueEntry | undefined;
    for (const entry of this.waiting) {
      const { deadline } = entry.request;
      if (deadline > now + this.longRun) return entry;
      if (deadline > now) {
        late ??= entry;
        continue;
      }
      this.waiting.delete(entry);
      entry.request.failed(new ServingError('DEADLINE_EXCEEDED', 'the request was not run within its time'));
    }
    return late;
  }

  /** The batch that would start now: `first`, and those that fit and can be answered in time, if `first` can. */
  private gather(first: QueueEntry, maxBatchSize: number, now: number): QueueEntry[] {
    const members = [first];
    let { rows } = first;
    const end = now + this.longRun;
    const earliest = first.request.deadline > end ? end : now;
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

  private begin(batch: Batch, timeoutSeconds: number): Promise<void> {
    return batch.isChecked ? this.runAndCheck(batch, timeoutSeconds) : this.run(batch, timeoutSeconds);
  }

  /** Runs a batch together and its members alone. Never rejects. */
  private async runAndCheck(batch: Batch, timeoutSeconds: number): Promise<void> {
    const { members, rows, padding, started } = batch;
    const options = { ...optionsOf(batch), timeoutSeconds };
    const predict = (inputs: readonly NamedTensors[], added?: Padding) =>
      this.model.predict(this.signature, inputs, { ...options, padding: added });
    const difference = await this.trial.run(
      {
        members,
        rows,
        together: async () => {
          const { outputs } = await predict(inputsOf(batch), padding);
          return this.split(members, outputs, rows + (padding?.rows ?? 0), false);
        },
        alone: ({ request }) => predict([request.inputs]),
        succeeded: ({ request, enqueued }, { outputs, runMicros }) => {
          const given = request.single ? removeBatchDim(this.signature, outputs) : outputs;
          const queueMicros = (started - enqueued) * 1000;
          request.succeeded({ outputs: given, queueMicros, runMicros, batchSize: 1 });
        },
        failed: ({ request }, error) => request.failed(error),
      },
      this.model.mode,
    );
    if (difference !== undefined) this.disagree(difference);
  }

  /** Ends the sharing of runs. */
  private disagree(why: string): void {
    if (this.disagreement !== undefined) return;
    this.disagreement = why;
    this.surroundings.onDisagreement(why);
  }

  /** Runs a batch on a thread and answers its members. Never rejects. */
  private async run(batch: Batch, timeoutSeconds: number): Promise<void> {
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

  /** The same on the event loop. */
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
    const { members, rows, padding, started, isInline } = batch;
    this.inline.observe(rows + (padding?.rows ?? 0), runMicros, isInline, givesAll(members[0]));
    let split: readonly NamedTensors[];
    try {
      if (!isWhole(batch)) split = this.split(members, outputs, rows + (padding?.rows ?? 0), true);
      else split = [members[0]?.request.single ? removeBatchDim(this.signature, outputs) : outputs];
    } catch (error) {
      this.giveUp(batch, error);
      return;
    }
    members.forEach(({ request, enqueued }, i) => {
      const queueMicros = (started - enqueued) * 1000;
      request.succeeded({ outputs: split[i] as NamedTensors, queueMicros, runMicros, batchSize: rows });
    });
  }

  /**
   * Each member's own rows.
   *
   * @param takesOff the batch dim comes off where a member is one sample
   * @throws ServingError if the outputs do not have a row for each of the inputs'
   */
  private split(
    members: readonly QueueEntry[],
    outputs: NamedTensors,
    size: number,
    takesOff: boolean,
  ): NamedTensors[] {
    for (const [name, { shape }] of outputs) {
      if (shape[0] === size) continue;
      disposeTensors(outputs);
      const why = `output \`${name}\` gave ${shape[0]} rows for ${size}`;
      this.disagree(why);
      throw new ServingError('INTERNAL', why);
    }
    let start = 0;
    const ranges = members.map(({ rows: count, request }): RowRange => {
      const range = { start, count, single: takesOff && request.single };
      start += count;
      return range;
    });
    return splitRows(outputs, ranges);
  }

  /** Answers the only member of a batch that failed; of several, each is run once more, alone, before anything else. */
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
    this.scheduler.wake(this);
  }
}

function whyNoLarger({ limitedBy }: BatchVerdict): string {
  return limitedBy === 'time' ? 'would keep requests waiting, since a run takes over 0.1 s' : 'save nothing';
}

const howToTry = '"batching_parameters": {"enabled": true} in its serving.json has them share runs on trial';

/** True if the batch asks for all outputs. All its members ask for the same ones. */
function givesAll(member: QueueEntry | undefined): boolean {
  return member?.request.outputs === undefined;
}

function inputsOf({ members }: Batch): NamedTensors[] {
  return members.map(({ request }) => request.inputs);
}

function optionsOf({ members, padding }: Batch): RunOptions {
  return { outputs: members[0]?.request.outputs, padding, callers: callersOf(members) };
}

/** Of all of them: a batch is within every call that one of its members is within. */
function callersOf(members: readonly QueueEntry[]): readonly string[] | undefined {
  let callers: readonly string[] | undefined;
  for (const { request } of members) {
    if (request.callers === undefined || request.callers === callers) continue;
    callers = callers === undefined ? request.callers : [...new Set([...callers, ...request.callers])];
  }
  return callers;
}

/** True if all of the run is one request's. */
function isWhole({ members, padding }: Batch): boolean {
  return members.length === 1 && padding === undefined;
}

function totalRows(members: readonly QueueEntry[]): number {
  let rows = 0;
  for (const entry of members) rows += entry.rows;
  return rows;
}

/** After a second the queue may be shorter. */
export function queueFull(): ServingError {
  return new ServingError('UNAVAILABLE', 'too many requests wait for this model (--queue-size)', {
    retryAfter: 1,
  });
}
