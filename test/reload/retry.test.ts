/**
 * What fails for reasons that are not its files' own is tried again by itself.
 *
 * The storage fails for real: a file is a link to `/proc/self/mem`, which can be looked up and opened, and whose first byte
 * cannot be read (EIO).
 */
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HandlerServer, stopHandlerServersAfterEach } from '../fixtures/handlers.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer | undefined;

beforeEach(async () => {
  repository = await TestRepository.create();
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  await repository.remove();
});

stopHandlerServersAfterEach();

async function serve(): Promise<TestServer> {
  server = await TestServer.start({ args: ['--model-path', repository.root, '--settle', '0.1'] });
  return server;
}

/** Makes a version of which one file cannot be read. */
async function publishUnreadable(version: number, file: string): Promise<void> {
  const staged = await repository.stage(version);
  await rm(path.join(staged, file));
  await symlink('/proc/self/mem', path.join(staged, file));
  await rename(staged, repository.path('versioned', version));
}

async function versionOf(started: TestServer, version: number) {
  const { versions } = (await started.get('/models/versioned')).body;
  return versions.find((each: { version: number }) => each.version === version);
}

it.each([
  ['saved_model.pb', 'saved_model.pb cannot be read now (EIO): look at the storage'],
  ['variables/variables.index', 'variables/variables.index cannot be read now (EIO): look at the storage'],
  // TensorFlow reads it.
  ['assets/offset.txt', expect.stringMatching(/^assets\/offset\.txt; Input\/output error/)],
])('%s that gives EIO is tried again and again, and the version before goes on', async (file, message) => {
  await repository.publish(1);
  const started = await serve();
  await publishUnreadable(2, file);
  const failed = await until(async () => {
    const found = await versionOf(started, 2);
    return found?.retry_at && found;
  }, 'the failure');
  expect(failed.error).toEqual({ code: 'UNAVAILABLE', message });
  const { status, body } = await started.update({ model: 'versioned' });
  expect([status, body.error.message]).toEqual([
    503,
    expect.stringMatching(/ \(?.*; it is tried again at \d{4}-.*Z; version 1 goes on serving$/s),
  ]);
  // By itself as well, after the first try and the one that was asked for.
  const tries = () => started.log.match(/loading versioned version 2/g)?.length ?? 0;
  await until(() => tries() >= 4, 'two more tries');
  expect((await started.get('/health/ready')).status).toBe(200);
  expect((await versionOf(started, 1)).state).toBe('AVAILABLE');

  // Another fingerprint is another candidate; the old one is not looked at again.
  await rm(repository.path('versioned', 2), { recursive: true });
  await repository.publish(2);
  await until(async () => (await started.get('/models/versioned')).body.version === 2, 'version 2 to serve');
  expect(await versionOf(started, 2)).not.toHaveProperty('retry_at');
});

it('at start, a server whose only model waits is not ready, and says when it looks again', async () => {
  await repository.publish(1);
  await rm(repository.path('versioned', 1), { recursive: true });
  await publishUnreadable(1, 'saved_model.pb');
  const started = await serve();
  expect((await started.get('/health/ready')).status).toBe(503);
  const { retry_at: next } = await until(() => versionOf(started, 1), 'the version');
  expect(new Date(next).toISOString()).toBe(next);
  const refused = await started.fetch('/models/versioned/infer', { method: 'POST' });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
});

it('a handler whose own files cannot be read waits, too', async () => {
  const started = await HandlerServer.start(['versioned'], {
    'versioned/handler.js': `
      import { readFileSync } from 'node:fs';
      export const load = () => readFileSync('/proc/self/mem');
    `,
  });
  expect(await versionOf(started.server, 1)).toMatchObject({
    state: 'END',
    error: {
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^its handler failed: EIO: i\/o error, read/),
    },
    retry_at: expect.any(String),
  });
});

it('a version that is not wanted any more is not tried again', async () => {
  await repository.publish(1);
  const started = await serve();
  await publishUnreadable(2, 'saved_model.pb');
  await until(async () => (await versionOf(started, 2))?.retry_at, 'the failure');
  await repository.publish(3);
  await until(async () => (await started.get('/models/versioned')).body.version === 3, 'version 3 to serve');
  const left = await versionOf(started, 2);
  expect([left.state, left.error.code, left.retry_at]).toEqual(['END', 'UNAVAILABLE', undefined]);
});

it('it serves by itself once what it needs is there, although its folder is the same', async () => {
  const needed = repository.path('.needed');
  const started = await HandlerServer.start(['versioned'], {
    'versioned/handler.ts': `
      import { existsSync } from 'node:fs';
      import { ServingError } from 'tfjs-serving';
      export function load() {
        if (!existsSync('${needed}')) throw new ServingError('UNAVAILABLE', 'the labels are not there yet');
      }
    `,
  });
  expect(await versionOf(started.server, 1)).toMatchObject({
    state: 'END',
    error: { code: 'UNAVAILABLE', message: 'the labels are not there yet' },
    retry_at: expect.any(String),
  });
  expect((await started.server.get('/health/ready')).status).toBe(503);
  await writeFile(needed, '');
  await until(
    async () => (await started.server.get('/health/ready')).status === 200,
    'the server to be ready',
  );
  expect(await started.outputs('versioned', { x: 1 })).toMatchObject({ y: 2 });
  expect(await versionOf(started.server, 1)).toMatchObject({ state: 'AVAILABLE', generation: 1 });
  expect(await versionOf(started.server, 1)).not.toHaveProperty('error');
});

it('a handler that asks a model which is loaded after it serves, too', async () => {
  const started = await HandlerServer.start(['versioned'], {
    'asks/handler.js': `
      export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
      export const predict = async ({ x }, ctx) => ({ y: (await ctx.predict({ model: 'versioned', inputs: { x } })).y });
    `,
  });
  expect((await started.server.get('/models/asks')).body.version).toBe(1);
  expect(await started.outputs('asks', { x: 1 })).toMatchObject({ y: 2 });
});
