/**
 * Outputs that are TensorFlow's memory are given back with their tensors, and not when the collector comes by.
 */
import { expect, it } from 'vitest';
import { createTensor, disposeTensors } from '../../../src/tfjs/tensors.ts';
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
