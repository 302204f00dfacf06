/**
 * Operations that end the process at some input (src/engines/tensorflow/graph/guards/hazards.ts): each one does, and with its guard it answers
 * with what it needs.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { hazards } from '../../src/engines/tensorflow/graph/guards/hazards.ts';
import type { Feed } from '../../src/engines/tensorflow/native.ts';
import { type KillingInput, killingInputs } from '../fixtures/killing-inputs.ts';
import { withOperation } from '../hostile/operation-models.ts';
import { type Answer, OperationProcess } from '../hostile/operation-process.ts';

/** Each death takes a second, so most are left to `make fuzz-operations`. */
const isThorough = process.env['FUZZ_OPERATIONS_SECONDS'] !== undefined;
const usual = ['Conv2D', 'MaxPool', 'RFFT'];

const child = new OperationProcess();

afterAll(() => child.close());

/** What comes of a killing input. */
async function run(input: KillingInput, isGuarded: boolean): Promise<Answer> {
  const answer = await withOperation(child, input, isGuarded, async (loaded, ask) => {
    expect(loaded).toEqual({ outputs: undefined });
    return ask(input.inputs.map(({ feed }) => feed));
  });
  if (!answer) throw new Error(`${input.op} has no output`);
  return answer;
}

describe.each(killingInputs)('$op', (input) => {
  it.runIf(isThorough || usual.includes(input.op))('ends the process', async () => {
    expect(await run(input, false)).toEqual({
      died: expect.stringMatching(input.hangs ? /^hangs/ : /^SIG(ABRT|FPE|SEGV)/),
    });
  });

  it('says with its guard what it needs', async () => {
    const answer = await run(input, true);
    expect(answer).toEqual({ error: expect.stringContaining(`operation \`${input.op}\``) });
    expect('error' in answer && answer.error).toMatch(input.needs);
  });
});

it("the batch of a convolution's gradient may be of any size", async () => {
  const known = killingInputs.find(({ op }) => op === 'Conv2DBackpropInput');
  if (!known) throw new Error('no convolution');
  const floats = (...shape: number[]) => ({
    dtype: 'float32' as const,
    feed: [1, shape, new Uint8Array(4 * shape.reduce((count, dim) => count * dim, 1))] satisfies Feed,
  });
  const sizes = new Uint8Array(Int32Array.of(-1, 4, 4, 1).buffer);
  const inputs = [
    { dtype: 'int32' as const, feed: [3, [4], sizes] satisfies Feed },
    floats(2, 2, 1, 1),
    floats(3, 4, 4, 1),
  ];
  expect(await run({ ...known, inputs }, true)).toEqual({ outputs: undefined });
});

it('each guarded operation of this kind has an example', () => {
  const shown = new Set(killingInputs.map(({ op }) => op));
  expect([...hazards.keys()].filter((op) => !shown.has(op))).toEqual([]);
});
