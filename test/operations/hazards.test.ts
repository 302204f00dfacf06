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

const floats = (...shape: number[]) => ({
  dtype: 'float32' as const,
  feed: [1, shape, new Uint8Array(4 * shape.reduce((count, dim) => count * dim, 1))] satisfies Feed,
});
const integers = (...values: number[]) => ({
  dtype: 'int32' as const,
  feed: [3, [values.length], new Uint8Array(Int32Array.from(values).buffer)] satisfies Feed,
});
const flat = { strides: [1, 1, 1, 1], padding: 'SAME' };
const pooled = (padding: string, stride: number) => ({
  ksize: [1, 2, 2, 1],
  strides: [1, stride, stride, 1],
  padding,
});
const condition = { dtype: 'bool' as const, feed: [10, [3, 1], new Uint8Array(3)] satisfies Feed };
const drawn = [integers(2, 3), integers(1, 2), floats(3), floats(2, 1)];

describe('what TensorFlow takes is not refused', () => {
  it.each([
    ['Conv2DBackpropInput', flat, [integers(-1, 4, 4, 1), floats(2, 2, 1, 1), floats(3, 4, 4, 1)]],
    ['Conv2DBackpropInput', flat, [integers(4, 4), floats(2, 2, 1, 1), floats(3, 4, 4, 1)]],
    ['AvgPoolGrad', pooled('VALID', 1), [integers(2, 4, 5, 3), floats(2, 3, 4, 3)]],
    ['AvgPoolGrad', pooled('VALID', 2), [integers(2, 4, 5, 3), floats(2, 2, 2, 3)]],
    ['AvgPoolGrad', pooled('SAME', 2), [integers(2, 4, 5, 3), floats(2, 2, 3, 3)]],
    ['SelectV2', {}, [condition, floats(1, 4), floats(2, 1, 1)]],
    ['BatchMatMulV2', {}, [floats(4096, 1, 1, 2), floats(64, 2, 1)]],
    ['Einsum', { equation: '...ij,...jk->...ik', N: 2 }, [floats(4096, 1, 1, 2), floats(64, 2, 1)]],
    ['StatelessRandomBinomial', { dtype: { type: 1 } }, drawn],
  ])('%s %j', async (op, attributes, inputs) => {
    expect(await run({ op, attributes, inputs, needs: /^/ }, true)).toEqual({ outputs: undefined });
  });
});

it.each([
  [1, 9, 9, 3],
  [1, 4, 5, 1],
  [0, 4, 5, 3],
])('a pooling of [%i,%i,%i,%i] has another gradient', async (...sizes) => {
  const inputs = [integers(...sizes), floats(1, 3, 4, 3)];
  const answer = await run({ op: 'AvgPoolGrad', attributes: pooled('VALID', 1), inputs, needs: /^/ }, true);
  expect(answer).toEqual({ error: expect.stringContaining('as windows fit into what input 0 says') });
});

it('each guarded operation of this kind has an example', () => {
  const shown = new Set(killingInputs.map(({ op }) => op));
  expect([...hazards.keys()].filter((op) => !shown.has(op))).toEqual([]);
});
