/**
 * What every route answers, and every error, in JSON and in CBOR.
 */
import { cp, rename, truncate } from 'node:fs/promises';
import path from 'node:path';
import { Decoder } from 'cbor-x';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toServingError } from '../../src/http/answer/failure.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { int, ints, list, map, text } from '../fixtures/cbor.ts';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
const one = map({ x: ints(1) });

const encodings = [
  ['JSON', 'application/json'],
  ['CBOR', 'application/cbor'],
] as const;

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly body?: Uint8Array;
  readonly headers?: Record<string, string>;
}

let repository: TestRepository;
let server: TestServer;

beforeAll(async () => {
  repository = await TestRepository.create('versioned', 'slow');
  // Quotes, a percent sign, what means something to a shell, and letters beyond ASCII.
  await cp(path.join(testModels, 'versioned'), repository.path(oddName), { recursive: true });
  await cp(path.join(testModels, 'versioned'), repository.path('damaged'), { recursive: true });
  await truncate(repository.path('damaged', 1, 'saved_model.pb'), 100);
  await cp(path.join(testModels, 'versioned'), repository.path('assetless'), { recursive: true });
  await rename(repository.path('assetless', 1, 'assets'), repository.path('assetless', 1, 'elsewhere'));
  server = await TestServer.start({
    args: [
      ...['--model-path', repository.root, '--default-model', 'versioned'],
      ...['--max-body-bytes', '1KiB', '--body-timeout', '0.5'],
    ],
    env: { TFJS_SERVING_API_KEYS: 'infer:i,all' },
  });
});

afterAll(async () => {
  await server.stop();
  await repository.remove();
});

const oddName = `we"ird 100% mo&d'l;é`;

async function ask({ method = 'GET', path: where, body, headers }: Asked, accept: string) {
  const response = await server.fetch(where, {
    method,
    headers: { 'x-api-key': 'all', 'content-type': 'application/cbor', accept, ...headers },
    ...(body ? { body } : {}),
  });
  expect(response.headers.get('content-type')?.split(';')[0]).toBe(accept);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(response.headers.get('content-length')).toBe(String(bytes.length));
  const raw = Buffer.from(bytes).toString('utf8');
  const value = accept === 'application/json' ? JSON.parse(raw) : decoder.decode(bytes);
  return { status: response.status, headers: response.headers, raw, value };
}

