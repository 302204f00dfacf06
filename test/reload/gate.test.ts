/**
 * A version must run before it serves.
 */
import { cp, rename, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GraphBuilder, inSavedModel } from '../fixtures/graph.ts';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { OperationProcess } from '../hostile/operation-process.ts';

let repository: TestRepository;
let server: TestServer | undefined;

beforeEach(async () => {
  repository = await TestRepository.create();
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  await repository.remove();
});

async function serve(...args: string[]): Promise<TestServer> {
  server = await TestServer.start({ args: ['--model-path', repository.root, '--settle', '0.1', ...args] });
  return server;
}

/** CBOR `{"x": [1], "id": [0], "text": ["a"]}` */
const body = Buffer.from('a3617881016269648100647465787481' + '6161', 'hex');

it("the publisher's warm-up requests are run, each once, before the first answer", async () => {
  await cp(path.join(testModels, 'warmed_up'), repository.path('warmed_up'), { recursive: true });
  const { body: answer } = await (await serve()).infer('/infer', body);
  // The model counts its runs: three records, and this one.
  expect(answer.outputs).toEqual({ y: [1], text: ['a'], runs: 4 });
});

it('a version whose warm-up request fails is refused, naming the request, and the one before goes on', async () => {
  await cp(path.join(testModels, 'warmed_up'), repository.path('m'), { recursive: true });
  const started = await serve();
  await cp(path.join(testModels, 'warmup_refused', '1'), repository.path('.new'), { recursive: true });
  await rename(repository.path('.new'), repository.path('m', '2'));
  const { status, body: answer } = await started.update({ model: 'm' });
  expect(status).toBe(400);
  expect(answer.error.message).toMatch(
    /^version 2 of `m` is not served: record 2 of tf_serving_warmup_requests failed: /,
  );
  expect((await started.infer('/infer', body)).body.version).toBe(1);
});

it.each([
  ['cut short', (file: string) => truncate(file, 40), /tf_serving_warmup_requests is cut short/],
  [
    'of another kind',
    (file: string) => writeFile(file, record(Uint8Array.of(0x12, 0))),
    /record 0 .* is no predict request/,
  ],
  [
    'no PredictionLog',
    (file: string) => writeFile(file, record(Uint8Array.of(0xff))),
    /record 0 .* is no PredictionLog/,
  ],
])('warm-up requests that are %s refuse the version', async (_, damage, message) => {
  await cp(path.join(testModels, 'warmed_up'), repository.path('m'), { recursive: true });
  await damage(repository.path('m', 1, 'assets.extra', 'tf_serving_warmup_requests'));
  const { versions } = (await (await serve()).get('/models/m')).body;
  expect(versions[0].state).toBe('END');
  expect(versions[0].error.message).toMatch(message);
});

it('without them, inputs are made up; where these are invalid for a good model it serves, and says so', async () => {
  for (const name of ['failing', 'slow']) {
    await cp(path.join(testModels, name), repository.path(name), { recursive: true });
  }
  // A 1 × 1 × 1 × 1 image is made up, and three channels are wanted.
  const started = await serve('--signature', 'wrong_channels');
  const { versions } = (await started.get('/models/failing')).body;
  expect(versions[0].state).toBe('AVAILABLE');
  expect(versions[0].warmup).toMatch(/^could not be warmed up: /);
  expect(started.log).toMatch(/failing version 1 generation 1 is loaded in .* \(could not be warmed up: /);
  expect((await started.get('/models/slow')).body.versions[0].warmup).toBe(undefined);
});

it.each([
  ['a variable that was not saved', 'variable', /^Could not find variable left_out/],
  ['a table that nobody filled', 'table', /^Table not initialized/],
  [
    'an operation that this TensorFlow cannot run',
    'kernel',
    /^No OpKernel was registered to support Op 'EagerPyFunc'/,
  ],
])('made-up inputs refuse a version for %s', async (_, signature, message) => {
  await cp(path.join(testModels, 'gate'), repository.path('gate'), { recursive: true });
  const started = await serve('--signature', signature);
  const { version, versions } = (await started.get('/models/gate')).body;
  expect([version, versions[0].state]).toEqual([null, 'END']);
  expect(versions[0].error.message).toMatch(message);
  // The files' own fault is not tried again.
  expect(versions[0]).not.toHaveProperty('retry_at');
  expect((await started.get('/health/ready')).status).toBe(503);
});

it('a model whose input is the name of a file serves, and is told how it is warmed up properly', async () => {
  await cp(path.join(testModels, 'gate'), repository.path('gate'), { recursive: true });
  await writeFile(repository.path('note.txt'), 'read by the model');
  const started = await serve('--signature', 'file');
  const { versions } = (await started.get('/models/gate')).body;
  expect(versions[0].state).toBe('AVAILABLE');
  expect(versions[0].warmup).toMatch(
    /^could not be warmed up: .*No such file or directory; .* add assets\.extra\/tf_serving_warmup_requests$/,
  );
  const answer = await started.fetch('/models/gate/infer', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ file: repository.path('note.txt') }),
  });
  expect(await answer.json()).toMatchObject({ status: 'ok', outputs: { contents: 'read by the model' } });
});

