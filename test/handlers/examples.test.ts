/**
 * The handlers of `examples/`, each beside a model that it was written for.
 */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { HandlerServer, stopHandlerServersAfterEach } from '../fixtures/handlers.ts';
import { png } from '../fixtures/images.ts';
import { TestServer } from '../fixtures/server.ts';

stopHandlerServersAfterEach();

const examples = fileURLToPath(new URL('../../examples/handlers', import.meta.url));
const demo = fileURLToPath(new URL('../../saved_models', import.meta.url));

/** A model of the demo, with an example beside it. */
async function serve(model: string, example: string): Promise<HandlerServer> {
  return HandlerServer.over(async (repository) => {
    await cp(`${demo}/${model}/1`, repository.path(model, '1'), { recursive: true });
    await cp(`${examples}/${example}`, repository.path(model), { recursive: true });
    if (example === 'top-k')
      await writeFile(repository.path(model, '1', 'labels.json'), JSON.stringify([...'abcdefg']));
  });
}

it('resize: an image of any size', async () => {
  const started = await serve('policy', 'resize');
  const form = new FormData();
  form.set('image', new Blob([png(64, 48, () => 100)], { type: 'image/png' }), 'small.png');
  form.set('state', '[180, 0, 0, 0, 0, 0]');
  const small = await (
    await started.server.fetch('/models/policy/infer', { method: 'POST', body: form })
  ).json();
  form.set('image', new Blob([png(640, 480, () => 100)], { type: 'image/png' }), 'large.png');
  const large = await (
    await started.server.fetch('/models/policy/infer', { method: 'POST', body: form })
  ).json();
  expect(small).toMatchObject({ status: 'ok', outputs: { action: expect.any(Array) } });
  expect(small).toEqual(large);
  // Without the handler, with the state normalised by hand.
  const plain = await TestServer.start({ args: ['--model-path', demo] });
  try {
    form.set('state', '[1, 0, 0, 0, 0, 0]');
    const own = await (await plain.fetch('/models/policy/infer', { method: 'POST', body: form })).json();
    expect((own as { outputs: object }).outputs).toEqual((large as { outputs: object }).outputs);
  } finally {
    await plain.stop();
  }
});

it('top-k: labels of the largest', async () => {
  const started = await serve('policy', 'top-k');
  const image = Array.from({ length: 480 }, () => Array.from({ length: 640 }, () => [9, 99, 199]));
  const { scores, labels } = await started.outputs('policy', { state: [0, 1, 0, 1, 0, 1], image });
  expect(scores).toHaveLength(3);
  expect([...scores]).toEqual([...scores].sort((a, b) => b - a));
  for (const label of labels) expect('abcdefg').toContain(label);
});

it('ensemble: the mean of two models', async () => {
  const started = await HandlerServer.over(async (repository) => {
    for (const name of ['first', 'second'])
      await cp(`${demo}/half_plus_two`, repository.path(name), { recursive: true });
    await cp(`${examples}/ensemble`, repository.path('both'), { recursive: true });
  });
  expect(await started.outputs('both', { x: [1, 2, 5] })).toEqual({ y: [2.5, 3, 4.5] });
});

it('graph-model: a model of tf.js from its own files', async () => {
  const started = await HandlerServer.over(async (repository) => {
    await mkdir(repository.path('graph', '1'), { recursive: true });
    await cp(`${examples}/graph-model`, repository.path('graph', '1'), { recursive: true });
    const float = { type: 1 };
    const dims = { shape: { dim: [{ size: '-1' }, { size: '2' }] } };
    const model = {
      format: 'graph-model',
      modelTopology: {
        node: [
          { name: 'x', op: 'Placeholder', attr: { dtype: float, shape: dims } },
          {
            name: 'w',
            op: 'Const',
            attr: { dtype: float, value: { tensor: { dtype: 1, tensorShape: { dim: [{ size: '2' }] } } } },
          },
          { name: 'y', op: 'Mul', input: ['x', 'w'], attr: { T: float } },
        ],
        versions: { producer: 1 },
      },
      weightsManifest: [{ paths: ['weights.bin'], weights: [{ name: 'w', shape: [2], dtype: 'float32' }] }],
    };
    await writeFile(repository.path('graph', '1', 'model.json'), JSON.stringify(model));
    await writeFile(repository.path('graph', '1', 'weights.bin'), Buffer.from(Float32Array.of(2, 10).buffer));
  });
  expect(
    await started.outputs('graph', {
      x: [
        [1, 1],
        [0.5, 3],
      ],
    }),
  ).toEqual({
    y: [
      [2, 10],
      [1, 30],
    ],
  });
  expect(await started.outputs('graph', { x: [3, 4] })).toEqual({ y: [6, 40] });
});

it("endpoint: routes of one's own", async () => {
  const started = await serve('half_plus_two', 'endpoint');
  expect((await started.server.get('/models/half_plus_two/about')).body).toEqual({
    model: 'half_plus_two',
    version: 1,
    made: 'by hand',
  });
  const response = await started.server.fetch('/models/half_plus_two/half', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"x": [2, 4]}',
  });
  expect(await response.json()).toEqual({ half: [3, 4] });
  expect(await started.outputs('half_plus_two', { x: [2] })).toEqual({ y: [3] });
});
