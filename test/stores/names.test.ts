/**
 * Which folders are versions, and what the log says of whatever looks like a model and is not served.
 */
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/index.ts';
import { versionOf } from '../../src/stores/version-name.ts';
import { testModels } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [1]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x01);
const versioned = path.join(testModels, 'versioned', '1');

let root: string;
let server: TestServer | undefined;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-names-'));
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  await rm(root, { recursive: true });
});

/** Makes a SavedModel that adds a number, and renames it into place. */
async function publish(folder: string, offset = 1): Promise<void> {
  const staged = path.join(root, '.staged');
  await cp(versioned, staged, { recursive: true });
  await writeFile(path.join(staged, 'assets', 'offset.txt'), String(offset));
  await mkdir(path.dirname(path.join(root, folder)), { recursive: true });
  await rename(staged, path.join(root, folder));
}

async function serve(...args: string[]): Promise<TestServer> {
  server = await TestServer.start({ args: ['--model-path', root, '--settle', '0.1', ...args] });
  return server;
}

/** The warnings in a log, without the time before each. */
function warnings({ output }: TestServer): string[] {
  return [...output.stdout.matchAll(/WARN.*?: (.*)/g)].map(([, text = '']) => text.replaceAll(root, 'ROOT'));
}

it.each([
  ['0', 0],
  ['00', 0],
  ['7', 7],
  ['00000123', 123],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ['9007199254740992', undefined],
  ['', undefined],
  ['-1', undefined],
  ['1.0', undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  [' 1', undefined],
  ['v1', undefined],
])('the name `%s` is version %s', (name, version) => {
  expect(versionOf(name)).toBe(version);
});

describe('version 0', () => {
  it('is asked, pinned, labelled and admitted like any other', async () => {
    await publish('policy/0', 40);
    await publish('policy/00000123', 50);
    const config = { version_labels: { stable: 0 }, pin: 0 };
    await writeFile(path.join(root, 'policy', 'serving.json'), JSON.stringify(config));
    const { infer, get, update } = bind(await serve('--scan-interval', '0.2'));
    expect((await infer('/infer', body)).body).toMatchObject({ version: 0, outputs: { y: [41] } });
    expect((await infer('/models/policy/labels/stable/infer', body)).body).toMatchObject({ version: 0 });
    expect((await infer('/models/policy/versions/0/infer', body)).body).toMatchObject({ version: 0 });
    expect((await get('/models/policy')).body).toMatchObject({ version: 0, pinned: 0, wanted: 0 });
    expect((await get('/model_info')).body).toMatchObject({ version: 0 });
    expect((await get('/health')).body.models[0]).toMatchObject({ serving: 0, wanted: 0 });

    await writeFile(path.join(root, 'policy', 'serving.json'), '{}');
    await until(async () => (await get('/models/policy')).body.version === 123, 'version 123 to serve');
    const { status, body: updated } = await update({ model: 'policy', version: 0 });
    expect([status, updated.models[0].version, updated.models[0].pinned]).toEqual([200, 0, 0]);
    expect((await update({ model: 'policy', version: 'latest' })).body.models[0].version).toBe(123);

    const specific = { model_version_policy: { specific: { versions: [0] } } };
    await writeFile(path.join(root, 'policy', 'serving.json'), JSON.stringify(specific));
    await until(async () => (await get('/models/policy')).body.version === 0, 'version 0 to serve');
  });

  it('is asked with the TypeScript client, the command line and any zeros in the path', async () => {
    await publish('policy/0', 40);
    const { url, infer } = bind(await serve());
    const { version, outputs } = await new Client(url).infer({ x: [1] }, { model: 'policy', version: 0 });
    expect([version, outputs['y']?.data]).toEqual([0, Float32Array.of(41)]);
    const { code, output } = await runProgram(['infer', url, 'x=[1]', '--model', 'policy', '--version', '0']);
    expect([code, output]).toEqual([0, expect.stringContaining('model policy, version 0, generation 1')]);
    expect((await infer('/models/policy/versions/000/infer', body)).body).toMatchObject({ version: 0 });
    const refused = await infer('/models/policy/versions/-1/infer', body);
    expect([refused.status, refused.body.error.message]).toEqual([
      400,
      'expected a version from 0 to 9007199254740991 in the path, got `-1`',
    ]);
  });

  it.each([
    ['0', 'policy'],
    ['007', 'policy'],
  ])('may be what --model-path names: %s', async (name) => {
    await publish(`policy/${name}`);
    server = await TestServer.start({ args: ['--model-path', path.join(root, 'policy', name)] });
    expect((await server.infer('/infer', body)).body).toMatchObject({
      model: 'policy',
      version: Number(name),
    });
    const { update } = bind(server);
    expect((await update({ model_path: '.' })).body.models[0].pinned).toBe(Number(name));
  });

  it('with leading zeros is found under a model_path', async () => {
    await publish('policy/3');
    await publish('candidate/0009', 70);
    const { update, infer } = bind(await serve('--default-model', 'policy'));
    expect((await update({ model: 'policy', model_path: 'candidate' })).status).toBe(200);
    expect((await infer('/models/policy/infer', body)).body).toMatchObject({
      version: 9,
      outputs: { y: [71] },
    });
  });
});

it('of two folders that mean one version the one with the shortest name serves, which is told', async () => {
  await publish('policy/007', 70);
  await publish('policy/7', 7);
  const { infer } = bind(await serve());
  expect((await infer('/infer', body)).body).toMatchObject({ version: 7, outputs: { y: [8] } });
  expect(warnings(server as TestServer)).toEqual([
    'ROOT/policy/007 is version 7, and so is ROOT/policy/7, whose name is shorter and which is the one that counts: ' +
      'take one of them away',
  ]);
  await rename(path.join(root, 'policy', '7'), path.join(root, '.7'));
  await until(async () => (await infer('/infer', body)).body.outputs.y[0] === 71, '007 to serve');
});

describe('what looks like a model and is not served', () => {
  it('is told once, with what to do', async () => {
    await publish('policy/3');
    await publish('policy/v12');
    await publish('policy/candidate');
    await publish('policy/9007199254740993');
    await publish('policy/.hidden');
    await publish('policy/13.tmp');
    await publish('group/arm/1');
    await publish('triton/1/model.savedmodel');
    for (const file of [
      'policy.keras',
      'policy/old.h5',
      'policy/w.weights.h5',
      'frozen/1/model.pb',
      'a.tflite',
    ])
      await put(file);
    await put('b.onnx');
    await put('c.pt');
    await put('d/1/model.pkl');
    await put('e/1/model.joblib');
    await put('policy/3/extra.onnx');
    await put('README.md');
    const { update } = bind(await serve('--default-model', 'police', '--scan-interval', '0.2'));
    await update({});
    await update({});
    const expected = [
      'a.tflite is a TensorFlow Lite model, which cannot be turned back into a SavedModel, and is not served: in the ' +
        'program that made it, export the model itself: model.export("ROOT/a/1"), or for other than Keras ' +
        'tf.saved_model.save(model, "ROOT/a/1")',
      'b.onnx is an ONNX model, and is not served: install onnx2tf and export it with this line of Python: ' +
        'import onnx2tf; onnx2tf.convert("ROOT/b.onnx", "ROOT/b/1", output_signaturedefs=True)',
      'c.pt is a PyTorch model, and is not served: in the program that made it, call torch.onnx.export(model, inputs, ' +
        '"model.onnx"); then install onnx2tf and export it with this line of Python: import onnx2tf; ' +
        'onnx2tf.convert("model.onnx", "ROOT/c/1", output_signaturedefs=True)',
      ...['d/1/model.pkl', 'e/1/model.joblib'].map(
        (file) =>
          `${file} is a Python pickle, which this server never loads, since loading one runs code, and is not served: ` +
          'in the program that made it, write the model in TensorFlow, and ' +
          `tf.saved_model.save(model, "ROOT/${path.dirname(file)}")`,
      ),
      'frozen/1/model.pb is a graph without a SavedModel around it (frozen), and is not served: export it with this ' +
        'line of Python: import tensorflow as tf; g = tf.compat.v1.GraphDef.FromString(open("ROOT/frozen/1/model.pb", ' +
        '"rb").read()); f = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(g, name=""), []); ' +
        'tf.saved_model.save(tf.Module(), "ROOT/frozen/1", f.prune({"x": "x:0"}, {"y": "y:0"})); put the names of its ' +
        'own inputs and outputs for x:0 and y:0',
      'group/arm/1 holds a SavedModel, and is not served: it lies too deep; give --model-path ROOT/group',
      'policy/9007199254740993 holds a SavedModel, and is not served: its number is above 9007199254740991; give it a ' +
        'smaller one',
      'policy/candidate holds a SavedModel, and is not served: its name is no version; rename it to ROOT/policy/4',
      'policy/old.h5 is a Keras model, and is not served: export it with this line of Python: import keras; ' +
        'keras.saving.load_model("ROOT/policy/old.h5", compile=False).export("ROOT/policy/4")',
      'policy/v12 holds a SavedModel, and is not served: its name is no version; rename it to ROOT/policy/12',
      'policy/w.weights.h5 is a file of Keras weights, without the model, and is not served: load it in the program ' +
        'that makes the model, then export that: model.load_weights("ROOT/policy/w.weights.h5"); ' +
        'model.export("ROOT/policy/4")',
      'policy.keras is a Keras model, and is not served: export it with this line of Python: import keras; ' +
        'keras.saving.load_model("ROOT/policy.keras", compile=False).export("ROOT/policy/4")',
      'triton/1/model.savedmodel holds a SavedModel, and is not served: it lies too deep in a version; move its files ' +
        'to ROOT/triton/1',
      '--default-model is `police`, and there is no such model; there are `d`, `e`, `frozen`, `policy`, `triton`',
    ];
    // The answers to both updates are told as well.
    const told = () =>
      warnings(server as TestServer).filter(
        (text) => !/^(looking for models|POST \/update_model)/.test(text),
      );
    await until(() => told().length >= expected.length, 'all to be told');
    expect(told()).toEqual(expected);
  });

  it('is named by its format where the files of a version are expected', async () => {
    await publish('policy/1');
    await put('flowers/1/model.keras');
    await put('trees/1/model.pkl');
    const { get } = bind(await serve());
    const whyNot = async (model: string) => (await get(`/models/${model}`)).body.versions[0].error;
    expect(await whyNot('flowers')).toEqual({
      code: 'NOT_FOUND',
      message: expect.stringMatching(
        /^saved_model\.pb is missing, and model\.keras is a Keras model: export it .*\.export\(".*flowers\/1"\)$/,
      ),
    });
    expect((await whyNot('trees')).message).toMatch(
      /^saved_model\.pb is missing, and model\.pkl is a Python pickle/,
    );
  });

  it('is told once it has stayed, and again after it went away and came back', async () => {
    await publish('policy/1');
    const { get } = bind(await serve('--scan-interval', '0.2'));
    expect(warnings(server as TestServer)).toEqual([]);
    await publish('policy/v2');
    const times = () => warnings(server as TestServer).filter((text) => text.startsWith('policy/v2')).length;
    await until(() => times() === 1, 'v2 to be told');
    await rename(path.join(root, 'policy', 'v2'), path.join(root, 'policy', '2'));
    await until(async () => (await get('/models/policy')).body.version === 2, 'version 2 to serve');
    await rename(path.join(root, 'policy', '2'), path.join(root, 'policy', 'v2'));
    await until(() => times() === 2, 'v2 to be told again');
  });

  it('may be the whole folder', async () => {
    await put('policy.keras');
    await serve();
    expect(warnings(server as TestServer)).toEqual([
      'there is no model in ROOT: put one at ROOT/NAME/1/saved_model.pb',
      expect.stringMatching(/^policy\.keras is a Keras model, and is not served/),
    ]);
  });

  it("lies beside the versions of a model's folder", async () => {
    await publish('1');
    await publish('v2');
    await put('best.keras');
    await serve();
    expect(warnings(server as TestServer)).toEqual([
      expect.stringMatching(/best\.keras"?, compile=False\)\.export\("ROOT\/2"\)$/),
      'v2 holds a SavedModel, and is not served: its name is no version; rename it to ROOT/2',
    ]);
  });

  it('is told of a serving.json that names no model', async () => {
    await publish('policy/1');
    await writeFile(path.join(root, 'serving.json'), '{"default_model": "police"}');
    await serve();
    expect(warnings(server as TestServer)).toEqual([
      'default_model in serving.json is `police`, and there is no such model; there are `policy`',
    ]);
  });
});

describe('--model-path that names a file', () => {
  it.each([
    [
      'policy/1/saved_model.pb',
      /is a file, not a folder: give the folder that it lies in, --model-path ROOT\/policy\/1\n$/,
    ],
    [
      'policy.keras',
      /is a file, not a folder\. It is a Keras model: export it with this line of Python: import keras; .*\.export\("ROOT\/policy\/1"\); then give --model-path ROOT\/policy\n$/,
    ],
    ['notes.txt', /is a file, not a folder\n$/],
  ])('%s is refused with what to give', async (file, expected) => {
    await put(file);
    const { code, output } = await runProgram([
      'serve',
      '--port',
      '0',
      '--model-path',
      path.join(root, file),
    ]);
    expect(code).toBe(1);
    expect(output.replaceAll(root, 'ROOT')).toMatch(expected);
  });
});

async function put(file: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, file)), { recursive: true });
  await writeFile(path.join(root, file), 'model');
}

function bind(started: TestServer) {
  return {
    url: started.url,
    infer: started.infer.bind(started),
    get: started.get.bind(started),
    update: started.update.bind(started),
  };
}
