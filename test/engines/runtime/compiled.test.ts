/**
 * Every golden case gives the same with `--xla` as without it. It runs often enough to be compiled if it can be. What
 * XLA cannot compile (strings, loops that TensorFlow keeps, hash tables) runs as before.
 */
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { goldenCases } from '../../fixtures/golden.ts';
import { testModels } from '../../fixtures/repository.ts';
import { ask, expectAlike } from '../../fixtures/same.ts';
import { TestServer } from '../../fixtures/server.ts';

const demoModels = fileURLToPath(new URL('../../../saved_models', import.meta.url));

/** By itself TensorFlow compiles four operations and more together; small models would be left as they are. */
const everything = { TF_XLA_FLAGS: '--tf_xla_min_cluster_size=1' };

/** The first run of a shape is interpreted, the second compiles, the third finds what was compiled. */
const asked = 3;

let root: string;
let plain: TestServer;
let compiled: TestServer;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-compiled-'));
  for (const folder of [testModels, demoModels])
    for (const entry of await readdir(folder, { withFileTypes: true }))
      if (entry.isDirectory()) await symlink(path.join(folder, entry.name), path.join(root, entry.name));
  plain = await TestServer.start({ args: ['--model-path', root] });
  compiled = await TestServer.start({ args: ['--model-path', root, '--xla'], env: everything });
});

afterAll(async () => {
  await Promise.all([plain?.stop(), compiled?.stop()]);
  await rm(root, { recursive: true, force: true });
});

const served = goldenCases().filter(({ tags }) => tags.join() === 'serve');

it.each(served)('$name is answered alike by a compiled model', async (golden) => {
  const wanted = await ask(plain, golden);
  for (let i = 0; i < asked; i++) expectAlike(golden, wanted, await ask(compiled, golden));
});

it('requests leave no tensor behind', async () => {
  expect(await compiled.metric('tfjs_serving_tensors')).toBe(0);
});