describe.each(encodings)('in %s', (_, accept) => {
  it('/health says which version of each model serves', async () => {
    const { status, value } = await ask({ path: '/health' }, accept);
    expect(status).toBe(200);
    expect(value).toMatchObject({ status: 'ok', ready: true, source: 'ok' });
    expect(value.models).toContainEqual({ name: 'slow', serving: 1, wanted: 1, state: 'AVAILABLE' });
    expect(value.models).toContainEqual({
      name: 'damaged',
      serving: null,
      wanted: 1,
      state: 'END',
      code: 'DATA_LOSS',
    });
  });

  it('/health/live and /health/ready say ok', async () => {
    for (const route of ['/health/live', '/health/ready']) {
      expect(await ask({ path: route }, accept)).toMatchObject({ status: 200, value: { status: 'ok' } });
    }
  });

  it('/models and /models/{name} tell each version and its state', async () => {
    const { value } = await ask({ path: '/models' }, accept);
    expect(value.default_model).toBe('versioned');
    const names = value.models.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(['assetless', 'damaged', 'slow', 'versioned', oddName]);
    const { value: slow } = await ask({ path: '/models/slow' }, accept);
    expect(value.models).toContainEqual(slow);
    expect(slow).toEqual({
      name: 'slow',
      version: 1,
      generation: 1,
      wanted: 1,
      pinned: null,
      labels: {},
      source_missing: false,
      versions: [
        {
          version: 1,
          generation: 1,
          state: 'AVAILABLE',
          fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/),
        },
      ],
      signatures: {
        serving_default: {
          default: true,
          inputs: { x: { dtype: 'float32', shape: [-1] }, steps: { dtype: 'int32', shape: [] } },
          outputs: { y: { dtype: 'float32', shape: [-1] } },
        },
      },
      batching: {
        serving_default: {
          sharing: 'alone',
          choice: 'alone: input `steps` is a scalar',
          max_batch_size: 1,
          batch_timeout_micros: 0,
          allowed_batch_sizes: [],
          queue: { waiting: 0, size: expect.any(Number) },
          run: expect.stringMatching(/^on threads: operation `\w+` may take any time$/),
          runs: {
            in_flight: expect.any(Number),
            stuck: expect.any(Number),
            at_once: expect.any(Number),
          },
        },
      },
    });
  });

  it('/model_info describes the default model', async () => {
    const { status, value } = await ask({ path: '/model_info' }, accept);
    expect([status, value.model, value.device]).toEqual([200, 'versioned', 'cpu']);
  });

  it('/update_model says what serves now', async () => {
    const body = map({ model: text('slow') });
    const { status, value } = await ask({ method: 'POST', path: '/update_model', body }, accept);
    expect(status).toBe(200);
    expect(value).toMatchObject({ status: 'ok', models: [{ name: 'slow', version: 1 }] });
  });

  it('an inference is answered, of a model whose name has to be escaped', async () => {
    const where = `/models/${encodeURIComponent(oddName).replace("'", '%27')}/infer`;
    const { status, value } = await ask({ method: 'POST', path: where, body: one }, accept);
    expect(status).toBe(200);
    expect(value).toMatchObject({ status: 'ok', model: oddName, version: 1, generation: 1 });
    const { y } = value.outputs;
    // RFC 8746: tag 40 [shape, typed array].
    if (accept === 'application/cbor') expect([[...y.value[0]], [...y.value[1]]]).toEqual([[1], [2]]);
    else expect(y).toEqual([2]);
  });

  const manySteps = map({ x: ints(0), steps: int(50_000) });
  it.each<Asked & { readonly code: string; readonly status: number }>([
    { code: 'INVALID_ARGUMENT', status: 400, method: 'POST', path: '/infer', body: map({ y: list() }) },
    { code: 'INVALID_ARGUMENT', status: 400, method: 'POST', path: '/infer', body: one.subarray(0, 3) },
    { code: 'UNAUTHENTICATED', status: 401, path: '/models', headers: { 'x-api-key': 'wrong' } },
    { code: 'PERMISSION_DENIED', status: 403, path: '/metrics', headers: { 'x-api-key': 'i' } },
    { code: 'NOT_FOUND', status: 404, path: '/nothing' },
    { code: 'NOT_FOUND', status: 404, path: '/models/%' },
    { code: 'NOT_FOUND', status: 404, path: `/models/${'x'.repeat(5000)}` },
    { code: 'NOT_FOUND', status: 404, method: 'POST', path: '/models/slow/versions/2/infer', body: one },
    { code: 'METHOD_NOT_ALLOWED', status: 405, method: 'DELETE', path: '/models/slow' },
    {
      code: 'FAILED_PRECONDITION',
      status: 409,
      method: 'POST',
      path: '/update_model',
      body: map({ model: text('damaged') }),
    },
    { code: 'PAYLOAD_TOO_LARGE', status: 413, method: 'POST', path: '/infer', body: new Uint8Array(1025) },
    {
      code: 'UNSUPPORTED_MEDIA_TYPE',
      status: 415,
      method: 'POST',
      path: '/infer',
      body: one,
      headers: { 'content-type': 'text/plain' },
    },
    {
      code: 'UNSUPPORTED_MEDIA_TYPE',
      status: 415,
      method: 'POST',
      path: '/infer',
      body: one,
      headers: { 'content-encoding': 'BR' },
    },
    {
      code: 'UNSUPPORTED_MEDIA_TYPE',
      status: 415,
      method: 'POST',
      path: '/update_model',
      body: one,
      headers: { 'content-type': 'application/json', 'content-encoding': 'compress' },
    },
    {
      code: 'NOT_FOUND',
      status: 404,
      method: 'POST',
      path: '/update_model',
      body: map({ model: text('nothing') }),
    },
    { code: 'UNAVAILABLE', status: 503, method: 'POST', path: '/models/damaged/infer', body: one },
    {
      code: 'DEADLINE_EXCEEDED',
      status: 504,
      method: 'POST',
      path: '/models/slow/infer',
      body: manySteps,
      headers: { 'x-request-timeout': '0.01' },
    },
  ])('$status $code: $method $path says so, and gives nothing away', async ({ code, status, ...asked }) => {
    const headers = { ...asked.headers, 'x-request-id': 'an-id' };
    const answer = await ask({ ...asked, headers }, accept);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-request-id')).toBe('an-id');
    const { example = '', ...error } = answer.value.error;
    expect(answer.value.status).toBe('error');
    expect(error).toEqual({ code, message: expect.stringMatching(/./) });
    expect(example).toMatch(/^(curl .*|)$/);
    for (const secret of [repository.root, process.cwd(), 'node_modules', '.js:', '    at ']) {
      expect(answer.raw).not.toContain(secret);
    }
    // Names that a client made up do not come back to it in full.
    expect(answer.raw.length).toBeLessThan(600);
  });
});

