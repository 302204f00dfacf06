/**
 * `POST /update_model` answers with the truth.
 */
import { cp, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { Traffic } from '../fixtures/traffic.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

/** Without a watcher, and with a scan by the clock too rare to matter: only /update_model makes the server look. */
const args = ['--watch', 'off', '--scan-interval', '3600', '--settle', '0.2'];

beforeEach(async () => {
  repository = await TestRepository.create('versioned', 'identity');
  server = await TestServer.start({ args: ['--model-path', repository.root, ...args] });
});

afterEach(async () => {
  await server.stop();
  await repository.remove();
});

async function serving(): Promise<number> {
  return (await server.get('/models/versioned')).body.version;
}

it('{} looks at the folder and answers 200 once what is new serves', async () => {
  await repository.publish(2);
  const { status, body } = await server.update({});
  expect(status).toBe(200);
  expect(body.models.find(({ name }: { name: string }) => name === 'versioned')).toMatchObject({
    version: 2,
  });
  expect(await serving()).toBe(2);
});

it('an empty body means {}', async () => {
  await repository.publish(2);
  expect((await server.fetch('/update_model', { method: 'POST' })).status).toBe(200);
  expect(await serving()).toBe(2);
});

it('a version is pinned through new drops and scans, and `latest` unpins it', async () => {
  await repository.publish(2);
  expect((await server.update({ model: 'versioned' })).status).toBe(200);
  const pinned = await server.update({ model: 'versioned', version: 1 });
  expect(pinned.status).toBe(200);
  expect(pinned.body.models[0]).toMatchObject({ version: 1, pinned: 1, wanted: 1 });
  await repository.publish(3);
  expect((await server.update({})).status).toBe(200);
  expect(await serving()).toBe(1);
  expect((await server.get('/health')).body.models).toContainEqual(
    expect.objectContaining({ name: 'versioned', serving: 1, wanted: 1, pinned: 1 }),
  );
  const label = '{model="versioned"}';
  expect(await server.metric(`tfjs_serving_version${label}`)).toBe(1);
  expect(await server.metric(`tfjs_serving_version_pinned${label}`)).toBe(1);
  expect(await server.metric(`tfjs_serving_version_wanted${label}`)).toBe(1);
  const heldReady = 'tfjs_serving_version_state{model="versioned",version="3",state="AVAILABLE",code=""}';
  await until(() => server.metric(heldReady), 'version 3 to be held ready');
  expect((await server.update({ model: 'versioned', version: 'latest' })).body.models[0]).toMatchObject({
    version: 3,
    pinned: null,
  });
  expect(await serving()).toBe(3);
  expect(await server.metric(`tfjs_serving_version_pinned${label}`)).toBe(undefined);
});

it('a version that is not there is refused by name, and nothing is pinned', async () => {
  const { status, body } = await server.update({ model: 'versioned', version: 9 });
  expect(status).toBe(404);
  expect(body.error).toEqual({
    code: 'NOT_FOUND',
    message: 'model `versioned` has no version 9; there are 1; see /docs',
  });
  expect(server.log).toContain(
    'POST /update_model is refused: model `versioned` has no version 9; there are 1',
  );
  expect((await server.get('/models/versioned')).body.pinned).toBe(null);
});

it('a version that goes away while it is waited for is not answered with 200', async () => {
  await repository.publish(2);
  expect((await server.update({})).status).toBe(200);
  await until(
    async () => (await server.get('/models/versioned')).body.versions.length === 2,
    'version 1 to be left',
  );
  await until(
    async () => (await server.get('/models/versioned')).body.versions[0].state === 'END',
    'version 1 to be unloaded',
  );
  await rm(repository.path('versioned', 1), { recursive: true });
  const { status, body } = await server.update({ model: 'versioned', version: 1 });
  expect([status, body.error]).toEqual([
    404,
    {
      code: 'NOT_FOUND',
      message: 'version 1 of `versioned` is no longer there; version 2 goes on serving; see /docs',
    },
  ]);
  expect(await serving()).toBe(2);
});

it('a version that cannot be loaded is answered with its reason, and tried again by the next call', async () => {
  const staged = await repository.stage(2);
  await cp(staged, repository.path('.whole'), { recursive: true });
  await truncate(path.join(staged, 'saved_model.pb'), 50);
  await rename(staged, repository.path('versioned', 2));
  const refused = await server.update({ model: 'versioned', version: 2 });
  expect(refused.status).toBe(409);
  expect(refused.body.error.message).toBe(
    'version 2 of `versioned` is not served: saved_model.pb is damaged or not complete; version 1 goes on serving',
  );
  await rm(repository.path('versioned', 2), { recursive: true });
  await rename(repository.path('.whole'), repository.path('versioned', 2));
  expect((await server.update({ model: 'versioned', version: 2 })).status).toBe(200);
});

it('one of all models that cannot be loaded is a 409 with its name, and not one of the caller', async () => {
  const staged = await repository.stage(2);
  await truncate(path.join(staged, 'saved_model.pb'), 50);
  await rename(staged, repository.path('versioned', 2));
  const { status, body } = await server.update({});
  expect([status, body.error]).toEqual([
    409,
    {
      code: 'FAILED_PRECONDITION',
      message:
        '1 of 2 models could not be loaded: `versioned`: version 2 of `versioned` is not served: saved_model.pb is damaged or not ' +
        'complete; version 1 goes on serving',
    },
  ]);
});

it('JSON as curl sends it by itself is taken, unless a browser says that it sent it', async () => {
  const type = 'application/x-www-form-urlencoded';
  const ask = async (body: string, headers = {}) => {
    const init = { method: 'POST', body, headers: { 'content-type': type, ...headers } };
    const response = await server.fetch('/update_model', init);
    const { error } = JSON.parse(await response.text());
    return [response.status, error?.message];
  };
  expect(await ask('{"model": "versioned"}')).toEqual([200, undefined]);
  expect(await ask("{'model': 'versioned'}")).toEqual([
    400,
    'JSON has its texts in double quotes, and this one is in single ones: line 1, column 2',
  ]);
  const unsupported = [415, expect.stringContaining('/update_model takes JSON or CBOR: curl -H')];
  expect(await ask('model=versioned')).toEqual(unsupported);
  for (const headers of [
    { origin: server.url },
    { origin: 'http://localhost:1' },
    { 'sec-fetch-site': 'same-origin' },
  ])
    expect(await ask('{"model": "versioned"}', headers)).toEqual(unsupported);
  for (const origin of ['null', 'http://evil.example'])
    expect(await ask('{"model": "versioned"}', { origin })).toEqual([403, expect.any(String)]);
  const inJson = { method: 'POST', headers: { 'content-type': 'application/json' }, body: "{'a': 1}" };
  const quotes = await server.fetch('/update_model', inJson);
  expect([quotes.status, JSON.parse(await quotes.text()).error.message]).toEqual([
    400,
    'JSON has its texts in double quotes, and this one is in single ones: line 1, column 2',
  ]);
});

it('versions that serving.json names and the folder lacks are told once, and shown', async () => {
  const file = repository.path('versioned', 'serving.json');
  const warnings = async () => (await server.get('/models/versioned')).body.warnings;
  const label =
    'the label `next` in serving.json of `versioned` is version 8, which is not there; there are 1';
  await server.stop();
  await writeFile(file, '{"version_labels": {"stable": 1, "next": 8}}');
  server = await TestServer.start({ args: ['--model-path', repository.root, ...args] });
  expect((await server.update({})).status).toBe(200);
  expect(await warnings()).toEqual([label]);
  expect(server.log.split(label)).toHaveLength(2);
  await writeFile(file, '{"pin": 7}');
  expect((await server.update({})).status).toBe(409);
  expect(await warnings()).toEqual([
    '`pin` in serving.json of `versioned` is version 7, which is not there; there are 1',
  ]);
  await rm(file);
  expect((await server.update({})).status).toBe(200);
  expect(await warnings()).toBe(undefined);
});

it('what is not there yet when the time is up is answered 202 with its state, and serves later', async () => {
  await server.stop();
  server = await TestServer.start({
    args: ['--model-path', repository.root, '--watch', 'off', '--settle', '1', '--scan-interval', '3600'],
  });
  await repository.publish(2);
  const { status, body } = await server.update({ model: 'versioned', timeout: 0.05 });
  expect(status).toBe(202);
  expect(body.status).toBe('pending');
  expect(body.models[0]).toMatchObject({ version: 1, wanted: 2 });
  await until(async () => (await serving()) === 2, 'version 2 to serve');
});

it('many calls for one target load it once', async () => {
  await repository.publish(2);
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => server.update({ model: 'versioned', version: 2 })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  expect(new Set(answers.map(({ body }) => body.models[0].generation))).toEqual(new Set([1]));
});

it('going to and fro under traffic loses and mixes nothing', async () => {
  await repository.publish(2);
  await server.update({});
  const traffic = new Traffic(server);
  for (let i = 0; i < 10; i++) {
    for (const version of [1, 2])
      expect((await server.update({ model: 'versioned', version })).status).toBe(200);
  }
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(traffic.mixed(({ version }) => version)).toEqual([]);
});

it('a folder within the allowed ones is served by its path until it is unpinned', async () => {
  const staged = await repository.stage(5, { offset: 50 });
  await rename(staged, repository.path('versioned', 'candidate'));
  const { status, body } = await server.update({ model: 'versioned', model_path: 'versioned/candidate' });
  expect(status).toBe(200);
  expect(body.models[0]).toMatchObject({ pinned: 1, source_missing: false });
  const answer = await server.infer('/models/versioned/infer', Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x01));
  expect(answer.body.outputs).toEqual({ y: [51], version_offset: 50 });
  await server.update({ model: 'versioned', version: 'latest' });
  const back = await server.infer('/models/versioned/infer', Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x01));
  expect(back.body.outputs).toEqual({ y: [2], version_offset: 1 });
});