it('a signature that keeps something is not run before its first request, at start and after a reload', async () => {
  await cp(path.join(testModels, 'stateful'), repository.path('stateful'), { recursive: true });
  const started = await serve();
  const why =
    'was not warmed up: operation `AssignAddVariableOp` keeps something from run to run, and made-up inputs would change its ' +
    'answers; to run it with requests of yours, add assets.extra/tf_serving_warmup_requests';
  expect((await started.get('/models/stateful')).body.versions[0]).toMatchObject({
    state: 'AVAILABLE',
    warmup: why,
  });
  expect(started.log).toContain(`(${why})`);
  const count = async () => (await started.infer('/infer', Buffer.of(0xa0))).body.outputs;
  expect([await count(), await count()]).toEqual([{ count: 1 }, { count: 2 }]);
  await cp(path.join(testModels, 'stateful', '1'), repository.path('.new'), { recursive: true });
  await rename(repository.path('.new'), repository.path('stateful', '2'));
  expect((await started.update({ model: 'stateful' })).status).toBe(200);
  expect([await count(), await count()]).toEqual([{ count: 1 }, { count: 2 }]);
});

it('a signature with a seed gives the numbers that TensorFlow gives first', async () => {
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', [null]);
  const y = graph.first('RandomUniform', [graph.first('Shape', [x])], {
    dtype: 'float32',
    seed: 7,
    seed2: 11,
  });
  const signature = { inputs: { x: { ref: x, shape: [null] } }, outputs: { y: { ref: y, shape: [null] } } };
  const child = new OperationProcess();
  const first: unknown[] = [];
  await inSavedModel(
    graph.encode(),
    async (directory) => {
      await cp(directory, repository.path('seeded', 1), { recursive: true });
      const names = { feeds: [x.name], fetches: [y.name] };
      expect(await child.ask({ kind: 'load', directory, ...names })).toEqual({ outputs: undefined });
      for (let i = 0; i < 2; i++) {
        const answer = await child.ask({ kind: 'run', feeds: [[1, [2], new Uint8Array(8)]], keeps: true });
        const [output] = ('outputs' in answer && answer.outputs) || [];
        const bytes = output?.[2] as Uint8Array;
        first.push([...new Float32Array(bytes.slice().buffer)]);
      }
    },
    signature,
  ).finally(() => child.close());
  const started = await serve();
  const answers: unknown[] = [];
  for (let i = 0; i < 2; i++) {
    const answer = await started.infer('/infer', Buffer.from('a161788200' + '00', 'hex'));
    answers.push(answer.body.outputs.y.map(Math.fround));
  }
  expect(answers).toEqual(first);
  expect((await started.get('/models/seeded')).body.versions[0].warmup).toContain('`RandomUniform` draws');
});

/** One TFRecord; the checksums are not looked at. */
function record(data: Uint8Array): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([head, data, Buffer.alloc(4)]);
}
