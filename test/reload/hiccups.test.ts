/**
 * Storage as it is: folders that swap by links, archives that keep old times, listings that fail for a moment, processes
 * that are killed.
 */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { Traffic } from '../fixtures/traffic.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

beforeEach(async () => {
  repository = await TestRepository.create();
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await repository.remove();
});

async function serve(root = repository.root, ...args: string[]): Promise<void> {
  server = await TestServer.start({
    args: ['--model-path', root, '--settle', '0.2', '--scan-interval', '1', ...args],
  });
}

async function status(model = 'versioned') {
  return (await server.get(`/models/${model}`)).body;
}

async function serves(version: number): Promise<void> {
  await until(async () => (await status()).version === version, `version ${version} to serve`);
}

/** Runs a change under traffic; nothing may fail or be mixed. */
async function underTraffic(change: () => Promise<void>): Promise<void> {
  const traffic = new Traffic(server);
  await until(() => traffic.replies.length > 10, 'traffic');
  await change();
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(traffic.mixed(({ offsets }) => offsets[0] as number)).toEqual([]);
}

describe('links', () => {
  it('a Kubernetes volume that swaps its ..data link brings the new versions', async () => {
    // As the kubelet lays it out: versioned → ..data/versioned, ..data → ..2026_01, replaced by one rename.
    for (const [folder, version] of [
      ['..2026_01', 1],
      ['..2026_02', 2],
    ] as const) {
      await mkdir(repository.path(folder, 'versioned'), { recursive: true });
      await rename(await repository.stage(version), repository.path(folder, 'versioned', version));
    }
    await symlink('..2026_01', repository.path('..data'));
    await symlink('..data/versioned', repository.path('versioned'));
    await serve();
    await underTraffic(async () => {
      await symlink('..2026_02', repository.path('..data_tmp'));
      await rename(repository.path('..data_tmp'), repository.path('..data'));
      await serves(2);
      await rm(repository.path('..2026_01'), { recursive: true });
    });
    expect((await status()).source_missing).toBe(false);
  });

  it('a version that is a link to somewhere else is followed when the link is replaced', async () => {
    const folders = [await repository.stage(1), await repository.stage(1, { offset: 11 })];
    await mkdir(repository.path('versioned'));
    await symlink(folders[0] as string, repository.path('versioned', 1));
    await serve();
    await underTraffic(async () => {
      await symlink(folders[1] as string, repository.path('.link'));
      await rename(repository.path('.link'), repository.path('versioned', 1));
      await until(async () => (await status()).generation === 2, 'generation 2');
    });
  });
});

describe('archives', () => {
  it('untarred in place with old times: served once it is whole and quiet', async () => {
    await repository.publish(1);
    const staged = await repository.stage(2);
    const old = new Date('2001-01-01');
    for (const file of [
      'saved_model.pb',
      'assets/offset.txt',
      'variables/variables.index',
      'variables/variables.data-00000-of-00001',
    ]) {
      await utimes(path.join(staged, file), old, old);
    }
    const archive = repository.path('.2.tar');
    execFileSync('tar', ['-cf', archive, '-C', staged, '.']);
    await serve();
    await underTraffic(async () => {
      await mkdir(repository.path('versioned', 2));
      execFileSync('tar', ['-xpf', archive, '-C', repository.path('versioned', 2)]);
      await serves(2);
    });
  });

  it('copied over the serving version with old times: the next generation', async () => {
    await repository.publish(1);
    await serve();
    const staged = await repository.stage(1, { offset: 12 });
    await underTraffic(async () => {
      execFileSync('cp', ['-rp', `${staged}/.`, repository.path('versioned', 1)]);
      await until(async () => (await status()).generation === 2, 'generation 2');
    });
  });
});

describe('listings that fail', () => {
  it('the repository out of sight for a moment, and its models empty for a moment: nothing changes', async () => {
    await repository.publish(1);
    const root = repository.path('models');
    await mkdir(root);
    await rename(repository.path('versioned'), path.join(root, 'versioned'));
    await serve(root);
    await underTraffic(async () => {
      await rename(root, repository.path('hidden'));
      // A link to itself can be looked up, but neither listed nor called missing.
      await symlink('models', root);
      await server.update({});
      await until(async () => (await server.get('/health')).body.source === 'unreadable', 'health to say so');
      await server.update({});
      await unlink(root);
      await mkdir(root);
      await server.update({ timeout: 0.1 });
      await server.update({ timeout: 0.1 });
      await rm(root, { recursive: true });
      await rename(repository.path('hidden'), root);
      expect((await server.update({})).status).toBe(200);
    });
    expect(await status()).toMatchObject({ version: 1, generation: 1, source_missing: false });
    expect((await server.get('/health')).body.source).toBe('ok');
  });

  it('a version that cannot be read for a moment is not taken for deleted', async () => {
    await repository.publish(1);
    await repository.publish(2);
    await serve();
    await underTraffic(async () => {
      await rename(repository.path('versioned', 2), repository.path('.2'));
      await symlink('2', repository.path('versioned', 2));
      for (let i = 0; i < 3; i++) await server.update({ timeout: 0.3 });
      expect((await status()).version).toBe(2);
      await unlink(repository.path('versioned', 2));
      await rename(repository.path('.2'), repository.path('versioned', 2));
      expect((await server.update({})).status).toBe(200);
    });
    expect(await status()).toMatchObject({ version: 2, generation: 1 });
  });

  it('a model whose folder is gone for good is forgotten once it is unloaded', async () => {
    await repository.publish(1);
    await repository.publish(1, { model: 'other' });
    await serve();
    await rm(repository.path('versioned', 1), { recursive: true });
    await until(async () => (await status()).source_missing, 'the source to be missed');
    expect((await server.get('/health')).body.models[1]).toMatchObject({
      name: 'versioned',
      serving: 1,
      source: 'missing',
    });
    expect((await server.update({ model: 'versioned', unload: true })).status).toBe(200);
    expect((await server.get('/models/versioned')).status).toBe(404);
    await until(
      async () => (await server.metric('tfjs_serving_native{kind="sessions"}')) === 1,
      'its memory to be given back',
    );
  });
});

