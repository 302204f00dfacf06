/**
 * The queue and its batches under whatever may come in whatever order: requests of every kind, clients that leave, deadlines
 * that pass, runs that take their time, fail, or fail for one request's sake.
 *
 * The model is a double that ends its runs when the test says so; everything else is the real thing.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import {
  type InferenceModel,
  plainMode,
  type RunOptions,
  type RunResult,
} from '../../../src/engines/inference-model.ts';
import type { Signature } from '../../../src/engines/signature.ts';
import { ServingError } from '../../../src/errors.ts';
import { Cancellation } from '../../../src/flow/cancellation.ts';
import { onlyLoop, SharedNumbers } from '../../../src/flow/shared-numbers.ts';
import { predict } from '../../../src/serving/predict.ts';
import { Batcher, queueWidth } from '../../../src/serving/queue/batcher.ts';
import type { BatchLimits } from '../../../src/serving/queue/batching.ts';
import { InlineRuns } from '../../../src/serving/queue/inline.ts';
import { Scheduler } from '../../../src/serving/queue/scheduler.ts';
import { Servable } from '../../../src/serving/servable.ts';
import { type ModelStatus, Table } from '../../../src/serving/table.ts';
import { joinRows } from '../../../src/tfjs/rows.ts';
import {
  createTensor,
  disposeTensors,
  type NamedTensors,
  tensorCount,
  viewTensor,
} from '../../../src/tfjs/tensors.ts';
import { makeSignature } from '../../fixtures/codec.ts';
import { openTestRuntime } from '../../fixtures/runtime.ts';

const slots = 3;
const firstSeed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

beforeAll(() => {
  openTestRuntime();
});

const negative = () => new ServingError('INVALID_ARGUMENT', 'a negative value');

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** y = 2x; a run that has a negative x fails, whoever sent it. */
class Doubling implements InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly type = 'test';
  readonly platform = 'test';
  readonly mode = plainMode;
  readonly isTraced = false;
  readonly pending: (() => void)[] = [];
  readonly batches: { rows: number; widths: Set<number>; ids: number[] }[] = [];

  /** @param micros what it says that a run took */
  constructor(
    signature: Signature,
    private readonly micros: () => number,
  ) {
    this.signatures = new Map([[signature.name, signature]]);
  }

  predict(_: Signature, members: readonly NamedTensors[], options?: RunOptions): Promise<RunResult> {
    const { x, give } = this.begin(members, options);
    return new Promise((resolve, reject) => {
      this.pending.push(() => {
        if (x.some((value) => value < 0)) reject(negative());
        else resolve(give());
      });
    });
  }

  whyNotInline(): undefined {}

  predictHere(_signature: Signature, members: readonly NamedTensors[], options?: RunOptions): RunResult {
    const { x, give } = this.begin(members, options);
    if (x.some((value) => value < 0)) throw negative();
    return give();
  }

  private begin(members: readonly NamedTensors[], { padding }: RunOptions = {}) {
    const tensors = members.map((inputs) => inputs.get('x') as never);
    const { shape, data } = joinRows(tensors, padding);
    const pieces = data instanceof Uint8Array ? [data] : data;
    const x = new Float32Array(Uint8Array.from(Buffer.concat(pieces as Uint8Array[])).buffer);
    const widths = new Set(tensors.map((tensor) => viewTensor(tensor).shape[1] ?? 0));
    const rows = (shape[0] ?? 0) - (padding?.rows ?? 0);
    this.batches.push({ rows, widths, ids: [...x].map(Math.abs) });
    const give = (): RunResult => {
      const y = createTensor('float32', shape, new Uint8Array(x.map((value) => 2 * value).buffer));
      return { outputs: new Map([['y', y]]), queueMicros: 0, runMicros: this.micros() };
    };
    return { x, give };
  }

  async dispose(): Promise<void> {}
}

interface Asked {
  readonly value: number;
  readonly cancellation: Cancellation;
  cancelled: boolean;
  answers: number;
}

