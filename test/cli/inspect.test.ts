/** `inspect` says the same as the server of good models, and explains damaged ones. */
import { cp, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../fixtures/command.ts';
import { customModels } from '../fixtures/custom-operations.ts';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';

stopServerAfterEach();

let repository: TestRepository | undefined;
afterEach(() => repository?.remove());

async function inspect(...args: string[]) {
  const { code, stdout, stderr } = await runCommand(['inspect', '--json', ...args]);
  return { code, stderr, versions: stdout === '' ? [] : JSON.parse(stdout).versions };
}

describe('inspect', () => {
  it.each(['policy', 'half_plus_two'])('says of %s what /model_info says', async (model) => {
    const { server, repository } = await serveModels(['versioned']);
    await cp(path.join(testModels, '..', '..', 'saved_models', model), repository.path(model), {
      recursive: true,
    });
    await server.update({ model });
    const { body: state } = await server.get(`/models/${model}`);
    const { versions } = await inspect(repository.path(model));
    expect(versions).toHaveLength(1);
    expect(versions[0]).toMatchObject({ model, version: 1, tags: ['serve'] });
    for (const [name, signature] of Object.entries(versions[0].signatures)) {
      const { batching, ...specs } = signature as { batching: { sharing: string } };
      expect(state.signatures[name]).toMatchObject(specs);
      expect(['proven', 'alone']).toContain(batching.sharing);
    }
    expect(Object.keys(versions[0].signatures)).toEqual(Object.keys(state.signatures));
  });

  it('counts parameters as /model_info does', async () => {
    for (const model of ['sharded', 'identity', 'stateful', 'big_graph'] as const) {
      const { server, repository } = await serveModels([model]);
      const { body: info } = await server.get('/model_info');
      const { versions } = await inspect(repository.root);
      expect(versions[0].parameters, model).toBe(info.parameters);
      expect(Object.keys(versions[0].signatures)).toEqual(Object.keys(info.signatures));
      await server.stop('SIGKILL');
      await repository.remove();
    }
  });

  it('counts the operations, in functions too, and the bytes on disk', async () => {
    const directory = path.join(testModels, '..', '..', 'saved_models', 'policy', '1');
    const { versions } = await inspect(directory);
    // Two convolutions and two dense layers, each once, in a function (scripts/make_models.py).
    expect(versions[0].operations).toMatchObject({ Conv2D: 2, MatMul: 2, Relu: 3, RestoreV2: 1 });
    const files = ['saved_model.pb', 'variables/variables.index', 'variables/variables.data-00000-of-00001'];
    const sizes = await Promise.all(
      files.map(async (file) => (await readFile(path.join(directory, file))).length),
    );
    expect(versions[0]).toMatchObject({ files: 3, size_bytes: sizes.reduce((sum, size) => sum + size, 0) });
  });

  it("marks operations that are not TensorFlow's own, and says which wheel has them", async () => {
    const { code, versions } = await inspect(customModels);
    expect(code).toBe(0);
    const [forest, named, unused, wordpieces] = versions;
    expect(forest).toMatchObject({
      unknown_operations: [
        'SimpleMLCreateModelResource',
        'SimpleMLInferenceOpWithHandle',
        'SimpleMLLoadModelFromPathWithHandle',
      ],
      advice: expect.stringContaining("pip install --no-deps --target op-libraries 'ydf-tf==2.21.*'"),
    });
    expect(wordpieces.advice).toContain('--op-library op-libraries/tensorflow_text/python/ops');
    for (const version of [named, unused])
      expect(version).toMatchObject({ unknown_operations: [], advice: null });
    // Counted, and no reason not to load it.
    expect(unused.operations['TFText>WhitespaceTokenizeWithOffsetsV2']).toBe(1);
    const { stdout } = await runCommand(['inspect', path.join(customModels, 'wordpieces')]);
    expect(stdout).toMatch(/^ +1 {2}CaseFoldUTF8 {2}\(unknown\)$/m);
    expect(stdout).toMatch(/^ +\d+ {2}Const$/m);
    expect(stdout).toMatch(
      /^ {2}unknown {5}TensorFlow 2\.21\.0 does not know CaseFoldUTF8, .* \(in the wheel tensorflow-text\)/m,
    );
  });

  it('prints one block for each version of a model, in order', async () => {
    repository = await TestRepository.create();
    for (const version of [10, 9]) await repository.publish(version);
    const { code, stdout } = await runCommand(['inspect', repository.path('versioned')]);
    expect(code).toBe(0);
    expect([...stdout.matchAll(/^versioned, version (\d+): /gm)].map(([, number]) => number)).toEqual([
      '9',
      '10',
    ]);
    expect(stdout).toMatch(/^ {4}in {3}x {2}float32 \[-1\]$/m);
  });

  it('tells what is damaged, shows the others, and ends with 1', async () => {
    repository = await TestRepository.create();
    for (const version of [1, 2]) await repository.publish(version);
    await truncate(repository.path('versioned', 2, 'saved_model.pb'), 100);
    const { code, stderr, versions } = await inspect(repository.root);
    expect([code, stderr]).toEqual([1, 'tfjs-serving: 1 of 2 versions cannot be served\n']);
    expect(versions[0].parameters).toBeTypeOf('number');
    expect(versions[1].error).toBe('saved_model.pb is damaged or not complete');
  });

  it('reads the graph with the given tags, and says which there are', async () => {
    const directory = path.join(testModels, 'tags');
    expect((await inspect('--tags', 'custom', directory)).versions[0].tags).toEqual(['custom']);
    expect((await inspect('--tags', 'none', directory)).versions[0].error).toMatch(
      /no graph with the tags "none"/,
    );
  });

  it('fails in one line where there is nothing, and with 2 without a folder', async () => {
    repository = await TestRepository.create();
    expect(await inspect(repository.root)).toMatchObject({ code: 1 });
    expect((await inspect(repository.path('none'))).stderr).toMatch(
      /^tfjs-serving: .*none does not exist\n$/,
    );
    const keras = repository.path('flowers.keras');
    await writeFile(keras, 'PK');
    const told = (await inspect(keras)).stderr;
    expect(told).toMatch(
      /^tfjs-serving: .*flowers.keras is a file, not a folder. It is a Keras model: export it/,
    );
    expect(told).toMatch(/; then give \/\S*flowers\n$/);
    const other = repository.path('linear', 1);
    await mkdir(other, { recursive: true });
    await writeFile(path.join(other, 'linear.json'), '{}');
    expect((await inspect(repository.path('linear'))).stderr).toContain('inspect reads SavedModels alone');
    const [version] = (await inspect(repository.root)).versions;
    expect(version).toMatchObject({ error: expect.stringContaining('ask GET /models/NAME of the server') });
    expect(await inspect()).toMatchObject({ code: 2, versions: [] });
    expect((await inspect('--jsno', 'x')).stderr).toMatch(
      /^tfjs-serving: there is no flag `--jsno` \(did you mean `--json`\?\).*\n$/,
    );
  });
});
