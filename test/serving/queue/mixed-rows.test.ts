/**
 * Models whose rows depend on each other: whoever asks together, each gets what it is given alone.
 */
import { expect, it } from 'vitest';
import { array, list, map, text } from '../../fixtures/cbor.ts';
import type { TestServer } from '../../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';

stopServerAfterEach();

const float32 = (...values: number[]) =>
  array([1, values.length], 85, new Uint8Array(Float32Array.from(values).buffer));
const int32 = (shape: number[], ...values: number[]) =>
  array(shape, 78, new Uint8Array(Int32Array.from(values).buffer));

/** For each signature of `rows_mixed` the input of a client. */
const inputs: Record<string, (client: number) => Uint8Array> = {
  serving_default: (i) => float32(i, -i, i * i, 1),
  embedding: (i) => int32([1, 3], i % 5, (i + 2) % 5, 4),
  mask: (i) => int32([1], i),
  words: (i) =>
    list(text(['', 'secret word', 'a b c', 'one', 'x y', ' ', 'two words', 'z'][i % 8] as string)),
  flat_words: (i) =>
    list(text(['', 'secret word', 'a b c', 'one', 'x y', ' ', 'two words', 'z'][i % 8] as string)),
  halved: (i) => float32(i * 3, -i),
  chosen: (i) => float32(i - 4, 1),
  least: (i) => float32(i * 20, 5),
};

async function ask(server: TestServer, signature: string, client: number): Promise<unknown> {
  const inputsOf = map({ x: (inputs[signature] as (client: number) => Uint8Array)(client) });
  const { status, body } = await server.infer(
    '/infer',
    map({ signature: text(signature), inputs: inputsOf }),
  );
  expect(status).toBe(200);
  return body.outputs.y;
}

it.each(Object.keys(inputs))('%s: eight clients at once are answered as each is alone', async (signature) => {
  // A batch waits for company: whatever may share a run does.
  const { server } = await serveModels(['rows_mixed'], '--batch-timeout', '200');
  const alone: unknown[] = [];
  for (let client = 0; client < 8; client++) alone.push(await ask(server, signature, client));
  for (let round = 0; round < 3; round++) {
    const together = await Promise.all(alone.map((_, client) => ask(server, signature, client)));
    expect(together).toEqual(alone);
  }
  const { batching } = (await server.get('/models/rows_mixed')).body;
  expect(batching[signature].sharing).toBe('alone');
});

it('a counter counts every call, and gives no number twice', async () => {
  const { server } = await serveModels(['rows_mixed'], '--queue-size', '200');
  const body = map({
    signature: text('counted'),
    inputs: map({ x: array([1], 79, new Uint8Array(BigInt64Array.of(0n).buffer)) }),
  });
  const answers = await Promise.all(Array.from({ length: 200 }, () => server.infer('/infer', body)));
  const numbers = answers.map((answer) => Number(answer.body.outputs.y[0]));
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
});

it('each signature says which operation stands against it', async () => {
  const { server } = await serveModels(['rows_mixed']);
  const { batching } = (await server.get('/models/rows_mixed')).body;
  const reasons = Object.entries<{ choice: string }>(batching).map(([signature, { choice }]) => [
    signature,
    /operation `(\w+)`/.exec(choice)?.[1],
  ]);
  expect(Object.fromEntries(reasons)).toEqual({
    serving_default: 'Mean',
    embedding: 'Mean',
    mask: 'Max',
    every: 'All',
    complex_mean: 'Mean',
    words: 'RaggedTensorToTensor',
    flat_words: undefined,
    halved: 'Max',
    chosen: 'Sum',
    least: 'Mean',
    counted: 'AssignAddVariableOp',
  });
});

it('an input of unknown rank takes the rank that its first consumer needs, and shares runs', async () => {
  const { server } = await serveModels(['unknown_rank_image'], '--batch-timeout', '200');
  const image = (shape: number[], seed: number) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const values = Float32Array.from({ length: count }, (_, i) => i + seed);
    return map({ x: array(shape, 85, new Uint8Array(values.buffer)) });
  };
  const { signatures, batching, versions } = (await server.get('/models/unknown_rank_image')).body;
  expect(signatures.serving_default).toMatchObject({
    inputs: { x: { shape: [-1, -1, -1, -1] } },
    outputs: { y: { shape: [-1, -1, -1, 1] } },
  });
  expect(batching.serving_default.sharing).toBe('proven');
  expect(versions[0].warmup).toBeUndefined();
  for (const shape of [[], [3], [3, 3], [1, 1, 3, 3, 1]]) {
    const refused = await server.infer('/infer', image(shape, 0));
    expect(refused.status).toBe(400);
    expect(refused.body.error.message).toMatch(/expected float32 \[-1, -1, -1, -1\]/);
  }
  const answers = await Promise.all(
    [0, 10, 20].map((seed) => server.infer('/infer', image([1, 3, 3, 1], seed))),
  );
  expect(answers.map(({ body }) => body.outputs.y.flat(3)[0])).toEqual([8, 48, 88]);
  // One sample: the batch dim is added, and taken off.
  expect((await server.infer('/infer', image([3, 3, 1], 0))).body.outputs.y.flat(2)[0]).toBe(8);
});
