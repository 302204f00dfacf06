/**
 * Requests that share a run are answered as if each had run alone.
 */
import { expect, it } from 'vitest';
import { array, ints, list, map, text } from '../../fixtures/cbor.ts';
import type { Answer, TestServer } from '../../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';

stopServerAfterEach();

/** A batch begins once so many have come, and no sooner. */
const exactly = (size: number) => [
  '--batching-parameters',
  JSON.stringify({ max_batch_size: size, batch_timeout_micros: 60_000_000 }),
];

const one = (x: number) => map({ x: list(ints(x)) });

/** A request to `rows`, and its answer: exact in float32. */
function rowsBody(seed: number): { body: Uint8Array; y: number[][]; total: number[] } {
  const x = Float32Array.from({ length: 3 }, (_, i) => seed / 8 + i);
  const mask = Uint8Array.from({ length: 4 }, (_, i) => (seed * 7 + i * 13) % 256);
  const total = mask.reduce((sum, value) => sum + value, 0);
  return {
    body: map({ x: array([1, 3], 85, new Uint8Array(x.buffer)), mask: array([1, 2, 2], 64, mask) }),
    y: [Array.from(x, (value) => 2 * value + total)],
    total: [total],
  };
}

async function counted(server: TestServer, model: string, what: string): Promise<number> {
  const name = `tfjs_serving_${what}_total{model="${model}",version="1",signature="serving_default"}`;
  return (await server.metric(name)) ?? 0;
}

it('640 different inputs from 16 clients, in batches', async () => {
  const { server } = await serveModels(['rows'], '--batching-parameters', '{"max_batch_size": 32}');
  const seeds = Array.from({ length: 640 }, (_, seed) => seed);
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let seed = seeds.pop(); seed !== undefined; seed = seeds.pop()) {
        const { body, ...outputs } = rowsBody(seed);
        expect(await server.infer('/infer', body)).toMatchObject({ status: 200, body: { outputs } });
      }
    }),
  );
  expect(await counted(server, 'rows', 'rows')).toBe(640);
  expect(await counted(server, 'rows', 'runs')).toBeLessThan(640);
});

it('one sample, a batch and several rows share a run, each answered in its own form', async () => {
  const { server } = await serveModels(['rows_guarded'], ...exactly(6));
  const answers = await Promise.all([
    server.infer('/infer', map({ x: ints(1) })),
    server.infer('/infer', map({ x: ints(2, 3, 4) })),
    server.infer('/infer', map({ x: array([], 85, new Uint8Array(Float32Array.of(5).buffer)) })),
    server.infer('/infer', map({ x: ints(6) })),
  ]);
  expect(answers.map(({ body }) => body.outputs.y)).toEqual([[2], [3, 4, 5], 6, [7]]);
  expect(await counted(server, 'rows_guarded', 'runs')).toBe(1);
});

it('under --runtime tfjs they share runs too', async () => {
  const { server } = await serveModels(['rows_guarded', 'strings'], '--runtime', 'tfjs', ...exactly(4));
  const answers = await Promise.all([1, 2, 3, 4].map((x) => server.infer('/infer', map({ x: ints(x) }))));
  expect(answers.map(({ body }) => body.outputs.y)).toEqual([[2], [3], [4], [5]]);
  expect(await counted(server, 'rows_guarded', 'runs')).toBe(1);
  const words = ['a', 'b', '', 'd'].map((word) => map({ text: list(text(word)) }));
  const upper = await Promise.all(words.map((body) => server.infer('/models/strings/infer', body)));
  expect(upper.map(({ body }) => body.outputs.upper)).toEqual([['A'], ['B'], [''], ['D']]);
  expect(await server.metric('tfjs_serving_tensors')).toBe(0);
});

it('strings share a run', async () => {
  const { server } = await serveModels(['strings'], ...exactly(4));
  const words = ['a', 'größe', '', 'zz'];
  const answers = await Promise.all(
    words.map((word) => server.infer('/infer', map({ text: list(text(word)) }))),
  );
  expect(answers.map(({ body }) => body.outputs.upper)).toEqual([['A'], ['GRößE'], [''], ['ZZ']]);
  expect(await counted(server, 'strings', 'runs')).toBe(1);
});

