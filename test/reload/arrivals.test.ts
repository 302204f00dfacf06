/**
 * How versions arrive while clients ask: nobody notices, and what is not whole never serves.
 */
import { appendFile, cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { Traffic } from '../fixtures/traffic.ts';
import { until } from '../fixtures/until.ts';

const settle = 0.2;

describe('a repository under traffic', () => {
  let repository: TestRepository;
  let server: TestServer;
  let traffic: Traffic;

  beforeEach(async () => {
    repository = await TestRepository.create('versioned');
    server = await TestServer.start({ args: ['--model-path', repository.root, '--settle', String(settle)] });
    traffic = new Traffic(server);
    await until(() => traffic.replies.length > 0, 'a first answer');
  });

  afterEach(async () => {
    await traffic.stop();
    await server.stop();
    await repository.remove();
    expect(traffic.failures).toEqual([]);
  });

  /** The version that answers now. */
  async function serving(): Promise<number> {
    return (await server.get('/models/versioned')).body.version;
  }

  async function versionState(
    version: number,
  ): Promise<{ state?: string; error?: { code: string; message: string } }> {
    const { versions } = (await server.get('/models/versioned')).body;
    return versions.find((each: { version: number }) => each.version === version) ?? {};
  }

  it('twenty versions renamed in: none fails, none is mixed, each answer is of the version that it names', async () => {
    for (let version = 2; version <= 21; version++) {
      await repository.publish(version);
      await until(async () => (await serving()) === version, `version ${version} to serve`);
    }
    await until(() => traffic.replies.some(({ version }) => version === 21), 'an answer of the last version');
    await traffic.stop();
    expect(traffic.mixed(({ version }) => version)).toEqual([]);
    const seen = new Set(traffic.replies.map(({ version }) => version));
    expect(seen.has(1) && seen.has(21)).toBe(true);
    await until(
      async () => (await server.metric('tfjs_serving_native{kind="sessions"}')) === 1,
      'the old ones to be unloaded',
    );
  });

  it('a version copied in file by file serves only when it is whole', async () => {
    const staged = await repository.stage(2);
    const target = repository.path('versioned', 2);
    await mkdir(path.join(target, 'variables'), { recursive: true });
    for (const file of ['saved_model.pb', 'variables/variables.index']) {
      await cp(path.join(staged, file), path.join(target, file));
    }
    await until(async () => (await versionState(2)).error, 'version 2 to be refused');
    expect((await versionState(2)).error?.message).toBe('variables/variables.data-00000-of-00001 is missing');
    expect(await serving()).toBe(1);
    await cp(path.join(staged, 'assets'), path.join(target, 'assets'), { recursive: true });
    const shard = 'variables/variables.data-00000-of-00001';
    await cp(path.join(staged, shard), path.join(target, shard));
    await until(async () => (await serving()) === 2, 'version 2 to serve');
  });

  it.each([
    {
      what: 'whose saved_model.pb is cut short',
      damage: (dir: string) => truncate(path.join(dir, 'saved_model.pb'), 1000),
      code: 'DATA_LOSS',
      message: 'saved_model.pb is damaged or not complete',
    },
    {
      what: 'whose saved_model.pb is no protobuf',
      damage: (dir: string) => writeFile(path.join(dir, 'saved_model.pb'), 'not a model'),
      code: 'DATA_LOSS',
      message: 'saved_model.pb is damaged or not complete',
    },
    {
      what: 'without its variables',
      damage: (dir: string) => rm(path.join(dir, 'variables'), { recursive: true }),
      code: 'DATA_LOSS',
      message: 'the graph has variables, but variables/variables.index cannot be read (ENOENT)',
    },
    {
      what: 'whose variables.index is cut short',
      damage: (dir: string) => truncate(path.join(dir, 'variables/variables.index'), 30),
      code: 'DATA_LOSS',
      message: 'variables.index is damaged or not complete',
    },
    {
      what: 'whose shard is short',
      damage: (dir: string) => truncate(path.join(dir, 'variables/variables.data-00000-of-00001'), 3),
      code: 'DATA_LOSS',
      message: /^variables\/variables\.data-00000-of-00001 is short: 3 of \d+ bytes$/,
    },
    {
      what: 'whose asset is missing',
      damage: (dir: string) => rm(path.join(dir, 'assets'), { recursive: true }),
      code: 'DATA_LOSS',
      message: 'assets/offset.txt is missing',
    },
  ])('a version $what never serves, the old one does and says why', async ({ damage, code, message }) => {
    const staged = await repository.stage(2);
    await damage(staged);
    await rename(staged, repository.path('versioned', 2));
    const error = await until(async () => (await versionState(2)).error, 'version 2 to be refused');
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(await serving()).toBe(1);
    expect((await server.get('/health')).body.models[0]).toMatchObject({ serving: 1, wanted: 2, code });
    const update = await server.update({ model: 'versioned' });
    expect(update.body.error.message).toContain('version 1 goes on serving');
    expect(update.status).toBeGreaterThanOrEqual(400);
    // A next one is not held up by it.
    await repository.publish(3);
    await until(async () => (await serving()) === 3, 'version 3 to serve');
  });

  it('a version whose first shard of two is missing is refused by name', async () => {
    await cp(path.join(testModels, 'sharded'), repository.path('sharded'), { recursive: true });
    await until(async () => (await server.get('/models/sharded')).body.version === 1, 'sharded to serve');
    await cp(repository.path('sharded', 1), repository.path('sharded', '.2'), { recursive: true });
    await rm(repository.path('sharded', '.2', 'variables', 'variables.data-00000-of-00002'));
    await rename(repository.path('sharded', '.2'), repository.path('sharded', 2));
    const find = async () =>
      (await server.get('/models/sharded')).body.versions.find(
        ({ version }: { version: number }) => version === 2,
      )?.error;
    const error = await until(find, 'version 2 to be refused');
    expect(error.message).toBe('variables/variables.data-00000-of-00002 is missing');
  });

  it('a damaged version serves once it is mended in place', async () => {
    const staged = await repository.stage(2);
    const whole = await readFile(path.join(staged, 'saved_model.pb'));
    await truncate(path.join(staged, 'saved_model.pb'), 100);
    await rename(staged, repository.path('versioned', 2));
    await until(async () => (await versionState(2)).error, 'version 2 to be refused');
    await writeFile(repository.path('versioned', 2, 'saved_model.pb'), whole);
    await until(async () => (await serving()) === 2, 'version 2 to serve');
  });

  it('files of the serving version overwritten in place make a new generation of it', async () => {
    await writeFile(repository.path('versioned', 1, 'assets', 'offset.txt'), '7');
    await until(async () => (await server.get('/models/versioned')).body.generation === 2, 'generation 2');
    await until(() => traffic.replies.at(-1)?.generation === 2, 'an answer of generation 2');
    await traffic.stop();
    expect(traffic.mixed(({ generation }) => (generation === 2 ? 7 : 1))).toEqual([]);
  });

  it('folders that are no version, and files beside versions, change nothing', async () => {
    for (const name of ['latest', '-1', '1.5', '2.tmp', '99999999999999999999']) {
      await cp(repository.path('versioned', 1), repository.path('versioned', name), { recursive: true });
    }
    await writeFile(repository.path('versioned', '5'), 'a file');
    await appendFile(repository.path('README.md'), 'not a model');
    expect((await server.update({})).status).toBe(200);
    const { versions } = (await server.get('/models/versioned')).body;
    expect(versions.map(({ version }: { version: number }) => version)).toEqual([1]);
  });

  it('deleting the serving version brings back the one before it', async () => {
    await repository.publish(2);
    await until(async () => (await serving()) === 2, 'version 2 to serve');
    await rename(repository.path('versioned', 2), repository.path('.gone'));
    await until(async () => (await serving()) === 1, 'version 1 to serve');
  });

  it('deleting the last version does not take the model away', async () => {
    await rm(repository.path('versioned', 1), { recursive: true });
    const model = await until(async () => {
      const { body } = await server.get('/models/versioned');
      return body.source_missing && body;
    }, 'the model to miss its source');
    expect(model.version).toBe(1);
  });
});

it('a model is taken away with its folder, and comes back with it; the others never notice', async () => {
  const repository = await TestRepository.create('versioned', 'identity');
  const server = await TestServer.start({
    args: ['--model-path', repository.root, '--settle', String(settle)],
  });
  const traffic = new Traffic(server);
  try {
    await rename(repository.path('identity'), repository.path('.identity'));
    await until(async () => (await server.get('/models/identity')).status === 404, 'identity to be gone');
    await rename(repository.path('.identity'), repository.path('identity'));
    await until(async () => (await server.get('/models/identity')).body.version === 1, 'identity to be back');
    expect((await server.get('/models/identity')).body.generation).toBe(2);
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
  } finally {
    await traffic.stop();
    await server.stop();
    await repository.remove();
  }
});
