/** The files of variables are needed only if something restores them. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { modelPath } from '../../native/addon.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'variables-'));
});

afterAll(() => rm(folder, { recursive: true }));

it('variables that are initialised at the load, and never saved, need no files', async () => {
  const { operations, parameterCount } = await readSavedModel(modelPath('v1_local'), ['serve']);
  expect([...operations.outside]).toContain('VarHandleOp');
  expect(parameterCount).toBe(0);
});

it.each(['sharded', 'big_graph', 'versioned', 'stateful'])('%s is refused without them', async (model) => {
  const copy = path.join(folder, model);
  await cp(modelPath(model), copy, { recursive: true });
  await rm(path.join(copy, 'variables'), { recursive: true });
  await expect(readSavedModel(copy, ['serve'])).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: 'the graph has variables, but variables/variables.index cannot be read (ENOENT)',
  });
});