it('no spelling of a path leads out of the allowed folders, nor tells what is there', async () => {
  const outside = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-outside-'));
  await cp(path.join(testModels, 'versioned', '1'), path.join(outside, '1'), { recursive: true });
  await symlink(outside, repository.path('.link'));
  const there = [
    outside,
    `${outside}/1`,
    `${repository.root}/../${path.basename(outside)}`,
    '.link',
    `./.link/1`,
  ];
  const nowhere = ['/nonexistent', '../nonexistent', `${outside}/9`, `${repository.root}/.link/9`];
  const messages = new Set<string>();
  for (const model_path of [...there, ...nowhere]) {
    const { status, body } = await server.update({ model: 'versioned', model_path });
    expect([status, body.error.code], model_path).toEqual([403, 'PERMISSION_DENIED']);
    messages.add(body.error.message);
  }
  expect(messages.size).toBe(1);
  expect([...messages][0]).toBe(
    `expected a \`model_path\` within \`${repository.root}\`, got one outside: --allow-path allows more`,
  );
  for (const model_path of ['nowhere', 'versioned/9', `file://${outside}`, '..%2f..', '..\\..']) {
    const { status, body } = await server.update({ model: 'versioned', model_path });
    expect([status, body.error.message]).toEqual([
      404,
      `\`model_path\` \`${model_path}\` does not exist; see /docs`,
    ]);
  }
  expect(await serving()).toBe(1);
  await rm(outside, { recursive: true });
});

it.each([
  [{ version: 0 }, /version/],
  [{ version: 1.5 }, /version/],
  [{ version: '1' }, /version/],
  [{ model: '' }, /model/],
  [{ model: 'versioned', version: 1, model_path: 'x' }, /give one of version, label, model_path and unload/],
  [{ timeout: -1 }, /timeout/],
  [{ modle: 'versioned' }, /modle/],
  [{ model: 'nothing', version: 1 }, /no model `nothing`; there are `identity`, `versioned`/],
])('%j is refused, saying why', async (request, message) => {
  const { status, body } = await server.update(request);
  expect(status === 400 || status === 404).toBe(true);
  expect(body.error.message).toMatch(message);
});
