/**
 * Versions whose operations are not known, and libraries that cannot be loaded.
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCompiler } from '../../scripts/install/compiler.js';
import { customGolden, customModels } from '../fixtures/custom-operations.ts';
import { goldenCases } from '../fixtures/golden.ts';
import { ask, expectSameOutputs, outputsOf } from '../fixtures/same.ts';
import { runProgram } from '../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';

stopServerAfterEach();

describe('without a library', () => {
  it('a version is refused with all that is unknown, and its predecessor goes on', async () => {
    const { server, repository } = await serveModels(['versioned']);
    const staged = repository.path('.staged');
    for (const [version, model, operations, wheel, folder] of [
      [
        2,
        'wordpieces',
        'CaseFoldUTF8, NormalizeUTF8, RegexSplitWithOffsets, WordpieceTokenizeWithOffsets',
        'tensorflow-text',
        'tensorflow_text/python/ops',
      ],
      [
        3,
        'forest',
        'SimpleMLCreateModelResource, SimpleMLInferenceOpWithHandle, SimpleMLLoadModelFromPathWithHandle',
        'ydf-tf',
        'ydf_tf',
      ],
    ] as const) {
      await cp(path.join(customModels, model, '1'), staged, { recursive: true });
      await rename(staged, repository.path('versioned', version));
      const { status, body } = await server.update({ model: 'versioned' });
      expect([status, body.error.code]).toEqual([409, 'FAILED_PRECONDITION']);
      expect(body.error.message).toContain(`does not know ${operations} (in the wheel ${wheel})`);
      expect(body.error.message).toContain(`pip install --no-deps --target op-libraries '${wheel}==2.21.*'`);
      expect(body.error.message).toContain(`--op-library op-libraries/${folder}`);
      const { body: info } = await server.get('/model_info');
      expect(info).toMatchObject({ model: 'versioned', version: 1 });
    }
  });

  it('an operation that no signature reaches, and a function called by its name, are no reason', async () => {
    const { server, repository } = await serveModels(['versioned']);
    for (const model of ['unused', 'named_function']) {
      await cp(path.join(customModels, model), repository.path(model), { recursive: true });
      await server.update({ model });
      for (const golden of goldenCases(customGolden).filter((each) => each.model === model))
        expectSameOutputs(golden.outputs ?? new Map(), outputsOf(await ask(server, golden)));
    }
  });
});

describe('a library that cannot be loaded ends the start', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-libraries-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  async function start(library: string) {
    return runProgram(['serve', '--port', '0', '--model-path', 'saved_models', '--op-library', library]);
  }

  it.each(['native', 'tfjs'])('a text file, with --runtime %s', async (runtime) => {
    const file = path.join(root, 'text.so');
    await writeFile(file, 'no library');
    const { code, output } = await runProgram([
      'serve',
      '--port',
      '0',
      '--model-path',
      'saved_models',
      '--runtime',
      runtime,
      '--op-library',
      file,
    ]);
    expect(code).toBe(1);
    expect(output).toContain(
      `tfjs-serving: --op-library ${file}: file too short. A library must be built for`,
    );
  });

  it('one that wants what this TensorFlow does not have, as those of other versions do', async () => {
    const [source, library] = [path.join(root, 'other.c'), path.join(root, 'other.so')];
    await writeFile(
      source,
      'extern int of_another_tensorflow(void); int use(void) { return of_another_tensorflow(); }',
    );
    const [command = '', ...args] = findCompiler(process.env)?.command ?? [];
    await promisify(execFile)(command, [...args, '-x', 'c', '-shared', '-fPIC', source, '-o', library]);
    const { code, output } = await start(library);
    expect(code).toBe(1);
    expect(output).toContain(
      `--op-library ${library}: undefined symbol: of_another_tensorflow. A library must`,
    );
  });

  it('a folder without libraries, and a path where nothing is', async () => {
    const empty = await mkdtemp(path.join(root, 'empty-'));
    const { code, output } = await start(empty);
    expect(code).toBe(1);
    expect(output).toContain(`--op-library ${empty} has no *.so in it: give the folder that has them`);
    expect((await start(path.join(root, 'nothing'))).output).toContain('there is no such file or folder');
  });
});
