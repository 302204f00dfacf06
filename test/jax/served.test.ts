/**
 * Models that JAX exports are served. Concurrent requests share a run if the graph proves that they may, and each gets
 * the answer that Python TensorFlow gives it alone.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GoldenCase, goldenCases } from '../fixtures/golden.ts';
import { jaxGolden, jaxModels } from '../fixtures/jax.ts';
import { ask, expectSameOutputs, outputsOf } from '../fixtures/same.ts';
import { TestServer } from '../fixtures/server.ts';

const cases = goldenCases(jaxGolden);
const models = [...new Set(cases.map(({ model }) => model))];
let root: string;
let server: TestServer;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-jax-'));
  await cp(jaxModels, root, { recursive: true });
  // A batch begins once four have come, and no sooner.
  const batching = JSON.stringify({ max_batch_size: 4, batch_timeout_micros: 60_000_000 });
  server = await TestServer.start({
    args: ['--model-path', root, '--settle', '0.2', '--batching-parameters', batching],
  });
}, 240_000);

afterAll(async () => {
  await server?.stop();
  await rm(root, { recursive: true, force: true });
});

async function expectGolden(golden: GoldenCase): Promise<void> {
  const answered = await ask(server, golden);
  expect(answered.status, JSON.stringify(answered.answer)).toBe(200);
  expectSameOutputs(golden.outputs ?? new Map(), outputsOf(answered));
}

async function runsOf(model: string): Promise<number> {
  const labels = `{model="${model}",version="1",signature="serving_default"}`;
  return (await server.metric(`tfjs_serving_runs_total${labels}`)) ?? 0;
}

it.each(models)('%s: four at once are answered as each is alone', async (model) => {
  const isProven = !model.startsWith('not_');
  const { batching } = (await server.get(`/models/${model}`)).body;
  expect(batching.serving_default.sharing).toBe(isProven ? 'proven' : 'alone');
  // A program is compiled for each shape, so few sizes must do.
  if (isProven) expect(batching.serving_default.allowed_batch_sizes).toEqual([1, 2, 4]);
  const rows = cases.filter((golden) => golden.model === model && /\.row_\d$/.test(golden.name));
  expect(rows).toHaveLength(4);
  await Promise.all(rows.map(expectGolden));
  expect(await runsOf(model)).toBe(isProven ? 1 : 4);
});