it('a bad request in a batch fails alone', async () => {
  const { server } = await serveModels(['rows_guarded'], ...exactly(8));
  const values = [0, 1, 2, -3, 4, 5, 6, 7];
  const answers = await Promise.all(values.map((x) => server.infer('/infer', map({ x: ints(x) }))));
  expect(answers.map(({ status }) => status)).toEqual(values.map((x) => (x < 0 ? 400 : 200)));
  const good = answers.filter(({ status }) => status === 200);
  expect(good.map(({ body }) => body.outputs.y)).toEqual(values.filter((x) => x >= 0).map((x) => [x + 1]));
  expect(answers[3]?.body.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
  // The batch, and each of its members alone.
  expect(await counted(server, 'rows_guarded', 'runs')).toBe(9);
});

/** Somebody says that requests may share runs, whatever the graph shows. */
const trusting = (size: number) => [
  '--batching-parameters',
  JSON.stringify({ enabled: true, max_batch_size: size, batch_timeout_micros: 60_000_000 }),
];

it.each([
  ['rows_mean', 'in a batch of 2, `y` of a row is not what it is alone'],
  ['rows_unique', 'output `y` gave 4 rows for 8'],
])('%s is found out before it serves, although somebody trusts it', async (model, why) => {
  const { server } = await serveModels([model], '--batching-parameters', '{"enabled": true}');
  const { sharing, choice } = (await server.get(`/models/${model}`)).body.batching.serving_default;
  expect({ sharing, choice }).toEqual({ sharing: 'alone', choice: `alone: ${why}` });
  expect(server.log).toContain(`run alone, although the settings ask for shared runs: ${why}`);
});

it('a difference that only requests show ends the sharing, and none of them gets a wrong answer', async () => {
  // Rows that are made up all differ, so that nothing is seen of what happens to equal ones.
  const { server } = await serveModels(['rows_unique'], ...trusting(4));
  const ask = (...values: number[]) =>
    Promise.all(values.map((x) => server.infer('/infer', map({ x: ints(x) }))));
  const outputs = (answers: Answer[]) => answers.map(({ body }) => body.outputs.y);
  const batching = async () => (await server.get('/models/rows_unique')).body.batching.serving_default;
  expect((await batching()).sharing).toBe('trial');
  expect(outputs(await ask(1, 2, 3, 4))).toEqual([[1], [2], [3], [4]]);
  expect(await counted(server, 'rows_unique', 'runs')).toBe(1);
  expect(await counted(server, 'rows_unique', 'trial_batches')).toBe(1);
  expect((await batching()).choice).toMatch(
    /^on trial, in batches of up to 4 rows: .*`Unique`.*; 1 batches were compared$/,
  );
  expect(outputs(await ask(7, 7, 8, 9))).toEqual([[7], [7], [8], [9]]);
  expect((await batching()).choice).toBe('alone: output `y` gave 3 rows for 4');
  expect(server.log).toContain(
    'requests for `serving_default` no longer share runs: output `y` gave 3 rows for 4',
  );
  const ended = 'tfjs_serving_sharing_ended{model="rows_unique",version="1",signature="serving_default"}';
  expect(await server.metric(ended)).toBe(1);
  // Nobody waits for company any more.
  expect(outputs(await ask(5))).toEqual([[5]]);
});

it('what writes never shares runs, whoever says so', async () => {
  const { server } = await serveModels(['warmed_up'], ...trusting(4));
  const { sharing, choice } = (await server.get('/models/warmed_up')).body.batching.serving_default;
  expect(sharing).toBe('alone');
  expect(choice).toMatch(/^alone: operation `AssignAddVariableOp` keeps something from run to run/);
});

it('batches are padded to the allowed sizes with the value that was named', async () => {
  const pad = (padding_value: number) =>
    JSON.stringify({ allowed_batch_sizes: [4, 8], padding_value, batch_timeout_micros: 2_000_000 });
  const { server } = await serveModels(['rows_guarded'], '--batching-parameters', pad(2));
  const answers = await Promise.all([1, 2].map((x) => server.infer('/infer', map({ x: ints(x) }))));
  expect(answers.map(({ body }) => body.outputs.y)).toEqual([[2], [3]]);
  expect(await counted(server, 'rows_guarded', 'padding_rows')).toBe(2);
  expect(await counted(server, 'rows_guarded', 'runs')).toBe(1);
});

it('padding that a model does not take is found before it serves', async () => {
  const parameters = JSON.stringify({ allowed_batch_sizes: [4, 8], padding_value: -1 });
  const { server } = await serveModels(['rows_guarded'], '--batching-parameters', parameters);
  const { choice } = (await server.get('/models/rows_guarded')).body.batching.serving_default;
  expect(choice).toMatch(/^alone: rows cannot be joined: assertion failed/);
});

it('requests with other outputs do not share a run, and get theirs', async () => {
  const { server } = await serveModels(
    ['rows'],
    '--batching-parameters',
    '{"max_batch_size": 4, "batch_timeout_micros": 200000}',
  );
  const { body, y, total } = rowsBody(5);
  const only = (name: string) => map({ inputs: body, outputs: list(text(name)) });
  const answers = await Promise.all(
    [only('y'), only('total'), body].map((each) => server.infer('/infer', each)),
  );
  expect(answers.map((answer) => answer.body.outputs)).toEqual([{ y }, { total }, { y, total }]);
  expect(await counted(server, 'rows', 'runs')).toBe(3);
});

it('requests whose other dims differ do not share a run', async () => {
  const { server } = await serveModels(['identity'], '--batching-parameters', '{"max_batch_size": 8}');
  const bodies = [[1], [2], [3]].map((dims) => map({ x: ints(...dims) }));
  const answers = await Promise.all(bodies.map((body) => server.infer('/infer', body)));
  expect(answers.map(({ body }) => body.outputs.y)).toEqual([[1], [2], [3]]);
});

it('a request whose inputs differ in their rows runs alone, and never lines up with a neighbour', async () => {
  // a + b broadcasts. Joined, both inputs would have three rows, and each request some of the other's.
  const parameters = '{"max_batch_size": 8, "batch_timeout_micros": 1000000}';
  const { server } = await serveModels(['signatures'], '--batching-parameters', parameters);
  const answers = await Promise.all([
    server.infer('/infer', map({ a: ints(1, 2), b: ints(10) })),
    server.infer('/infer', map({ a: ints(3), b: ints(20, 30) })),
  ]);
  expect(answers.map(({ body }) => body.outputs?.y)).toEqual([
    [11, 12],
    [23, 33],
  ]);
});

it('no rows at all run alone', async () => {
  const { server } = await serveModels(['rows_guarded']);
  const none = map({ x: array([0], 85, new Uint8Array()) });
  const answers = await Promise.all([none, one(1), none].map((body) => server.infer('/infer', body)));
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 200]);
  expect(answers[0]?.body.outputs.y).toEqual([]);
});
