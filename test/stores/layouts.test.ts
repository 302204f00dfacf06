/**
 * What `--model-path` may point at, and which model `/infer` means.
 */
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testModels } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [1]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x01);

let root: string;
let server: TestServer | undefined;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-layout-'));
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  await rm(root, { recursive: true });
});

async function serve(modelPath: string, ...args: string[]): Promise<TestServer> {
  server = await TestServer.start({ args: ['--model-path', modelPath, '--settle', '0.1', ...args] });
  return server;
}

const versioned = path.join(testModels, 'versioned', '1');

describe('--model-path', () => {
  it('is a repository: each folder with versions is a model, each with a saved_model.pb is version 1 of one', async () => {
    await cp(versioned, path.join(root, 'numbered', '4'), { recursive: true });
    await cp(versioned, path.join(root, 'numbered', '12'), { recursive: true });
    await cp(versioned, path.join(root, 'bare'), { recursive: true });
    await mkdir(path.join(root, 'empty'));
    await mkdir(path.join(root, 'notes'));
    await writeFile(path.join(root, 'notes', 'text'), '');
    const { models, default_model } = (await (await serve(root)).get('/models')).body;
    const served = models.map(({ name, version }: { name: string; version: number }) => [name, version]);
    expect(served.filter(([, version]: [string, number | null]) => version !== null)).toEqual([
      ['bare', 1],
      ['numbered', 12],
    ]);
    expect(default_model).toBe(null);
    const { status, body: answer } = await (server as TestServer).infer('/infer', body);
    expect(status).toBe(404);
    expect(answer.error.message).toContain('`bare`, `numbered`');
  });

  it("is one model's folder of versions, and goes on being that when versions come and go", async () => {
    const model = path.join(root, 'policy');
    await cp(versioned, path.join(model, '3'), { recursive: true });
    const { infer, get } = bind(await serve(model));
    expect((await infer('/infer', body)).body).toMatchObject({ model: 'policy', version: 3 });
    expect((await infer('/models/policy/versions/3/infer', body)).status).toBe(200);
    await cp(versioned, path.join(root, '.new'), { recursive: true });
    await rename(path.join(root, '.new'), path.join(model, '4'));
    await until(async () => (await get('/models/policy')).body.version === 4, 'version 4 to serve');
    expect((await infer('/models/policy/versions/3/infer', body)).status).toBe(404);
  });

  it.each([
    ['policy', 'policy', 1],
    ['policy/7', 'policy', 7],
  ])('is a SavedModel itself: %s is model %s, version %i', async (folder, model, version) => {
    await cp(versioned, path.join(root, folder), { recursive: true });
    const { infer } = bind(await serve(path.join(root, folder)));
    expect((await infer('/infer', body)).body).toMatchObject({ model, version, generation: 1 });
  });

  it('is a SavedModel itself: overwritten in place it is the next generation of the same version', async () => {
    await cp(versioned, path.join(root, 'policy'), { recursive: true });
    const { infer } = bind(await serve(path.join(root, 'policy')));
    await writeFile(path.join(root, 'policy', 'assets', 'offset.txt'), '40');
    const answer = await until(async () => {
      const { body: latest } = await infer('/infer', body);
      return latest.generation === 2 && latest;
    }, 'generation 2');
    expect(answer).toMatchObject({ version: 1, outputs: { y: [41] } });
  });

  it('is empty: live, not ready, and ready once a model has been put there', async () => {
    const { get, infer } = bind(await serve(root));
    expect((await get('/health/live')).status).toBe(200);
    expect((await get('/health/ready')).status).toBe(503);
    expect((await infer('/infer', body)).status).toBe(503);
    expect((await get('/model_info')).status).toBe(503);
    await cp(versioned, path.join(root, '.new'), { recursive: true });
    await rename(path.join(root, '.new'), path.join(root, 'policy'));
    await until(async () => (await get('/health/ready')).status === 200, 'readiness');
    expect((await infer('/infer', body)).status).toBe(200);
  });

  it('leads through links, to models and to versions elsewhere', async () => {
    const elsewhere = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-elsewhere-'));
    await cp(versioned, path.join(elsewhere, 'v'), { recursive: true });
    await mkdir(path.join(root, 'by-version'));
    await symlink(path.join(elsewhere, 'v'), path.join(root, 'by-version', '2'));
    await symlink(path.join(elsewhere, 'v'), path.join(root, 'by-model'));
    const { infer } = bind(await serve(root));
    expect((await infer('/models/by-version/infer', body)).body).toMatchObject({ version: 2 });
    expect((await infer('/models/by-model/infer', body)).body).toMatchObject({ version: 1 });
    await rm(elsewhere, { recursive: true });
  });

  it.each([
    ['that does not exist', 'missing', 'does not exist'],
    ['that is a file', 'file', 'is a file, not a folder'],
  ])('%s fails the start with one sentence', async (_, name, reason) => {
    await writeFile(path.join(root, 'file'), '');
    const { code, output } = await runProgram([
      'serve',
      '--port',
      '0',
      '--model-path',
      path.join(root, name),
    ]);
    expect(code).toBe(1);
    expect(output).toBe(`tfjs-serving: --model-path ${path.join(root, name)} ${reason}\n`);
  });
});

