/**
 * Every golden case under both runtimes. What upstream's `tf.node.loadSavedModel` (`--runtime tfjs`) can do, our addon
 * answers the same. What it cannot do is refused by name, and nothing else is.
 */
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { int, map, text } from '../../fixtures/cbor.ts';
import { type GoldenCase, goldenCases } from '../../fixtures/golden.ts';
import { testModels } from '../../fixtures/repository.ts';
import { ask, errorOf, expectAlike } from '../../fixtures/same.ts';
import { TestServer } from '../../fixtures/server.ts';
import { keepSignatures } from '../../fixtures/signatures.ts';

const demoModels = fileURLToPath(new URL('../../../saved_models', import.meta.url));

/** Signatures of `identity` whose dtypes upstream knows. One of another dtype keeps it from loading a model at all. */
const loadableUpstream = [
  ...['serving_default', 'float32', 'int32', 'int64', 'uint8', 'bool', 'string', 'complex64'],
  '__saved_model_init_op',
];

let root: string;
let native: TestServer;
let upstream: TestServer;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-oracle-'));
  for (const folder of [testModels, demoModels]) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const name = entry.name === 'identity' ? 'every_dtype' : entry.name;
      await symlink(path.join(folder, entry.name), path.join(root, name));
    }
  }
  await cp(path.join(testModels, 'identity'), path.join(root, 'identity'), { recursive: true });
  const file = path.join(root, 'identity', '1', 'saved_model.pb');
  await writeFile(file, keepSignatures(await readFile(file), loadableUpstream));
  native = await TestServer.start({ args: ['--model-path', root] });
  upstream = await TestServer.start({ args: ['--model-path', root, '--runtime', 'tfjs'] });
});

afterAll(async () => {
  await Promise.all([native?.stop(), upstream?.stop()]);
  await rm(root, { recursive: true, force: true });
});

/** By the start of the case's name. */
const refusedByUpstream: Readonly<Record<string, { code: string; message: string }>> = {
  // `__proto__` is no name to upstream.
  'awkward_names.proto.': { code: 'INVALID_ARGUMENT', message: 'The model signatureDef input names are' },
  // Each has a value beyond int32.
  'identity.int64.rank5': { code: 'INVALID_ARGUMENT', message: 'is out of its range' },
  'identity.int64.scalar': { code: 'INVALID_ARGUMENT', message: 'is out of its range' },
  'identity.int64.vector': { code: 'INVALID_ARGUMENT', message: 'is out of its range' },
  'identity.uint8.': {
    code: 'UNIMPLEMENTED',
    message: 'output `y` is uint8, which --runtime tfjs cannot read',
  },
  ...Object.fromEntries(
    ['v1_local.passed', 'v1_local.also_passed'].map((start) => [
      start,
      {
        code: 'UNIMPLEMENTED',
        message: 'output `same` is input `x` as it came, which --runtime tfjs cannot give',
      },
    ]),
  ),
};

/** All of their signatures have tensors that upstream does not know. */
const unknownUpstream = ['sparse', 'ragged', 'flattened'];

/** Upstream reads no saved_model.pbtxt, and no output of uint8. */
const unreadUpstream = ['text_form', 'images'];

const served = goldenCases().filter(
  ({ model, signature, tags }) =>
    tags.join() === 'serve' &&
    ![...unknownUpstream, ...unreadUpstream].includes(model) &&
    (model !== 'identity' || loadableUpstream.includes(signature)),
);
const refusalOf = ({ name }: GoldenCase) =>
  Object.entries(refusedByUpstream).find(([start]) => name.startsWith(start))?.[1];

describe('what both can do, they do alike', () => {
  it.each(served.filter((golden) => !refusalOf(golden)))('$name', async (golden) => {
    const [ours, theirs] = [await ask(native, golden), await ask(upstream, golden)];
    expectAlike(golden, ours, theirs);
  });
});

describe('what upstream cannot do is refused by name, where ours answers', () => {
  it.each(served.filter(refusalOf))('$name', async (golden) => {
    expect((await ask(native, golden)).status).toBe(200);
    const refused = errorOf(await ask(upstream, golden));
    expect(refused.get('code')).toBe(refusalOf(golden)?.code);
    expect(refused.get('message')).toContain(refusalOf(golden)?.message);
  });

  it('a model with one signature of a dtype it does not know', async () => {
    const golden = { model: 'every_dtype', body: map({ inputs: map({ x: int(1) }) }) };
    expect((await ask(native, golden)).status).toBe(200);
    expect((await ask(upstream, golden)).status).toBe(503);
    const { body } = await upstream.get('/models/every_dtype');
    expect(JSON.stringify(body)).toContain('Unsupported tensor DataType: DT_');
  });

  it.each(unknownUpstream)('a model whose tensors are %s', async (model) => {
    for (const golden of goldenCases().filter((each) => each.model === model)) {
      expect((await ask(native, golden)).status).toBe(200);
      expect((await ask(upstream, golden)).status).toBe(503);
    }
    const { body } = await upstream.get(`/models/${model}`);
    expect(JSON.stringify(body)).toContain('has a sparse or ragged tensor, which --runtime tfjs cannot run');
  });

  it('an int64 beyond int32', async () => {
    const golden = {
      model: 'identity',
      body: map({ inputs: map({ x: int(2n ** 40n) }), signature: text('int64') }),
    };
    expect((await ask(native, golden)).status).toBe(200);
    const refused = await ask(upstream, golden);
    expect(refused.status).toBe(400);
    expect(errorOf(refused).get('message')).toContain('1099511627776 is out of its range');
  });

  it('and goes on answering what it can', async () => {
    const golden = { model: 'identity', body: map({ inputs: map({ x: int(7) }), signature: text('int64') }) };
    expect((await ask(upstream, golden)).status).toBe(200);
  });
});