it.each(Array.from({ length: 40 }, (_, i) => firstSeed + i))('seed %i', async (seed) => {
  const random = generator(seed);
  const pick = (below: number) => Math.floor(random() * below);
  const signature = makeSignature({ x: ['float32', [null, null]] }, { y: ['float32', [null, null]] });
  const model = new Doubling(signature, () => pick(100));
  const scheduler = new Scheduler(slots);
  const limits: BatchLimits = {
    maxBatchSize: 1 + pick(8),
    isExplicit: true,
    isTrusted: false,
    timeout: pick(3) === 0 ? pick(5) : 0,
    allowedSizes: [],
    paddingValue: 0,
    runsInFlight: 1 + pick(slots),
    queueSize: 5 + pick(30),
  };
  const id = { model: 'm', version: 1, generation: 1 };
  // Half of the models have runs that are now short enough for the event loop and now not.
  const inline = new InlineRuns(pick(2) === 0 ? undefined : 'a test', 50);
  const batcher = new Batcher(model, signature, {
    ...{ scheduler, inline, verdict: { sharing: 'proven', evidence: '' } },
    limits: () => limits,
    onDisagreement: () => {},
    numbers: SharedNumbers.make(onlyLoop, queueWidth),
  });
  const terms = { limits, defaultSignature: signature.name };
  const deployment = { id, model, parameterCount: 0, isHandled: false, batching: new Map(), terms };
  const servable = new Servable(deployment, () => batcher);
  const table = new Table(new Map([['m', { name: 'm', serving: servable } as unknown as ModelStatus]]), 'm');
  const tensorsBefore = tensorCount();
  const asked: Asked[] = [];
  const answers: Promise<void>[] = [];
  let mostWaiting = 0;

  function ask(): void {
    // Each value is one request's own, so that a run tells whose rows it had.
    const value = asked.length + 1;
    const isBad = pick(10) === 0;
    const isSingle = pick(2) === 0;
    const rows = isSingle ? 1 : pick(4);
    const width = 1 + pick(2);
    const one: Asked = { value, cancellation: new Cancellation(), cancelled: false, answers: 0 };
    asked.push(one);
    const x = new Float32Array(rows * width).fill(isBad ? -value : value);
    const answer = predict(table, {
      target: {},
      inputs: () =>
        new Map([
          ['x', createTensor('float32', isSingle ? [width] : [rows, width], new Uint8Array(x.buffer))],
        ]),
      inputNames: () => ['x'],
      deadline: performance.now() + (pick(5) === 0 ? 1 + pick(20) : 60_000),
      cancellation: one.cancellation,
    });
    answers.push(
      answer.then(
        ({ outputs, batchSize }) => {
          one.answers += 1;
          const y = viewTensor(outputs.get('y') as never);
          expect(y.shape).toEqual(isSingle ? [width] : [rows, width]);
          const values = new Float32Array(Uint8Array.from(y.data as Uint8Array).buffer);
          expect([...values]).toEqual(new Array(rows * width).fill(2 * value));
          expect(isBad && rows > 0).toBe(false);
          expect(batchSize).toBeLessThanOrEqual(Math.max(limits.maxBatchSize, rows));
          disposeTensors(outputs);
        },
        (error: unknown) => {
          one.answers += 1;
          expect(error).toBeInstanceOf(ServingError);
          const { code } = error as ServingError;
          const expected = ['UNAVAILABLE', 'DEADLINE_EXCEEDED'];
          if (one.cancelled) expected.push('CANCELLED');
          if (isBad) expected.push('INVALID_ARGUMENT');
          expect(expected).toContain(code);
        },
      ),
    );
    mostWaiting = Math.max(mostWaiting, batcher.totals.queued);
  }

  function cancel(): void {
    const one = asked[pick(asked.length)];
    if (!one) return;
    one.cancelled = true;
    one.cancellation.cancel(() => new ServingError('CANCELLED', 'gone'));
  }

  function endRun(): void {
    model.pending.splice(pick(model.pending.length), 1)[0]?.();
  }

  for (let step = 0; step < 300; step++) {
    const action = random();
    if (action < 0.5) ask();
    else if (action < 0.6) cancel();
    else if (action < 0.9) endRun();
    else await turn();
    expect(batcher.totals.inFlight).toBeLessThanOrEqual(limits.runsInFlight);
  }
  let settled = false;
  void Promise.all(answers).then(() => {
    settled = true;
  });
  while (!settled || batcher.totals.inFlight > 0) {
    endRun();
    await turn();
  }
  expect(asked.map(({ answers: count }) => count)).toEqual(asked.map(() => 1));
  // Members of batches that failed wait once more, and were let in before.
  expect(mostWaiting).toBeLessThanOrEqual(limits.queueSize + limits.maxBatchSize * limits.runsInFlight);
  for (const { rows, widths, ids } of model.batches) {
    expect(widths.size).toBe(1);
    // More rows than a batch may have only if they are one request's.
    if (rows > limits.maxBatchSize) expect(new Set(ids).size).toBe(1);
  }
  // Nobody is run more often than in one batch and, if that failed, once alone.
  for (const { value } of asked) {
    const runs = model.batches.filter(({ ids }) => ids.includes(value)).length;
    expect(runs).toBeLessThanOrEqual(2);
  }
  expect(servable.inFlight).toBe(0);
  expect(batcher.totals.queued).toBe(0);
  expect(tensorCount()).toBe(tensorsBefore);
});
