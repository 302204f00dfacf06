/**
 * Whatever lies in the folder of models, only regular files are read, and only as much of them as any model needs: the
 * rest is told by its name, and holds up nobody.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, rm, symlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { residentMebibytes } from '../../bench/process.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer | undefined;
const sockets: Server[] = [];

beforeEach(async () => {
  repository = await TestRepository.create('versioned');
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  for (const socket of sockets.splice(0)) socket.close();
  await repository.remove();
});

async function serve(...args: string[]): Promise<TestServer> {
  server = await TestServer.start({ args: ['--model-path', repository.root, '--settle', '0.1', ...args] });
  return server;
}

function makePipe(file: string): void {
  execFileSync('mkfifo', [file]);
}

async function makeSparse(file: string): Promise<void> {
  const handle = await open(file, 'w');
  await handle.truncate(2 ** 31);
  await handle.close();
}

async function makeSocket(file: string): Promise<void> {
  const socket = createServer();
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.listen(file, resolve));
}

/** A new model, one of whose files is something else. */
async function modelWith(name: string, file: string, make: (file: string) => unknown): Promise<void> {
  await repository.publish(1, { model: name });
  const place = repository.path(name, 1, file);
  await mkdir(path.dirname(place), { recursive: true });
  await rm(place, { force: true });
  await make(place);
}

async function errorOf(model: string): Promise<{ code: string; message: string }> {
  const { versions } = (await (server as TestServer).get(`/models/${model}`)).body;
  return versions[0].error;
}

it('a serving.json that is no file, or is huge, is told by name; the models are served', async () => {
  await repository.publish(1, { model: 'piped' });
  await repository.publish(1, { model: 'endless' });
  makePipe(repository.path('serving.json'));
  makePipe(repository.path('piped', 'serving.json'));
  await makeSparse(repository.path('versioned', 'serving.json'));
  await symlink('/dev/zero', repository.path('endless', 'serving.json'));
  const { log, get } = bind(await serve());
  for (const model of ['versioned', 'piped', 'endless'])
    expect((await get(`/models/${model}`)).body.version).toBe(1);
  const { root } = repository;
  for (const line of [
    `looking for models: ${root}/serving.json cannot be used: it is a named pipe, and must be a file`,
    `looking for models: ${root}/piped/serving.json cannot be used: it is a named pipe, and must be a file`,
    `looking for models: ${root}/endless/serving.json cannot be used: it is a device, and must be a file`,
    `looking for models: ${root}/versioned/serving.json cannot be used: it has 2147483648 bytes, and 131072 are the most that is read`,
  ])
    expect(log().split(line)).toHaveLength(2);
});

it('a version that holds anything but files and folders is refused, however many of them there are', async () => {
  const kinds: [string, string, (file: string) => unknown, string][] = [
    ['pipe', 'saved_model.pb', makePipe, 'a named pipe'],
    ['device', 'saved_model.pb', (file) => symlink('/dev/zero', file), 'a device'],
    ['socket', 'saved_model.pb', makeSocket, 'a socket'],
    ['fingerprint', 'fingerprint.pb', makePipe, 'a named pipe'],
    ['index', 'variables/variables.index', makePipe, 'a named pipe'],
    ['shard', 'variables/variables.data-00000-of-00001', makePipe, 'a named pipe'],
    ['asset', 'assets/offset.txt', makePipe, 'a named pipe'],
    ['warmup', 'assets.extra/tf_serving_warmup_requests', makePipe, 'a named pipe'],
  ];
  for (const [name, file, make] of kinds) await modelWith(name, file, make);
  const { get } = bind(await serve());
  for (const [name, file, , what] of kinds)
    expect(await until(() => errorOf(name), `${name} to be refused`)).toEqual({
      code: 'FAILED_PRECONDITION',
      message: `${file} is ${what}, and must be a file`,
    });
  expect((await get('/models/versioned')).body.version).toBe(1);
});

it('a file of 2 GB is refused before memory is taken for it', async () => {
  const files: [model: string, file: string, most: number][] = [
    ['graph', 'saved_model.pb', 2 ** 31 - 1],
    ['index', 'variables/variables.index', 2 ** 28],
  ];
  for (const [model, file] of files) await modelWith(model, file, makeSparse);
  const { child } = await serve();
  for (const [model, file, most] of files)
    expect((await until(() => errorOf(model), `${model} to be refused`)).message).toContain(
      `${file} cannot be read (it has 2147483648 bytes, and ${most} are the most that is read)`,
    );
  expect(residentMebibytes(child.pid as number, 'at its most')).toBeLessThan(1024);
});

it('a warm-up file of 2 GB is refused before it is read', async () => {
  await modelWith('large', 'assets.extra/tf_serving_warmup_requests', makeSparse);
  await serve();
  expect(await until(() => errorOf('large'), 'it to be refused')).toEqual({
    code: 'FAILED_PRECONDITION',
    message:
      'tf_serving_warmup_requests cannot be read (it has 2147483648 bytes, and 1073741824 are the most that is read)',
  });
});

it('links out of the folder are followed to models and versions, and not into whole trees', async () => {
  await symlink('/', repository.path('disk'));
  await mkdir(repository.path('numbered'));
  await symlink('/', repository.path('numbered', '1'));
  await repository.publish(1, { model: 'inside' });
  // Not `/`: other programs change `/tmp`, and then the version is never quiet.
  await symlink('/usr', repository.path('inside', '1', 'extra'));
  const elsewhere = await TestRepository.create('versioned');
  try {
    await symlink(elsewhere.path('versioned'), repository.path('linked'));
    const { get } = bind(await serve('--scan-interval', '3600'));
    for (const model of ['versioned', 'linked'])
      expect((await get(`/models/${model}`)).body.version, model).toBe(1);
    await until(
      async () => (await get('/models/inside')).body.version === 1,
      'the model with a link to serve',
    );
    expect(await errorOf('numbered')).toEqual({
      code: 'NOT_FOUND',
      message: 'saved_model.pb cannot be read (ENOENT)',
    });
    expect(watchesOf((server as TestServer).child.pid)).toBeLessThan(200);
    // Through the link events still come.
    await elsewhere.publish(2);
    await until(
      async () => (await get('/models/linked')).body.version === 2,
      'the linked version 2 to serve',
    );
  } finally {
    await elsewhere.remove();
  }
});

/** How many folders and files the process has the system watch. */
function watchesOf(pid: number | undefined): number {
  const folder = `/proc/${pid}/fdinfo`;
  return readdirSync(folder)
    .map((name) => readFileSync(path.join(folder, name), 'utf8').match(/^inotify /gm)?.length ?? 0)
    .reduce((sum, count) => sum + count, 0);
}

function bind(started: TestServer) {
  return { get: started.get.bind(started), log: () => started.log };
}
