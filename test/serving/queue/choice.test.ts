/**
 * Which models are batched, and what is said of it.
 */
import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';
import { until } from '../../fixtures/until.ts';

stopServerAfterEach();

it('is told per signature, with the reason in words', async () => {
  const { server } = await serveModels(
    [
      'rows',
      'rows_mean',
      'rows_unique',
      'rows_slow',
      'fixed_batch',
      'unknown_rank',
      'mixed',
      'strings',
      'failing',
      'stateful',
    ],
    // An explicit size is obeyed: none is found too large by the clock.
    '--batching-parameters',
    '{"max_batch_size": 32}',
  );
  const { models } = (await server.get('/models')).body;
  const choices: Record<string, string> = {};
  for (const { name, batching } of models)
    choices[name] = `${batching.serving_default.sharing}: ${batching.serving_default.choice}`;
  const proven =
    'proven: proven, in batches of up to 32 rows: made-up rows gave the same in batches of up to 32 as alone';
  const alone = (why: string) => `alone: alone: ${why}`;
  const unproven = (why: string) =>
    alone(
      `output \`y\`: ${why}; "batching_parameters": {"enabled": true} in its serving.json has them share runs on trial`,
    );
  expect(choices).toEqual({
    rows: proven,
    strings: proven,
    rows_mean: unproven('operation `Mean` takes rows together'),
    rows_unique: unproven('operation `Unique` has no rule that shows what it does to rows'),
    rows_slow: unproven('operation `ConcatV2` (concat) joins rows with what has none, or other ones'),
    failing: unproven('operation `MatMul` sums over the rows'),
    fixed_batch: alone('input `x` has a fixed first dim'),
    unknown_rank: alone('input `x` has an unknown rank'),
    mixed: alone('input `table` has a fixed first dim'),
    stateful: alone('operation `AssignAddVariableOp` keeps something from run to run'),
  });
});

it('follows serving.json without a reload: the model before the repository before the flags', async () => {
  const { server, repository } = await serveModels(['rows', 'rows_guarded'], '--max-batch-size', '5');
  const batching = async (model: string) =>
    (await server.get(`/models/${model}`)).body.batching.serving_default;
  const sizes = async () => [
    (await batching('rows')).max_batch_size,
    (await batching('rows_guarded')).max_batch_size,
  ];
  expect(await sizes()).toEqual([expect.any(Number), expect.any(Number)]);
  expect(Math.max(...(await sizes()))).toBeLessThanOrEqual(5);
  const parameters = {
    max_batch_size: { value: 8 },
    batch_timeout_micros: { value: 1500 },
    max_enqueued_batches: { value: 3 },
    num_batch_threads: { value: 1 },
    allowed_batch_sizes: [2, 8],
    padding_value: 1,
  };
  await writeFile(
    repository.path('rows', 'serving.json'),
    JSON.stringify({ batching_parameters: parameters }),
  );
  await writeFile(
    repository.path('serving.json'),
    JSON.stringify({ batching_parameters: { max_batch_size: 7 } }),
  );
  await server.update({});
  await until(async () => (await sizes())[1] === 7, 'the new limits');
  expect(await batching('rows')).toMatchObject({
    max_batch_size: 8,
    batch_timeout_micros: 1500,
    allowed_batch_sizes: [2, 8],
    queue: { waiting: 0, size: 24 },
    runs: { at_once: 1 },
  });
  expect((await server.get('/models/rows')).body.generation).toBe(1);
  await writeFile(
    repository.path('rows', 'serving.json'),
    JSON.stringify({ batching_parameters: { enabled: false } }),
  );
  await server.update({});
  await until(async () => (await sizes())[0] === 1, 'batching to be off');
  expect((await batching('rows')).choice).toBe(
    'alone: somebody set the largest batch to 1 (batching_parameters)',
  );
});

it.each([
  [{ allowed_batch_sizes: [4, 2] }, 'ascend'],
  [{ allowed_batch_sizes: [2, 4], max_batch_size: 8 }, 'must be max_batch_size, 8'],
  [{ max_batch_size: 0 }, 'max_batch_size'],
  [{ batch_timeout_micros: -1 }, 'batch_timeout_micros'],
  [{ batch_size: 3 }, 'batch_size'],
])('%j in serving.json changes nothing and is told', async (parameters, told) => {
  const { server, repository } = await serveModels(
    ['rows'],
    '--batching-parameters',
    '{"max_batch_size": 6}',
  );
  await writeFile(
    repository.path('rows', 'serving.json'),
    JSON.stringify({ batching_parameters: parameters }),
  );
  await server.update({});
  await until(() => server.log.includes(told), 'the log to say so');
  const { batching } = (await server.get('/models/rows')).body;
  expect(batching.serving_default.max_batch_size).toBe(6);
});
