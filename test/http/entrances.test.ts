/**
 * The fast entrance and the general way answer alike: the same requests, with an `Accept` that the fast entrance takes and with one
 * that means the same and that it leaves to Koa.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, int, ints, map, text } from '../fixtures/cbor.ts';
import { goldenCases } from '../fixtures/golden.ts';
import { testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { postHead, RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

const ways = { fast: 'application/cbor', general: 'application/cbor, application/json;q=0.1' };
let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({
    args: ['--model-path', testModels, '--default-model', 'rows_guarded', '--max-body-bytes', '2MiB'],
  });
});
afterAll(() => server.stop());

async function ask(
  path: string,
  body: Uint8Array,
  accept: string,
  headers: Record<string, string> = {},
  asked = server,
) {
  const response = await asked.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor', 'x-request-id': 'an-id', ...headers, accept },
    body,
  });
  const { date: _, ...rest } = Object.fromEntries(response.headers);
  return {
    status: response.status,
    headers: rest,
    body: Buffer.from(await response.arrayBuffer()).toString('hex'),
  };
}

async function alike(path: string, body: Uint8Array, headers?: Record<string, string>): Promise<number> {
  const fast = await ask(path, body, ways.fast, headers);
  expect(fast).toEqual(await ask(path, body, ways.general, headers));
  expect(fast.headers).not.toHaveProperty('server-timing');
  return fast.status;
}

const served = goldenCases().filter(
  ({ tags, model }) =>
    tags.join() === 'serve' && model !== 'stateful' && model !== 'policy' && model !== 'half_plus_two',
);

it.each(served)('$name', async ({ model, body, error }) => {
  const status = await alike(`/models/${model}/infer`, body);
  expect(status === 200).toBe(error === undefined);
});

const one = map({ x: ints(1) });

it.each<[what: string, status: number, path: string, body: Uint8Array, headers?: Record<string, string>]>([
  ['a good request', 200, '/infer', one],
  ['a short time that is long enough', 200, '/infer', one, { 'x-request-timeout': '60' }],
  ['a time that is none', 400, '/infer', one, { 'x-request-timeout': 'soon' }],
  ['no map', 400, '/infer', int(3)],
  ['half a body', 400, '/infer', one.subarray(0, 3)],
  ['an input that is not there', 400, '/infer', map({ y: ints(1) })],
  ['a signature that is not there', 404, '/infer', map({ inputs: one, signature: text('s') })],
  ['a model that is not there', 404, '/models/nothing/infer', one],
  ['a model that failed', 503, '/models/warmup_refused/infer', one],
  ['a version in the path', 200, '/models/rows_guarded/versions/1/infer', one],
  ['a run that fails', 400, '/infer', map({ x: ints(-1) })],
  ['a body that is too large', 413, '/infer', new Uint8Array(2 ** 21 + 1)],
  [
    'a run that takes too long',
    504,
    '/models/rows_slow/infer',
    map({ x: ints(0), steps: ints(100_000) }),
    { 'x-request-timeout': '0.05' },
  ],
])('both entrances answer %s alike, with %i', async (_, status, path, body, headers) => {
  expect(await alike(path, body, headers)).toBe(status);
});

it('outputs so large that they leave in parts', async () => {
  const body = map({ x: array([300_000], 85, new Uint8Array(1_200_000).fill(1)) });
  expect(await alike('/models/identity/infer', body)).toBe(200);
});

it('a body in many pieces', async () => {
  const answers: string[] = [];
  for (const accept of Object.values(ways)) {
    const connection = await RawConnection.open(server.url);
    const body = map({ x: array([1000], 85, new Uint8Array(4000).fill(2)) });
    const start = postHead(
      '/infer',
      `Content-Length: ${body.length}`,
      'x-request-id: an-id',
      'Connection: close',
    );
    connection.send(start.replace('application/json', accept));
    for (let i = 0; i < body.length; i += 500) {
      connection.send(body.subarray(i, i + 500));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(() => connection.ended, 'the answer');
    answers.push(connection.received.replace(/Date: .*\r\n/, ''));
  }
  expect(answers[0]).toBe(answers[1]);
  expect(answers[0]).toMatch(/^HTTP\/1.1 200 OK/);
});

describe('with --server-timing', () => {
  let timed: TestServer;

  beforeAll(async () => {
    // A batch begins once two rows have come, and no sooner.
    const batching = '{"max_batch_size": 2, "batch_timeout_micros": 60000000}';
    timed = await TestServer.start({
      args: [
        ...['--model-path', testModels, '--default-model', 'rows_guarded', '--server-timing'],
        ...['--batching-parameters', batching],
      ],
    });
  });
  afterAll(() => timed.stop());

  it.each(Object.entries(ways))('by the %s an answer tells where its time went', async (_, accept) => {
    const answers = await Promise.all(
      [1, 2].map((x) => ask('/infer', map({ x: ints(x) }), accept, {}, timed)),
    );
    for (const { status, headers } of answers) {
      expect(status).toBe(200);
      const milliseconds = '(\\d+\\.\\d{3})';
      const header = new RegExp(
        `^decode;dur=${milliseconds}, queue;dur=${milliseconds}, batch;desc="2", ` +
          `run;dur=${milliseconds}, encode;dur=${milliseconds}$`,
      );
      expect(headers['server-timing']).toMatch(header);
      const parts = header
        .exec(headers['server-timing'] as string)
        ?.slice(1)
        .map(Number) as number[];
      // Of the run it is the addon's own count, which is never nothing.
      expect(parts[2]).toBeGreaterThan(0);
    }
  });

  it('both ways set it at the same place, and on nothing but answers', async () => {
    const two = map({ x: ints(1, 2) });
    const [fast, general] = await Promise.all(
      Object.values(ways).map((accept) => ask('/infer', two, accept, {}, timed)),
    );
    expect(Object.keys(fast?.headers ?? {})).toEqual(Object.keys(general?.headers ?? {}));
    for (const accept of Object.values(ways)) {
      const { status, headers } = await ask('/infer', map({ x: ints(-1, 1) }), accept, {}, timed);
      expect(status).toBe(400);
      expect(headers).not.toHaveProperty('server-timing');
    }
  });
});

describe('what the fast entrance leaves behind', () => {
  it('nothing: no tensor, no byte of the budget, and a count for each outcome', async () => {
    await until(
      async () =>
        (await server.metric(
          'tfjs_serving_runs_stuck{model="rows_slow",version="1",signature="serving_default"}',
        )) === 0,
      'the long runs to end',
    );
    for (const name of [
      'tfjs_serving_tensors',
      'tfjs_serving_inflight_bytes',
      'tfjs_serving_native{kind="tensors"}',
    ]) {
      await until(async () => (await server.metric(name)) === 0, `${name} to be 0`);
    }
    const counted = (status: string) =>
      server.metric(`inference_requests_total{model="rows_guarded",version="1",status="${status}"}`);
    expect(await counted('ok')).toBeGreaterThan(0);
    expect(await counted('INVALID_ARGUMENT')).toBeGreaterThan(0);
  });
});
