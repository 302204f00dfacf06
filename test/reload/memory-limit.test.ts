/**
 * Under a limit on memory that has room for one version more, and a little, a large model is replaced time and again.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryLimit } from '../fixtures/memory-limit.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { Traffic } from '../fixtures/traffic.ts';
import { until } from '../fixtures/until.ts';
import { makeZeros, zerosBytes } from '../fixtures/zeros.ts';

const probe = await MemoryLimit.make();
const isMissing = typeof probe === 'string';
if (typeof probe === 'string') console.warn(`skipped, since no memory cgroup can be made here: ${probe}`);
else await probe.remove();

const reloads = 20;
/** For what a load and a warm-up take beside the weights, and for files. */
const allowance = 150e6;

let repository: TestRepository;
let group: MemoryLimit;
let server: TestServer | undefined;

beforeEach(async () => {
  if (isMissing) return;
  group = (await MemoryLimit.make()) as MemoryLimit;
  repository = await TestRepository.create();
});

afterEach(async () => {
  if (isMissing) return;
  await server?.stop('SIGKILL');
  server = undefined;
  await group.remove();
  await repository.remove();
});

async function publish(version: number): Promise<void> {
  const staged = repository.path(`.staged-${version}`);
  await makeZeros(staged);
  await mkdir(repository.path('zeros'), { recursive: true });
  await rename(staged, repository.path('zeros', version));
}

async function start(): Promise<TestServer> {
  await publish(1);
  const args = ['--model-path', repository.root, '--settle', '0.1'];
  server = await TestServer.start({ args, limits: group.enter });
  return server;
}

it.skipIf(isMissing)(
  'twenty reloads of a 210 MB model under traffic',
  async () => {
    const started = await start();
    const traffic = new Traffic(started, '/models/zeros/infer');
    await until(() => traffic.replies.length > 100, 'traffic');
    await group.set((await group.residentBytes()) + zerosBytes + allowance);
    for (let version = 2; version <= reloads + 1; version++) {
      await publish(version);
      const serves = async () => (await started.get('/models/zeros')).body.version === version;
      await until(serves, `version ${version} to serve`);
      const unloaded = `zeros version ${version - 1} generation 1 is unloaded`;
      await until(() => started.log.includes(unloaded), unloaded);
      await rm(repository.path('zeros', version - 1), { recursive: true });
    }
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(traffic.mixed(() => 0)).toEqual([]);
    expect(new Set(traffic.replies.map(({ version }) => version)).size).toBe(reloads + 1);
  },
  900_000,
);

it.skipIf(isMissing)('a version without room is refused, and served once there is room', async () => {
  const started = await start();
  await group.set((await group.residentBytes()) + zerosBytes / 2);
  await publish(2);
  const refused = await started.update({ model: 'zeros' });
  expect(refused).toMatchObject({
    status: 503,
    body: {
      error: {
        code: 'UNAVAILABLE',
        message: expect.stringMatching(
          /^version 2 of `zeros` is not served: it takes at least 201 MiB of memory, and \d+ MiB are left; .*version 1 goes on serving$/,
        ),
      },
    },
  });
  await group.set((await group.residentBytes()) + zerosBytes + allowance);
  expect(await started.update({ model: 'zeros' })).toMatchObject({ status: 200 });
  expect((await started.get('/models/zeros')).body.version).toBe(2);
});
