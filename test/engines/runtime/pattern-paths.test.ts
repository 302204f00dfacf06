/**
 * TensorFlow takes some characters in a path for a pattern, and finds no variables there. Such a model loads all the
 * same.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OwnEngine } from '../../../src/engines/engine.ts';
import { tensorFlowEngine } from '../../../src/engines/tensorflow/tensorflow-engine.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createTensor, disposeTensors, viewTensor } from '../../../src/tfjs/tensors.ts';
import { testModels } from '../../fixtures/repository.ts';
import { openTestRuntime, signatureOf } from '../../fixtures/runtime.ts';

let engine: OwnEngine;
let root: string;

beforeAll(async () => {
  engine = tensorFlowEngine(openTestRuntime(), createLogger({ level: 'silent', format: 'json' }));
  root = await mkdtemp(path.join(tmpdir(), 'pattern-paths-'));
});

afterAll(() => rm(root, { recursive: true, force: true }));

it.each(['model[1]', 'model[', 'a*b', 'who?', 'back\\slash'])('%s', async (name) => {
  const directory = path.join(root, name, '1');
  await cp(path.join(testModels, 'versioned', '1'), directory, { recursive: true });
  const { load } = await engine.read(directory, ['serve']);
  const model = await load();
  const x = createTensor('float32', [2], new Uint8Array(Float32Array.of(1, 2).buffer));
  // It reads an asset in its first run.
  const { outputs } = await model.predict(signatureOf(model, 'serving_default'), [new Map([['x', x]])]);
  const y = outputs.get('y');
  if (!y) throw new Error('no output');
  expect(viewTensor(y).shape).toEqual([2]);
  disposeTensors(outputs);
  x.dispose();
  await model.dispose();
});