describe('the default model', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b']) await cp(versioned, path.join(root, name, '1'), { recursive: true });
  });

  it('is the one that serving.json names, which is read anew when it changes', async () => {
    await writeFile(path.join(root, 'serving.json'), '{"default_model": "b"}');
    const { infer } = bind(await serve(root));
    expect((await infer('/infer', body)).body.model).toBe('b');
    await writeFile(path.join(root, 'serving.json'), '{"default_model": "a"}');
    await until(async () => (await infer('/infer', body)).body.model === 'a', 'the new default');
  });

  it('is the one that --default-model names, before serving.json', async () => {
    await writeFile(path.join(root, 'serving.json'), '{"default_model": "b"}');
    const { infer } = bind(await serve(root, '--default-model', 'a'));
    expect((await infer('/infer', body)).body.model).toBe('a');
  });

  it('stays as it was when serving.json goes bad, which is told in the log', async () => {
    await writeFile(path.join(root, 'serving.json'), '{"default_model": "b"}');
    const started = await serve(root);
    await writeFile(path.join(root, 'serving.json'), '{"default_modle": "a"}');
    await until(() => started.log.includes('serving.json cannot be used'), 'the log to tell');
    expect((await started.infer('/infer', body)).body.model).toBe('b');
  });
});

describe('signatures and tags', () => {
  it.each([
    ['gpu,serve', 2],
    ['custom', 2],
  ])('--tags %s chooses the graph', async (tags, y) => {
    await cp(path.join(testModels, 'tags'), path.join(root, 'tags'), { recursive: true });
    const { infer } = bind(await serve(root, '--tags', tags));
    expect((await infer('/infer', body)).body.outputs).toEqual({ y: [y] });
  });

  it('--signature says which one is meant when a request names none', async () => {
    await cp(path.join(testModels, 'signatures'), path.join(root, 'signatures'), { recursive: true });
    const { get } = bind(await serve(root, '--signature', 'mul'));
    const { signatures } = (await get('/model_info')).body;
    expect(signatures.mul.default).toBe(true);
    expect(signatures.serving_default.default).toBe(false);
  });

  it('--signature that no model has is told with those that there are', async () => {
    await cp(path.join(testModels, 'signatures'), path.join(root, 'signatures'), { recursive: true });
    const { output } = await serve(root, '--signature', 'mull');
    expect(output.stdout).toMatch(
      /WARN.*--signature is `mull`, and no model that serves has it; there are .*`mul`/,
    );
  });
});

function bind(started: TestServer) {
  return { infer: started.infer.bind(started), get: started.get.bind(started) };
}
