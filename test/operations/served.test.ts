/**
 * Models with custom operations, served with the libraries that have them, against Python TensorFlow's answers.
 */
import { cp, link, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { customGolden, customModels, hasOpLibraries, opLibraries } from '../fixtures/custom-operations.ts';
import { type GoldenCase, goldenCases } from '../fixtures/golden.ts';
import { ask, expectSameOutputs, outputsOf } from '../fixtures/same.ts';
import { TestServer } from '../fixtures/server.ts';

const cases = goldenCases(customGolden);

async function expectGolden(server: TestServer, golden: GoldenCase): Promise<void> {
  const answered = await ask(server, golden);
  expect(answered.status, JSON.stringify(answered.answer)).toBe(200);
  expectSameOutputs(golden.outputs ?? new Map(), outputsOf(answered));
}

describe.runIf(hasOpLibraries).each(['native', 'tfjs'])('with --runtime %s', (runtime) => {
  let root: string;
  let models: string;
  let server: TestServer;

  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'tfjs serving operations '));
    models = path.join(root, 'my models');
    await cp(customModels, models, { recursive: true });
    const { text, forests } = await opLibraries();
    await symlink(text, path.join(root, 'text ops'));
    // The same library under three more paths: a link to its folder, another name of the file, and a copy.
    await symlink(forests, path.join(root, 'forests'));
    const library = path.join(forests, 'inference.so');
    await mkdir(path.join(root, 'more'));
    await cp(library, path.join(root, 'more', 'copy.so'));
    await link(path.join(root, 'more', 'copy.so'), path.join(root, 'more', 'link.so'));
    const libraries = [
      path.join(root, 'text ops'),
      library,
      path.join(root, 'forests'),
      path.join(root, 'more'),
    ];
    server = await TestServer.start({
      args: [
        '--model-path',
        models,
        '--settle',
        '0.2',
        '--runtime',
        runtime,
        '--op-library',
        libraries.join(),
      ],
    });
  });

  afterAll(async () => {
    await server?.stop();
    await rm(root, { recursive: true, force: true });
  });

  it.each(cases)('$name is answered as Python TensorFlow answers it', async (golden) => {
    await expectGolden(server, golden);
  });

  it('a forest is reloaded, with the assets of the new version', async () => {
    const staged = path.join(models, '.staged');
    await cp(path.join(models, 'forest', '1'), staged, { recursive: true });
    await rename(staged, path.join(models, 'forest', '2'));
    const { status, body } = await server.update({ model: 'forest' });
    expect(status, JSON.stringify(body)).toBe(200);
    await rm(path.join(models, 'forest', '1'), { recursive: true });
    const [golden] = cases.filter(({ model }) => model === 'forest');
    if (!golden) throw new Error('no golden case of the forest');
    await expectGolden(server, golden);
    expect((await ask(server, golden)).answer.get('version')).toBe(2);
  });
});
