/**
 * Versions whose files come one by one: nothing is served before all of it is there.
 */
import { appendFile, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [0]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x00);

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

async function serve(settle: number, ...args: string[]): Promise<TestServer> {
  const common = ['--model-path', repository.root, '--settle', String(settle), '--scan-interval', '0.5'];
  server = await TestServer.start({ args: [...common, ...args] });
  return server;
}

async function statusOf(started: TestServer) {
  return (await started.get('/models/versioned')).body;
}

async function answer(started: TestServer) {
  const { body: answered } = await started.infer('/models/versioned/infer', body);
  return { ...answered, offset: answered.outputs?.y[0] };
}

/**
 * Copies a version in, file by file, with its one asset cut: what is there of it is a whole number, as a vocabulary that
 * is cut at a line's end is a whole vocabulary.
 */
async function beginCopy(version: number, text: string): Promise<string> {
  const staged = await repository.stage(version);
  const target = repository.path('versioned', version);
  await mkdir(path.join(target, 'assets'), { recursive: true });
  await cp(path.join(staged, 'variables'), path.join(target, 'variables'), { recursive: true });
  await cp(path.join(staged, 'saved_model.pb'), path.join(target, 'saved_model.pb'));
  await rm(staged, { recursive: true });
  const asset = path.join(target, 'assets', 'offset.txt');
  await writeFile(asset, text);
  return asset;
}

describe('a copy', () => {
  it('that had just ended when the server started is waited for, each model of it', async () => {
    for (const model of ['identity', 'versioned']) {
      await cp(path.join(testModels, model), repository.path(model), { recursive: true });
      await delay(25);
      await writeFile(repository.path(model, '1', 'last'), '');
    }
    const started = await serve(0.6, '--watch', 'off');
    const told = started.log.match(
      /(?<=INFO: )(identity version 1|versioned version 1|serving)(?=.* (serves|on http))/g,
    );
    expect(told?.map((line) => line.split(' ')[0])).toEqual(['identity', 'versioned', 'serving']);
  });

  it('that stalls for longer than --settle, with its asset cut, does not serve until the rest is there', async () => {
    await repository.publish(1);
    const started = await serve(2);
    expect(await answer(started)).toMatchObject({ version: 1, offset: 1 });
    const asset = await beginCopy(2, '1');
    await until(
      () => started.log.includes('versioned version 2 was not renamed into place'),
      'the copy to be seen',
    );
    // A model that is renamed into place only now serves after --settle, and the copy still waits.
    await cp(path.join(testModels, 'identity'), repository.path('.staged'), { recursive: true });
    await mkdir(repository.path('identity'));
    await delay(25); // A rename within the tick of the copy would look like a copy.
    await rename(repository.path('.staged', '1'), repository.path('identity', '1'));
    await until(async () => (await started.get('/models/identity')).body.version === 1, 'identity to serve');
    expect(await answer(started)).toMatchObject({ version: 1, offset: 1 });
    await appendFile(asset, '2');
    await until(async () => (await statusOf(started)).version === 2, 'version 2 to serve');
    expect(await answer(started)).toMatchObject({ version: 2, generation: 1, offset: 12 });
  });

  it('that is under way when the server starts does not serve until it has ended', async () => {
    const asset = await beginCopy(1, '1');
    const copying = { on: true, text: '1' };
    const writer = (async () => {
      while (copying.on) {
        await delay(200);
        copying.text = String((Number(copying.text) % 1000) + 1);
        await writeFile(asset, copying.text);
      }
    })();
    const started = await serve(0.5);
    expect((await started.get('/health/ready')).status).toBe(503);
    expect((await statusOf(started)).versions).toMatchObject([{ version: 1, state: 'START' }]);
    copying.on = false;
    await writer;
    await until(async () => (await statusOf(started)).version === 1, 'version 1 to serve');
    expect(await answer(started)).toMatchObject({ generation: 1, offset: Number(copying.text) });
  });

  it('that has just ended when the server starts is waited for by the start', async () => {
    await beginCopy(1, '5');
    const started = await serve(0.5);
    expect(await answer(started)).toMatchObject({ version: 1, generation: 1, offset: 5 });
  });

  it('that stalls without an asset which the graph names is refused with its name, and serves when it is there', async () => {
    const started = await serve(0.1);
    await rm(await beginCopy(1, '3'));
    const failed = async () => (await statusOf(started)).versions?.[0]?.error;
    expect(await until(failed, 'version 1 to be refused')).toEqual({
      code: 'DATA_LOSS',
      message: 'assets/offset.txt is missing',
    });
    await writeFile(repository.path('versioned', 1, 'assets', 'offset.txt'), '3');
    await until(async () => (await statusOf(started)).version === 1, 'version 1 to serve');
  });
});

describe('with "complete_marker" in serving.json', () => {
  beforeEach(async () => {
    await writeFile(repository.path('serving.json'), '{"complete_marker": "_SUCCESS"}');
  });

  it('a version serves once its marker is there, and not before, at start either', async () => {
    await repository.publish(1);
    const started = await serve(0.1);
    expect((await started.get('/models')).body.models).toEqual([]);
    expect(started.log).toContain('versioned version 1 is not loaded until its folder holds a file _SUCCESS');
    await writeFile(repository.path('versioned', 1, '_SUCCESS'), '');
    await until(async () => (await statusOf(started)).version === 1, 'version 1 to serve');
    await repository.publish(2);
    await until(
      () => started.log.includes('versioned version 2 is not loaded until'),
      'version 2 to be seen',
    );
    expect((await started.update({})).status).toBe(200);
    expect(await answer(started)).toMatchObject({ version: 1 });
    await writeFile(repository.path('versioned', 2, '_SUCCESS'), '');
    await until(async () => (await statusOf(started)).version === 2, 'version 2 to serve');
  });

  it('a version that is overwritten without its marker goes on serving as it was, until the marker is back', async () => {
    const staged = await repository.stage(1);
    await writeFile(path.join(staged, '_SUCCESS'), '');
    await mkdir(repository.path('versioned'));
    await rename(staged, repository.path('versioned', 1));
    const started = await serve(0.1);
    await rm(repository.path('versioned', 1, '_SUCCESS'));
    await writeFile(repository.path('versioned', 1, 'assets', 'offset.txt'), '7');
    await until(() => started.log.includes('versioned version 1 is not loaded until'), 'it to be seen');
    expect(await answer(started)).toMatchObject({ generation: 1, offset: 1 });
    expect((await statusOf(started)).source_missing).toBe(false);
    await writeFile(repository.path('versioned', 1, '_SUCCESS'), '');
    await until(async () => (await statusOf(started)).generation === 2, 'generation 2');
    expect(await answer(started)).toMatchObject({ generation: 2, offset: 7 });
  });
});
