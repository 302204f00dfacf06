/**
 * A load that hangs is given up and told, and holds up nobody: not what serves, not another model, not the end.
 */
import { cp, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestRepository, unsafeModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

beforeEach(async () => {
  repository = await TestRepository.create('versioned');
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await repository.remove();
});

/** What initialises it never ends: TensorFlow computes for ever while it loads. */
async function publishHanging(version: number): Promise<void> {
  const staged = repository.path(`.staged-${version}`);
  await cp(path.join(unsafeModels, 'endless', '1'), staged, { recursive: true });
  await delay(25); // A rename within the tick of the copy would look like a copy.
  await rename(staged, repository.path('versioned', version));
}

async function statusOf(version: number) {
  const { versions } = (await server.get('/models/versioned')).body;
  return versions.find((each: { version: number }) => each.version === version);
}

it('it is given up after --load-timeout; the version that serves goes on, and a next one is loaded', async () => {
  const args = ['--model-path', repository.root, '--settle', '0.1', '--load-timeout', '3'];
  server = await TestServer.start({ args });
  await publishHanging(2);
  const error = await until(async () => (await statusOf(2))?.error, 'the load to be given up');
  expect(error).toEqual({
    code: 'DEADLINE_EXCEEDED',
    message: 'loading took more than 3 s (--load-timeout)',
  });
  expect((await server.get('/models/versioned')).body.version).toBe(1);
  // It is to be tried again, but not beside the load that hangs: the pause grows.
  const { retry_at: first } = await statusOf(2);
  expect(new Date(first).toISOString()).toBe(first);
  await until(async () => (await statusOf(2)).retry_at !== first, 'the next try to be put off');
  expect(server.log.match(/loading versioned version 2/g), server.log).toHaveLength(1);
  await repository.publish(3);
  await until(async () => (await server.get('/models/versioned')).body.version === 3, 'version 3 to serve');
  expect(await server.stop()).toBe(0);
});

it('while it hangs another model is loaded, after a while, and a newer version, and the server can be stopped', async () => {
  server = await TestServer.start({
    args: ['--model-path', repository.root, '--settle', '0.1', '--shutdown-timeout', '1'],
  });
  await publishHanging(2);
  const { since } = await until(async () => {
    const found = await statusOf(2);
    return found?.state === 'LOADING' && found;
  }, 'the load to begin');
  expect(new Date(since).toISOString()).toBe(since);
  await repository.publish(1, { model: 'other' });
  await until(async () => (await server.get('/models/other')).body.version === 1, 'the other model to serve');
  expect(await statusOf(2)).toMatchObject({ state: 'LOADING', since });
  await repository.publish(3);
  await until(
    async () => (await server.get('/models/versioned')).body.version === 3,
    'what mends it to serve',
  );
  expect(await statusOf(2)).toMatchObject({ state: 'LOADING', since });
  await until(() => /version 2 has been loading for 10 s: /.test(server.log), 'the log to say so');
  expect(server.log.match(/has been loading for 10 s: loading it into TensorFlow/g)).toHaveLength(1);
  expect((await server.get('/health/ready')).status).toBe(200);
  // Every request was answered: what hangs is nobody's request.
  expect(await server.stop()).toBe(0);
});
