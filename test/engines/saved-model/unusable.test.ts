/** The error for a signature that cannot be served names the tensor that prevents it. */
import { expect, it } from 'vitest';
import { dtypeName } from '../../../src/engines/tensorflow/proto/dtype-names.ts';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { modelPath } from '../../native/addon.ts';

it('for its dtype, by the name that TensorFlow has for it, or for two inputs that are one', async () => {
  const { metaGraph } = await readSavedModel(modelPath('unusable'), ['serve']);
  expect([...metaGraph.signatures.keys()]).toEqual(['serving_default']);
  expect(Object.fromEntries(metaGraph.unusable.map(({ name, why }) => [name, why]))).toEqual({
    twice: 'inputs `p` and `q` are the same tensor of the graph, `x:0`',
    quantised: 'output `codes` is quint8, which cannot travel',
    resource: 'input `handle` is resource, which cannot travel',
  });
});

it('dtypes that cannot travel have names, references too', () => {
  expect([20, 21, 13, 101, 120, 2 ** 31 - 1].map(dtypeName)).toEqual([
    'resource',
    'variant',
    'qint32',
    'float32_ref',
    'resource_ref',
    'dtype 2147483647',
  ]);
});
