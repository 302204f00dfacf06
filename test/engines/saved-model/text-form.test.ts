/** `saved_model.pbtxt` is read as the same SavedModel as `saved_model.pb`. */
import { copyFile, cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMetaGraph } from '../../../src/engines/tensorflow/saved-model/meta-graphs.ts';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { savedModelOfText } from '../../../src/engines/tensorflow/saved-model/text-form.ts';
import { ServingError } from '../../../src/errors.ts';
import { Turns } from '../../../src/flow/turns.ts';
import { goldenCases } from '../../fixtures/golden.ts';
import { TestRepository, testModels } from '../../fixtures/repository.ts';
import { ask, errorOf, expectSame, outputsOf } from '../../fixtures/same.ts';
import { TestServer } from '../../fixtures/server.ts';

const textFile = path.join(testModels, 'text_form', '1', 'saved_model.pbtxt');

let repository: TestRepository;
let server: TestServer;

beforeAll(async () => {
  repository = await TestRepository.create('text_form');
  server = await TestServer.start({ args: ['--model-path', repository.root] });
});
afterAll(async () => {
  await server?.stop();
  await repository?.remove();
});

describe('it serves', () => {
  it.each(goldenCases().filter(({ model }) => model === 'text_form'))('$name', async (golden) => {
    const answered = await ask(server, golden);
    expect(answered.status, JSON.stringify(errorOf(answered))).toBe(200);
    expectSame(golden.outputs, outputsOf(answered));
  });
});

it('says as much as the binary form: signatures, operations, variables', async () => {
  const { metaGraph, operations, parameterCount } = await readSavedModel(path.dirname(textFile), ['serve']);
  expect([...metaGraph.signatures.keys()].sort()).toEqual(['serving_default', 'split']);
  expect(metaGraph.signatures.get('split')?.composites?.outputs.get('words')?.kind).toBe('ragged');
  expect(parameterCount).toBe(2);
  const counts = JSON.stringify(operations, (_, value) => (value instanceof Map ? [...value] : value));
  expect(counts).toContain('StringSplitV2');
});

it('is passed over where there is a saved_model.pb, as TensorFlow does', async () => {
  const folder = repository.path('text_form', '2');
  await cp(repository.path('text_form', '1'), folder, { recursive: true });
  await copyFile(
    path.join(testModels, 'rows_mean', '1', 'saved_model.pb'),
    path.join(folder, 'saved_model.pb'),
  );
  const { metaGraph } = await readSavedModel(folder, ['serve']);
  expect([...(metaGraph.signatures.get('serving_default')?.inputs.keys() ?? [])]).toEqual(['x']);
  await writeFile(path.join(folder, 'saved_model.pb'), 'damaged');
  await expect(readSavedModel(folder, ['serve'])).rejects.toThrow('saved_model.pb is damaged');
});

describe('what is no whole SavedModel is refused', () => {
  const refusal = async (text: string) => {
    try {
      await savedModelOfText(new Uint8Array(Buffer.from(text)));
    } catch (error) {
      return error instanceof ServingError ? `${error.code} ${error.message}` : `${error}`;
    }
    return 'taken';
  };

  it.each([
    ['cut short', 'meta_graphs { graph_def { node {'],
    ['a field that there is not', 'meta_grafs { }'],
    ['a text that is no number', 'saved_model_schema_version: one'],
    ['a text without an end', 'meta_graphs { meta_info_def { tags: "serve'],
    [
      'nested without end',
      `meta_graphs { object_graph_def { concrete_functions { value { output_signature { ${'tuple_value { values { '.repeat(5000)}`,
    ],
  ])('%s', async (_what, text) => {
    expect(await refusal(text)).toMatch(/^DATA_LOSS saved_model.pbtxt is damaged or not complete/);
  });

  it('cut anywhere', async () => {
    const text = await readFile(textFile, 'latin1');
    for (const part of [0.2, 0.5, 0.9])
      expect(await refusal(text.slice(0, text.length * part))).toContain('DATA_LOSS');
  });

  it('too long', async () => {
    expect(await refusal(' '.repeat(16 * 2 ** 20 + 1))).toContain('UNIMPLEMENTED');
  });

  it('while the event loop goes on', async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    });
    const tags = Array.from({ length: 20_000 }, (_, i) => `meta_graphs { meta_info_def { tags: "t${i}" } }`);
    const bytes = await savedModelOfText(new Uint8Array(Buffer.from(tags.join('\n'))));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    await expect(findMetaGraph(bytes, ['t0'], new Turns())).rejects.toThrow('at most 1000 meta graphs');
  });
});
