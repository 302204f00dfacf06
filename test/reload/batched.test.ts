/**
 * Versions that change while requests share runs: each answer is of one version, whoever was in the batch.
 */
import { expect, it } from 'vitest';
import { ints, map } from '../fixtures/cbor.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';
import { until } from '../fixtures/until.ts';

stopServerAfterEach();

const model = 'versioned_rows';
const clients = 16;

it('ten versions under batched traffic: none fails, and no batch mixes them', async () => {
  const { server, repository } = await serveModels(
    [model],
    '--batching-parameters',
    '{"max_batch_size": 32}',
  );
  let stopped = false;
  let asked = 0;
  const wrong: unknown[] = [];
  const runs = { total: 0 };
  async function ask(client: number): Promise<void> {
    for (let i = 0; !stopped; i++) {
      const x = client + clients * (i % 1000);
      const { status, body } = await server.infer('/infer', map({ x: ints(x, x) }));
      asked += 1;
      const { version, outputs } = body;
      const isRight =
        status === 200 &&
        outputs.y.join() === [x + version, x + version].join() &&
        outputs.version_offset.join() === [version, version].join();
      if (!isRight) wrong.push({ x, status, body });
    }
  }
  const traffic = Array.from({ length: clients }, (_, client) => ask(client));
  for (let version = 2; version <= 11; version++) {
    await until(() => asked > 100 * (version - 1), 'traffic');
    const name = `tfjs_serving_runs_total{model="${model}",version="${version - 1}",signature="serving_default"}`;
    runs.total += (await server.metric(name)) ?? 0;
    await repository.publish(version, { model, template: model });
    await until(
      async () => (await server.get(`/models/${model}`)).body.version === version,
      `version ${version} to serve`,
    );
  }
  const askedBefore = asked;
  stopped = true;
  await Promise.all(traffic);
  expect(wrong).toEqual([]);
  // They did share runs.
  expect(runs.total).toBeLessThan(askedBefore);
});
