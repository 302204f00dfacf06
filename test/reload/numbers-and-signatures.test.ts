/**
 * Versions that are not just the next of the same kind.
 */
import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { ints, map } from '../fixtures/cbor.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';
import { until } from '../fixtures/until.ts';

stopServerAfterEach();

it('a version with another signature is asked by its own, and the one before again after a rollback', async () => {
  const { server, repository } = await serveModels(['versioned']);
  const x = map({ x: ints(1) });
  const z = map({ z: ints(1) });
  expect((await server.infer('/infer', x)).body.outputs.y).toEqual([2]);
  await repository.publish(2, { template: 'versioned_v2signature' });
  expect((await server.update({})).status).toBe(200);
  expect(await server.infer('/infer', z)).toMatchObject({
    status: 200,
    body: { version: 2, outputs: { y: [3] } },
  });
  const { status, body } = await server.infer('/infer', x);
  expect([status, body.error.message]).toEqual([400, expect.stringContaining('takes `z` float32 [-1]')]);
  expect((await server.update({ model: 'versioned', version: 1 })).status).toBe(200);
  expect(await server.infer('/infer', x)).toMatchObject({ status: 200, body: { version: 1 } });
});

it('a number lower than the one that serves changes nothing, until the higher one goes', async () => {
  const { server, repository } = await serveModels(['versioned']);
  const serving = async () => (await server.get('/models/versioned')).body.version;
  await repository.publish(5);
  await until(async () => (await serving()) === 5, 'version 5 to serve');
  await repository.publish(3);
  expect((await server.update({})).status).toBe(200);
  expect(await serving()).toBe(5);
  await rm(repository.path('versioned', 5), { recursive: true });
  await until(async () => (await serving()) === 3, 'version 3 to serve');
});
