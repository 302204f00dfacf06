/**
 * Which requests go first when there are more than can be answered in their time.
 *
 * The clock and the model are doubles: a run ends when the test says so, and takes as long as the clock says.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { type InferenceModel, plainMode, type RunResult } from '../../../src/engines/inference-model.ts';
import { onlyLoop, SharedNumbers } from '../../../src/flow/shared-numbers.ts';
import { Batcher, queueWidth } from '../../../src/serving/queue/batcher.ts';
import { InlineRuns } from '../../../src/serving/queue/inline.ts';
import { Scheduler } from '../../../src/serving/queue/scheduler.ts';
import { createTensor, disposeTensors, type NamedTensors } from '../../../src/tfjs/tensors.ts';
import { makeSignature } from '../../fixtures/codec.ts';
import { openRuntimeForTests } from '../../fixtures/runtime.ts';

openRuntimeForTests();

const signature = makeSignature({ x: ['uint8', [null]] });

/** Gives each row back, once it is told to. */
class Echo implements InferenceModel {
  readonly signatures = new Map([[signature.name, signature]]);
  readonly type = 'test';
  readonly platform = 'test';
  readonly mode = plainMode;
  readonly isTraced = false;
  private end: (() => void) | undefined;

  predict(_: unknown, members: readonly NamedTensors[]): Promise<RunResult> {
    const bytes = new Uint8Array(members.length);
    return new Promise((resolve) => {
      this.end = () => {
        const outputs = new Map([['y', createTensor('uint8', [members.length], bytes)]]);
        resolve({ outputs, queueMicros: 0, runMicros: 0 });
      };
    });
  }

  whyNotInline(): undefined {}

  predictHere(): RunResult {
    throw new Error('a run takes too long for the event loop');
  }

  async endRun(): Promise<void> {
    this.end?.();
    await turn();
  }

  async dispose(): Promise<void> {}
}

/** A queue in front of a model of which one run has taken 100 ms; it is 100 on the clock. */
async function afterOneRun(maxBatchSize: number) {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const scheduler = new Scheduler(1);
  // The test starts runs itself.
  vi.spyOn(scheduler, 'wake').mockReturnValue();
  const model = new Echo();
  const limits = {
    ...{
      maxBatchSize,
      isExplicit: true,
      isTrusted: false,
      timeout: 0,
      allowedSizes: [],
      paddingValue: 0,
    },
    ...{ runsInFlight: 1, queueSize: 10 },
  };
  const inline = new InlineRuns('a double', 0);
  const batcher = new Batcher(model, signature, {
    ...{ scheduler, inline, verdict: { sharing: 'proven', evidence: 'a double' } },
    limits: () => limits,
    onDisagreement: () => {},
    numbers: SharedNumbers.make(onlyLoop, queueWidth),
  });
  const answered: string[] = [];
  const submit = (name: string, deadline: number) => {
    const inputs = new Map([['x', createTensor('uint8', [1], Uint8Array.of(1))]]);
    batcher.submit({
      ...{ inputs, single: false, outputs: undefined, deadline },
      succeeded(result) {
        answered.push(name);
        disposeTensors(inputs);
        disposeTensors(result.outputs);
      },
      failed: (error) => expect.unreachable(String(error)),
    });
  };
  const run = async (milliseconds: number) => {
    batcher.start(now, true);
    now += milliseconds;
    await model.endRun();
    return answered.splice(0);
  };
  submit('first', 1000);
  expect(await run(100)).toEqual(['first']);
  return { submit, run };
}

afterEach(() => {
  vi.restoreAllMocks();
});

it('a request that cannot be answered in time lets those behind it go first', async () => {
  const { submit, run } = await afterOneRun(1);
  submit('in time only if runs were shorter', 199);
  submit('in time', 201);
  expect(await run(10)).toEqual(['in time']);
  expect(await run(10)).toEqual(['in time only if runs were shorter']);
});

it('nor does it take a place in their batch', async () => {
  const { submit, run } = await afterOneRun(2);
  submit('in time only if runs were shorter', 199);
  submit('in time', 1000);
  submit('in time, too', 1000);
  expect(await run(10)).toEqual(['in time', 'in time, too']);
  expect(await run(10)).toEqual(['in time only if runs were shorter']);
});

it('where none can be answered in time they run in their order, and show how long runs are by now', async () => {
  const { submit, run } = await afterOneRun(1);
  for (let i = 0; i < 8; i++) {
    submit(`${i}`, 199);
    expect(await run(1)).toEqual([`${i}`]);
  }
  // A run has forgotten most of the 100 ms: at 108 it may take 7/8 to the eighth of them, 34.
  submit('too late', 140);
  submit('in time', 144);
  expect(await run(1)).toEqual(['in time']);
  expect(await run(1)).toEqual(['too late']);
});