it('a name that has to be escaped is, in the labels of metrics', async () => {
  const response = await server.fetch('/metrics', { headers: { 'x-api-key': 'all' } });
  const label = oddName.replaceAll('"', '\\"');
  expect(await response.text()).toContain(`tfjs_serving_version{model="${label}"} 1\n`);
});

it('what went wrong with a version is told without the place where it lies', async () => {
  const { value, raw } = await ask({ path: '/models/assetless' }, 'application/json');
  expect(value.versions[0].error.message).toBe('assets/offset.txt is missing');
  expect(raw).not.toContain(repository.root);
  expect(server.log).toContain('assetless version 1 is not served: assets/offset.txt is missing');
});

it('a fault of ours is INTERNAL, and its text stays in the log', () => {
  const logger = createLogger({ level: 'silent', format: 'json' });
  const fault = new TypeError(`x is undefined in ${process.cwd()}`);
  const { code, message } = toServingError(fault, logger, 'an-id');
  expect([code, message]).toEqual(['INTERNAL', 'an internal error; the log has the details']);
});

it('the line that a refusal prints is one for a shell, whatever the model is called', async () => {
  const where = `/models/${encodeURIComponent(oddName).replace("'", '%27')}/infer`;
  const headers = { 'content-type': 'text/plain' };
  const { value } = await ask({ method: 'POST', path: where, body: one, headers }, 'application/json');
  expect(value.error.example).toMatch(/ 'http:\/\/127\.0\.0\.1:\d+\/models\/[^' ]+\/infer'$/);
});

it('without a model there is a live server that is not ready, and has no model to tell of', async () => {
  const empty = await TestRepository.create();
  const bare = await TestServer.start({ args: ['--model-path', empty.root, '--settle', '0.1'] });
  try {
    expect((await bare.get('/health/live')).status).toBe(200);
    for (const route of ['/health/ready', '/model_info']) expect((await bare.get(route)).status).toBe(503);
    expect((await bare.get('/model_info')).body.error.code).toBe('UNAVAILABLE');
    const refused = await bare.fetch('/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/cbor' },
      body: one,
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    const staged = await empty.stage(1);
    await cp(staged, empty.path('.versioned', 1), { recursive: true });
    await rename(empty.path('.versioned'), empty.path('versioned'));
    await until(async () => (await bare.get('/health/ready')).status === 200, 'to be ready');
    expect((await bare.get('/model_info')).body).toMatchObject({ model: 'versioned', version: 1 });
    expect((await bare.infer('/infer', one)).status).toBe(200);
  } finally {
    await bare.stop();
    await empty.remove();
  }
});