it('requests without a model go on to the one that was alone, whatever comes beside it', async () => {
  await repository.publish(1);
  await serve();
  const infer = () =>
    server.fetch('/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"x": [1]}',
    });
  expect((await infer()).status).toBe(200);
  await mkdir(repository.path('notes', 1), { recursive: true });
  await until(async () => (await server.get('/models/notes')).status === 200, 'the folder to be seen');
  expect((await infer()).status).toBe(200);
  await repository.publish(1, { model: 'other' });
  await until(
    async () => (await server.get('/models/other')).body.version === 1,
    'the second model to serve',
  );
  expect((await infer()).status).toBe(200);
  expect((await server.get('/models')).body.default_model).toBe('versioned');
  await until(() => server.log.includes('after a restart they go to none'), 'the log to say so');
});

it('a model that is unloaded while its serving version is gone and another is there is not forgotten', async () => {
  await repository.publish(1);
  await repository.publish(1, { model: 'other' });
  await serve(repository.root, '--scan-interval', '3600');
  await repository.publish(2);
  await rm(repository.path('versioned', 1), { recursive: true });
  expect((await server.update({ model: 'versioned', unload: true })).status).toBe(200);
  expect(await status()).toMatchObject({ version: null, unloaded: true });
  expect((await server.update({ model: 'versioned' })).status).toBe(200);
  expect(await status()).toMatchObject({ version: 2 });
});

it('an unloaded model stays so, whatever comes into its folder, until it is asked for', async () => {
  await repository.publish(1);
  await repository.publish(1, { model: 'other' });
  await serve();
  expect((await server.update({ model: 'versioned', unload: true })).status).toBe(200);
  await repository.publish(2);
  await until(async () => (await status()).wanted === 2, 'version 2 to be seen');
  expect((await server.update({})).status).toBe(200);
  expect(await status()).toMatchObject({ version: null, unloaded: true });
  await until(
    async () => (await server.metric('tfjs_serving_native{kind="sessions"}')) === 1,
    'its memory to be given back',
  );
  expect((await server.update({ model: 'versioned', version: 9 })).status).toBe(404);
  expect(await status()).toMatchObject({ version: null, unloaded: true });
  expect((await server.update({ model: 'versioned', version: 1 })).status).toBe(200);
  expect(await status()).toMatchObject({ version: 1, pinned: 1 });
  expect(await status()).not.toHaveProperty('unloaded');
});

it('versions dropped faster than they can be loaded: the newest wins, and none of the others is left', async () => {
  await repository.publish(1);
  await serve();
  await underTraffic(async () => {
    for (let version = 2; version <= 30; version++) await repository.publish(version);
    await serves(30);
  });
  await until(async () => (await server.metric('tfjs_serving_native{kind="sessions"}')) === 1, 'one session');
  expect(await server.metric('tfjs_serving_tensors')).toBe(0);
});

it('killed in the middle of a reload, the server starts again with the newest whole version', async () => {
  await repository.publish(1);
  await serve();
  await repository.publish(2);
  const half = await repository.stage(3);
  await rm(path.join(half, 'variables', 'variables.data-00000-of-00001'));
  await rename(half, repository.path('versioned', 3));
  await until(async () => (await status()).versions.length > 1, 'the new versions to be seen');
  await server.stop('SIGKILL');
  await serve();
  expect((await status()).version).toBe(2);
});

it('with the watch off, or by polling, the clock alone finds new versions', async () => {
  for (const mode of ['off', 'poll']) {
    await rm(repository.path('versioned'), { recursive: true, force: true });
    await repository.publish(1);
    await serve(repository.root, '--watch', mode);
    await repository.publish(2);
    await serves(2);
    await server.stop();
  }
});

it('the log says nothing twice: an unreadable folder is told once', async () => {
  await repository.publish(1);
  await writeFile(repository.path('versioned', 'serving.json'), '{');
  await serve();
  for (let i = 0; i < 3; i++) await server.update({});
  expect(server.log.match(/serving\.json cannot be used/g)).toHaveLength(1);
});

it('a model is added to and taken from a running repository', async () => {
  await repository.publish(1);
  await serve();
  await underTraffic(async () => {
    await cp(repository.path('versioned'), repository.path('.b'), { recursive: true });
    await rename(repository.path('.b'), repository.path('b'));
    await until(async () => (await status('b')).version === 1, 'b to serve');
    await rename(repository.path('b'), repository.path('.b'));
    await until(async () => (await server.get('/models/b')).status === 404, 'b to be gone');
  });
});
