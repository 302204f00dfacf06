/**
 * What `serving.json` in a model's folder says holds for every server that reads it.
 */
import { rename, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { Traffic } from '../fixtures/traffic.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
const servers: TestServer[] = [];

beforeEach(async () => {
  repository = await TestRepository.create('versioned');
  for (const version of [2, 3, 4]) await repository.publish(version);
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await repository.remove();
});

async function serve(...args: string[]): Promise<TestServer> {
  const server = await TestServer.start({
    args: ['--model-path', repository.root, '--settle', '0.1', ...args],
  });
  servers.push(server);
  return server;
}

/** Replaces it in one step, as anybody should. */
async function configure(config: object | string): Promise<void> {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  await writeFile(repository.path('versioned', '.serving.json'), text);
  await rename(repository.path('versioned', '.serving.json'), repository.path('versioned', 'serving.json'));
}

/** CBOR `{"x": [0]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x00);

async function offset(server: TestServer, place = ''): Promise<number | string> {
  const { body: answer } = await server.infer(`/models/versioned${place}/infer`, body);
  return answer.outputs?.version_offset ?? answer.error.code;
}

async function loaded(server: TestServer): Promise<number[]> {
  const { versions } = (await server.get('/models/versioned')).body;
  return versions
    .filter(({ state }: { state: string }) => state === 'AVAILABLE')
    .map(({ version }: { version: number }) => version);
}

it.each([
  [{ latest: { num_versions: 2 } }, [3, 4], 4],
  [{ all: {} }, [1, 2, 3, 4], 4],
  [{ specific: { versions: [2, 1, 99] } }, [1, 2], 2],
])('the policy %j loads %j and serves %i', async (model_version_policy, versions, serving) => {
  await configure({ model_version_policy });
  const server = await serve();
  expect(await loaded(server)).toEqual(versions);
  expect(await offset(server)).toBe(serving);
  for (const version of versions) expect(await offset(server, `/versions/${version}`)).toBe(version);
  const missing = [1, 2, 3, 4].filter((version) => !versions.includes(version));
  for (const version of missing) expect(await offset(server, `/versions/${version}`)).toBe('NOT_FOUND');
});

it('a changed policy is followed without a restart', async () => {
  const server = await serve();
  expect(await loaded(server)).toEqual([4]);
  await configure({ model_version_policy: { latest: { num_versions: 3 } } });
  await until(async () => (await loaded(server)).length === 3, 'three versions');
  await configure({});
  await until(async () => (await loaded(server)).length === 1, 'one version');
  expect(await offset(server)).toBe(4);
});

it('labels name versions, which are held ready, and can be moved', async () => {
  await configure({ version_labels: { stable: 2, canary: 4 } });
  const server = await serve();
  expect([
    await offset(server, '/labels/stable'),
    await offset(server, '/labels/canary'),
    await offset(server),
  ]).toEqual([2, 4, 4]);
  expect(await offset(server, '/labels/nightly')).toBe('NOT_FOUND');
  await configure({ version_labels: { stable: 3, canary: 4 } });
  await until(async () => (await offset(server, '/labels/stable')) === 3, 'the label to be moved');
  await until(async () => String(await loaded(server)) === '3,4', 'version 2 to be unloaded');
  const pinned = await server.update({ model: 'versioned', label: 'stable' });
  expect(pinned.body.models[0]).toMatchObject({ version: 3, pinned: 3 });
});

it('a label that is moved answers without a pause, and stays where it was if the other version is damaged', async () => {
  await configure({ version_labels: { stable: 3 } });
  await truncate(repository.path('versioned', 2, 'saved_model.pb'), 3);
  const server = await serve();
  const traffic = new Traffic(server, '/models/versioned/labels/stable/infer', 2);
  await configure({ version_labels: { stable: 1 } });
  await until(() => traffic.replies.at(-1)?.version === 1, 'the label to be moved');
  await configure({ version_labels: { stable: 2 } });
  const tried = async () => JSON.stringify(await server.get('/models/versioned')).includes('DATA_LOSS');
  await until(tried, 'the damaged version to be tried');
  const { length } = traffic.replies;
  await until(() => traffic.replies.length > length + 20, 'more answers');
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(traffic.replies.at(-1)?.version).toBe(1);
  expect(await loaded(server)).toEqual([1, 4]);
});

it('a pin holds for every server on the folder, and each follows when it is changed', async () => {
  await configure({ pin: 2 });
  const both = [await serve(), await serve()];
  for (const server of both) expect(await offset(server)).toBe(2);
  await configure({ pin: 3 });
  for (const server of both) await until(async () => (await offset(server)) === 3, 'version 3');
  await configure({});
  for (const server of both) await until(async () => (await offset(server)) === 4, 'version 4');
});

it("a request's pin comes before the file's, until it is taken back", async () => {
  await configure({ pin: 2 });
  const server = await serve();
  await server.update({ model: 'versioned', version: 1 });
  expect(await offset(server)).toBe(1);
  await server.update({ model: 'versioned', version: 'latest' });
  expect(await offset(server)).toBe(2);
});

it.each([
  ['no JSON', '{', /JSON/],
  ['an unknown key', { model_version_polcy: {} }, /model_version_polcy/],
  ['a version that is none', { pin: -1 }, /pin/],
  ['two policies at once', { model_version_policy: { all: {}, latest: {} } }, /model_version_policy/],
])('a serving.json with %s changes nothing and is told', async (_, config, message) => {
  await configure({ pin: 2 });
  const server = await serve();
  await configure(config);
  await until(() => server.log.includes('serving.json cannot be used'), 'the log to tell');
  expect(server.log).toMatch(message);
  await server.update({});
  expect(await offset(server)).toBe(2);
});
