/**
 * Outputs in TensorFlow's memory are freed with their tensors, and not when the garbage collector runs. Outputs that
 * are inputs need no run.
 */
import { expect, it } from 'vitest';
import { createTensor, disposeTensors, viewTensor } from '../../../src/tfjs/tensors.ts';
import { loadTestModel, openRuntimeForTests, openTestRuntime, signatureOf } from '../../fixtures/runtime.ts';

openRuntimeForTests();

it.each([1, 2047, 2048, 2049, 100_000])('of %i bytes', async (size) => {
  const runtime = openTestRuntime();
  const model = await loadTestModel(runtime, 'identity');
  const x = createTensor('uint8', [size], new Uint8Array(size).fill(7));
  for (let i = 0; i < 10; i++) {
    const { outputs } = model.predictHere(signatureOf(model, 'uint8'), [new Map([['x', x]])]);
    disposeTensors(outputs);
    expect(runtime.counters()).toMatchObject({ tensors: 0, tensorBytes: 0 });
  }
  x.dispose();
  await model.dispose();
});

it.each([
  ['passed', undefined, ['same']],
  ['also_passed', ['same'], ['same']],
  ['also_passed', undefined, ['y', 'same']],
] as const)('`%s`, asked for %j, gives its input as it came', async (name, outputs, names) => {
  const runtime = openTestRuntime();
  const model = await loadTestModel(runtime, 'v1_local');
  const signature = signatureOf(model, name);
  const values = (rows: readonly number[]) => new Uint8Array(Float32Array.from(rows).buffer);
  const members = [
    [1, 2, 3],
    [4, 5, 6],
  ].map((row) => new Map([['x', createTensor('float32', [1, 3], values(row))]]));
  const runs = [
    model.predictHere(signature, members, { outputs }),
    await model.predict(signature, members, { outputs }),
  ];
  const expected: Record<string, number[]> = { same: [1, 2, 3, 4, 5, 6], y: [2, 4, 6, 5, 7, 9] };
  for (const { outputs: given } of runs) {
    expect([...given.keys()].sort()).toEqual([...names].sort());
    for (const [output, tensor] of given) {
      const { shape, data } = viewTensor(tensor);
      expect([shape, Uint8Array.from(data as Uint8Array)]).toEqual([
        [2, 3],
        values(expected[output] as number[]),
      ]);
    }
    disposeTensors(given);
  }
  members.forEach(disposeTensors);
  expect(runtime.counters()).toMatchObject({ tensors: 0, tensorBytes: 0 });
  await model.dispose();
});
