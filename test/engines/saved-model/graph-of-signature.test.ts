/** The operations behind a signature, compared with what Python TensorFlow wrote. */
import { expect, it } from 'vitest';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { modelPath } from '../../native/addon.ts';

async function operationsOf(
  model: string,
  signature = 'serving_default',
): Promise<ReadonlySet<string> | undefined> {
  const { metaGraph } = await readSavedModel(modelPath(model), ['serve']);
  return metaGraph.signatures.get(signature)?.operations;
}

it('are those of the functions that it calls, and of theirs', async () => {
  expect(await operationsOf('rows_table')).toEqual(
    new Set(['Placeholder', 'PartitionedCall', 'GatherV2', 'Const', 'Identity']),
  );
  const slow = [...((await operationsOf('rows_slow')) ?? [])];
  expect(slow).toEqual(expect.arrayContaining(['StatefulPartitionedCall', 'VarHandleOp', 'MatMul', 'Less']));
  expect(slow.some((operation) => /While$/.test(operation))).toBe(true);
});

it('are not those of other signatures, nor of saving and restoring', async () => {
  const operations = [...((await operationsOf('failing')) ?? [])];
  expect(operations).toContain('MatMul');
  for (const other of ['Assert', 'Conv2D', 'SaveV2', 'RestoreV2']) expect(operations).not.toContain(other);
  expect([...((await operationsOf('failing', 'wrong_channels')) ?? [])]).toContain('Conv2D');
});

it('are those behind control inputs too', async () => {
  expect([...((await operationsOf('failing', 'assert')) ?? [])]).toContain('Assert');
});

it('are found in a large graph too', async () => {
  expect(await operationsOf('big_graph')).toEqual(
    new Set(['Placeholder', 'VarHandleOp', 'ReadVariableOp', 'Identity', 'AddV2']),
  );
});
