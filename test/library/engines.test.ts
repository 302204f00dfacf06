/**
 * An engine of an application: its models lie in the same folder, and are served, batched and swapped like
 * TensorFlow's.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createServer, type Server } from '#dist/index.js';
import { linearEngine } from '../../examples/linear-engine.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: Server;

beforeEach(async () => {
  repository = await TestRepository.create('identity');
  await publish(1, { weights: [[1], [10]], bias: [0.5] });
  server = createServer({
    ...{ port: 0, host: '127.0.0.1', logLevel: 'silent', settle: 0.1, engines: [linearEngine] },
    modelPath: repository.root,
    defaultModel: 'linear',
  });
  await server.start();
});

afterEach(async () => {
  await server.close();
  await repository.remove();
});

async function publish(version: number, linear: unknown, file = 'linear.json'): Promise<void> {
  const staged = repository.path(`.staged-${version}`);
  await mkdir(staged);
  const text = typeof linear === 'string' ? linear : JSON.stringify(linear);
  await writeFile(repository.path(`.staged-${version}`, file), text);
  await mkdir(repository.path('linear'), { recursive: true });
  await rename(staged, repository.path('linear', version));
}

async function ask(path: string, body?: unknown) {
  const post = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const response = await fetch(`${server.address}${path}`, body === undefined ? {} : post);
  const json: unknown = await response.json();
  return { status: response.status, json };
}

/** That its model was run, less the warm-up. */
async function runs(): Promise<number> {
  const text = await (await fetch(`${server.address}/metrics`)).text();
  const counts = text.matchAll(/^tfjs_serving_runs_total\{[^}]*model="linear"[^}]*\} (\d+)/gm);
  return Array.from(counts, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
}

const infer = (x: unknown) => ask('/models/linear/infer', { x });

it('serves its models beside those of TensorFlow', async () => {
  expect(
    await infer([
      [1, 2],
      [3, 4],
    ]),
  ).toMatchObject({
    status: 200,
    json: { version: 1, outputs: { y: [[21.5], [43.5]] } },
  });
  const { outputs, dispose } = await server.predict({ model: 'identity', inputs: { x: [7] } });
  expect([...(outputs['y']?.dataSync() ?? [])]).toEqual([7]);
  dispose();
});

it('says of its models what it says of those of TensorFlow, and checks requests by that', async () => {
  expect((await ask('/model_info')).json).toMatchObject({ model_type: 'linear model', parameters: 3 });
  expect((await ask('/v2/models/linear')).json).toMatchObject({ platform: 'linear model' });
  const { status, json } = await infer([[1, 2, 3]]);
  expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining('[-1, 2]')]);
});

it('joins requests that come together, as the rows were proven', async () => {
  const answers = await Promise.all(
    Array.from({ length: 32 }, (_, i) => server.predict({ model: 'linear', inputs: { x: [[i, 0]] } })),
  );
  expect(answers.map(({ outputs }) => outputs['y']?.dataSync()[0])).toEqual(
    Array.from({ length: 32 }, (_, i) => i + 0.5),
  );
  expect(await runs()).toBeGreaterThan(0);
  expect(await runs()).toBeLessThan(32);
  for (const { dispose } of answers) dispose();
});

it('takes a new version, and keeps the old one where the new one is damaged', async () => {
  await publish(2, { weights: [[2], [20]], bias: [0] });
  await until(
    async () => JSON.stringify((await infer([[1, 1]])).json).includes('[[22]]'),
    'version 2 to serve',
  );
  await publish(3, '{"weights": 1}');
  await until(
    async () => JSON.stringify((await ask('/models/linear')).json).includes('`weights` and `bias`'),
    'version 3 to fail',
  );
  expect((await infer([[1, 1]])).json).toMatchObject({ version: 2, outputs: { y: [[22]] } });
});

it('says of a version without a model which files it may have, of every engine', async () => {
  await publish(2, '', 'notes.txt');
  await until(async () => {
    const { json } = await ask('/models/linear');
    return JSON.stringify(json).includes(
      'saved_model.pb or saved_model.pbtxt (SavedModel), linear.json (linear model)',
    );
  }, 'the files to be named');
});
