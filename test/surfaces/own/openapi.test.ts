/**
 * /openapi.json: a document that others can read, and that says what the server does.
 */
import { writeFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiDocument } from '../../fixtures/api-document.ts';
import { ints, map } from '../../fixtures/cbor.ts';
import { TestRepository } from '../../fixtures/repository.ts';
import { routes } from '../../fixtures/routes.ts';
import { TestServer } from '../../fixtures/server.ts';

const keys = { infer: 'key-i', metrics: 'key-m', all: 'key-all' };
const inCbor = { 'content-type': 'application/cbor', accept: 'application/cbor' };
const inJson = { 'content-type': 'application/json' };
const cborBody = map({ x: ints(1, 2) });

const post = (body: unknown, headers: Record<string, string> = inJson): RequestInit => ({
  headers,
  body: body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body),
});

let repository: TestRepository;
let server: TestServer;
let guarded: TestServer;
let api: ApiDocument;
let guardedApi: ApiDocument;

beforeAll(async () => {
  repository = await TestRepository.create(
    'versioned',
    'identity',
    'strings',
    'unknown_rank',
    'tags',
    'slow',
    'awkward_names',
  );
  await writeFile(repository.path('versioned', 'serving.json'), '{"version_labels": {"stable": 1}}');
  const args = ['--model-path', repository.root, '--default-model', 'versioned', '--settle', '0.2'];
  server = await TestServer.start({ args: [...args, '--server-timing'] });
  const env = { TFJS_SERVING_API_KEYS: `infer:${keys.infer},metrics:${keys.metrics},${keys.all}` };
  guarded = await TestServer.start({ args, env });
  api = new ApiDocument((await server.get('/openapi.json')).body);
  guardedApi = new ApiDocument((await guarded.get('/openapi.json')).body);
});

afterAll(async () => {
  await server?.stop();
  await guarded?.stop();
  await repository?.remove();
});

it.each(['without keys', 'with keys'])('is valid OpenAPI 3.1 %s', async (which) => {
  const { document } = which === 'with keys' ? guardedApi : api;
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

it('has every route of the table, and nothing else', () => {
  const reached = routes.map(([method, path]) => guardedApi.operationOf(method, path));
  expect(reached.toSorted()).toEqual(guardedApi.operations);
  for (const each of [api, guardedApi]) {
    const ids = each.operations.map((name) => each.operation(name).operationId);
    expect(new Set(ids).size).toBe(ids.length);
  }
});

describe('models that are served', () => {
  const served = ['awkward_names', 'identity', 'slow', 'strings', 'unknown_rank', 'versioned'];
  const concrete = served.map((name) => `POST /models/${name}/infer`);

  it('have operations of their own', () => {
    expect(api.operations).toEqual([...guardedApi.operations, ...concrete].toSorted());
  });

  it('are told to those who may ask for predictions', async () => {
    const modelsFor = async (key: string) => {
      const response = await guarded.fetch('/openapi.json', { headers: { 'x-api-key': key } });
      expect(response.headers.get('vary')).toBe('X-API-Key, Api-Key, Authorization');
      const { operations } = new ApiDocument(await response.json());
      return operations.filter((name) => !guardedApi.operations.includes(name));
    };
    expect(await modelsFor(keys.infer)).toEqual(concrete);
    expect(await modelsFor(keys.all)).toEqual(concrete);
    expect(await modelsFor(keys.metrics)).toEqual([]);
    expect(await modelsFor('wrong')).toEqual([]);
    expect(JSON.stringify(guardedApi.document)).not.toMatch(/versioned|unknown_rank/);
  });

  it('come and go with their versions', async () => {
    const one = await TestRepository.create('identity');
    const small = await TestServer.start({ args: ['--model-path', one.root, '--settle', '0.1'] });
    try {
      const paths = async () => Object.keys((await small.get('/openapi.json')).body.paths);
      const infer = async () =>
        JSON.stringify((await small.get('/openapi.json')).body.paths['/infer'].post.requestBody);
      expect(await paths()).not.toContain('/models/versioned/infer');
      const alone = await infer();
      await one.publish(1);
      await small.update({ model: 'versioned' }).then(({ status }) => expect(status).toBe(200));
      expect(await paths()).toContain('/models/versioned/infer');
      // The one that was alone is still the default.
      expect(await infer()).toBe(alone);
    } finally {
      await small.stop();
      await one.remove();
    }
  });

  it.each(served)('%s answers its own example', async (model) => {
    const { content } = api.operation(`POST /models/${model}/infer`).requestBody;
    const { schema, example } = content['application/json'];
    expect(example, JSON.stringify(schema)).toBeTypeOf('object');
    const path = `/models/${model}/infer`;
    const inJson = await server.fetch(path, { method: 'POST', ...post(example) });
    expect(inJson.status).toBe(200);
    expect(await api.differences(`POST ${path}`, inJson)).toEqual([]);
    const form = new FormData();
    for (const [name, field] of Object.entries<{ examples: string[] }>(
      content['multipart/form-data'].schema.properties,
    ))
      form.append(name, field.examples[0] ?? '');
    const asForm = await server.fetch(path, { method: 'POST', body: form });
    expect(asForm.status, await asForm.clone().text()).toBe(200);
    expect(await api.differences(`POST ${path}`, asForm)).toEqual([]);
  });

  // Ajv passes over such a name, so it is looked for here.
  it('may have inputs of any name', () => {
    const { schema } = api.operation('POST /models/awkward_names/infer').requestBody.content[
      'application/json'
    ];
    const properties = schema.anyOf.map((each: { properties: { inputs?: { properties?: object } } }) =>
      Object.keys(each.properties.inputs?.properties ?? {}),
    );
    expect(properties).toContainEqual(['__proto__', 'constructor']);
  });

  it.each<[model: string, request: object, isValid: boolean]>([
    ['versioned', { x: [1, 2] }, true],
    ['versioned', { x: 1 }, true],
    ['versioned', { x: ['NaN'] }, true],
    ['versioned', { x: { dtype: 'float32', shape: [2], data: [1, 2] } }, true],
    ['versioned', { inputs: { x: [1] }, signature: 'serving_default', outputs: ['y'] }, true],
    ['versioned', { inputs: { x: [1] }, signature: null }, true],
    ['versioned', { x: [[1]] }, false],
    ['versioned', { x: [true] }, false],
    ['versioned', { y: [1] }, false],
    ['versioned', { x: [1], y: [1] }, false],
    ['versioned', {}, false],
    ['versioned', { inputs: { x: [1] }, outputs: [] }, false],
    ['versioned', { inputs: { x: [1] }, outputs: ['z'] }, false],
    ['versioned', { inputs: { x: [1] }, model: 'versioned' }, false],
    ['identity', { x: [[1, 2]] }, true],
    ['identity', { inputs: { x: [255] }, signature: 'uint8' }, true],
    ['identity', { inputs: { x: [-128] }, signature: 'int8' }, true],
    ['identity', { inputs: { x: [[0.5, -1]] }, signature: 'complex64' }, true],
    ['identity', { inputs: { x: [{ b64: 'AAEC' }] }, signature: 'string' }, true],
    ['strings', { text: ['cat'] }, true],
    ['strings', { text: [1.5] }, false],
    ['slow', { x: [1], steps: 1 }, true],
    ['slow', { x: [1], steps: 1.5 }, false],
    ['slow', { x: [1], steps: 2 ** 31 }, false],
    ['slow', { x: [1], steps: [1] }, false],
  ])('%s is sent %j', async (model, request, isValid) => {
    const validate = api.validatorAt(
      `/paths/~1models~1${model}~1infer/post/requestBody/content/application~1json/schema`,
    );
    expect(validate(request), JSON.stringify(validate.errors)).toBe(isValid);
    const { status } = await server.fetch(`/models/${model}/infer`, { method: 'POST', ...post(request) });
    expect(status).toBe(isValid ? 200 : 400);
  });
});

it('asks for keys where keys are configured, and says which scope', () => {
  // Said once for all, so that linters do not take it for forgotten.
  const { security: forAll, ...document } = api.document;
  expect(forAll).toEqual([]);
  expect(JSON.stringify(document)).not.toMatch(/"security|X-API-Key/);
  const { ApiKey } = guardedApi.document.components.securitySchemes;
  expect(ApiKey).toMatchObject({ type: 'apiKey', in: 'header', name: 'X-API-Key' });
  for (const [method, path, scope] of routes) {
    const { security, responses } = guardedApi.operation(guardedApi.operationOf(method, path) ?? '');
    expect(security, path).toEqual(scope === 'open' ? [] : [{ ApiKey: [scope] }]);
    expect('401' in responses, path).toBe(scope !== 'open');
  }
});

it('refers to nothing that it does not have, and has nothing that it does not refer to', () => {
  const text = JSON.stringify(api.document);
  const references = new Set(Array.from(text.matchAll(/"\$ref":"#([^"]+)"/g), ([, pointer]) => pointer));
  const components = Object.entries<object>(api.document.components).flatMap(([kind, all]) =>
    Object.keys(all).map((name) => `/components/${kind}/${name}`),
  );
  // Named in the text alone: no operation gives them.
  const inWords = [
    '/components/responses/Error405',
    '/components/schemas/Error',
    '/components/responses/Error401',
  ];
  expect([...references].filter((pointer) => !components.includes(pointer ?? ''))).toEqual([]);
  expect(components.filter((pointer) => !references.has(pointer) && !inWords.includes(pointer))).toEqual([]);
});

type Call = [status: number, method: string, path: string, init?: RequestInit];

const strict = { ...inJson, accept: 'application/json; strict=true' };
const openInference = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }] };
const calls: Call[] = [
  [200, 'GET', '/health'],
  [200, 'GET', '/health', { headers: { accept: 'application/cbor' } }],
  [200, 'GET', '/health/live'],
  [200, 'GET', '/health/ready'],
  [200, 'GET', '/models'],
  [200, 'GET', '/models', { headers: { accept: 'application/cbor' } }],
  [200, 'GET', '/models', { headers: { accept: 'application/json; strict=true' } }],
  [200, 'GET', '/models/versioned'],
  // It failed to load, and says why.
  [200, 'GET', '/models/tags'],
  [404, 'GET', '/models/nothing'],
  [200, 'GET', '/model_info'],
  [200, 'GET', '/metrics'],
  [200, 'GET', '/'],
  [200, 'GET', '/openapi.json'],
  [200, 'GET', '/docs'],
  [200, 'GET', '/docs/'],
  [200, 'GET', '/docs/swagger-ui.css'],
  [200, 'GET', '/docs/swagger-ui-bundle.js'],
  [200, 'GET', '/docs/favicon-32x32.png'],
  [200, 'GET', '/docs/start.js'],
  [404, 'GET', '/docs/package.json'],
  [404, 'GET', '/docs/..%2fpackage.json'],
  [200, 'POST', '/infer', post({ x: [1, 2] })],
  [200, 'POST', '/infer', post({ inputs: { x: 1 }, signature: null, outputs: ['y'] })],
  [200, 'POST', '/infer', post({ x: [1] }, strict)],
  [200, 'POST', '/infer', post('{"x": [NaN, Infinity]}', strict)],
  [200, 'POST', '/infer', post(cborBody, inCbor)],
  [200, 'POST', '/infer', post(cborBody, { ...inCbor, accept: 'application/json' })],
  [400, 'POST', '/infer', post('{')],
  [400, 'POST', '/infer', post({ x: 'text' }, { ...inJson, accept: 'application/cbor' })],
  [400, 'POST', '/infer', post({ x: [1] }, { ...inJson, 'x-request-timeout': '0' })],
  [404, 'POST', '/infer', post({ inputs: { x: [1] }, signature: 'nothing' })],
  [415, 'POST', '/infer', post('x', { 'content-type': 'text/plain' })],
  [200, 'POST', '/models/versioned/infer', post({ x: [1] })],
  [
    200,
    'POST',
    '/models/identity/infer',
    post({
      inputs: {
        x: [
          [1, 2],
          [3, 4],
        ],
      },
      signature: 'complex64',
    }),
  ],
  [200, 'POST', '/models/identity/infer', post({ inputs: { x: [true, false] }, signature: 'bool' })],
  [200, 'POST', '/models/strings/infer', post({ text: ['cat', { b64: '/w==' }] })],
  [503, 'POST', '/models/tags/infer', post({ x: [1] })],
  [
    504,
    'POST',
    '/models/slow/infer',
    post({ x: [1], steps: 20_000 }, { ...inJson, 'x-request-timeout': '0.05' }),
  ],
  [200, 'POST', '/models/versioned/versions/1/infer', post({ x: [1] })],
  [404, 'POST', '/models/versioned/versions/9/infer', post({ x: [1] })],
  [400, 'POST', '/models/versioned/versions/nine/infer', post({ x: [1] })],
  [200, 'POST', '/models/versioned/labels/stable/infer', post({ x: [1] })],
  [404, 'POST', '/models/versioned/labels/canary/infer', post({ x: [1] })],
  [200, 'GET', '/v2'],
  [200, 'GET', '/v2/health/live'],
  [200, 'GET', '/v2/health/ready'],
  [200, 'GET', '/v2/models/versioned'],
  [200, 'GET', '/v2/models/versioned/versions/1'],
  [200, 'GET', '/v2/models/identity'],
  [400, 'GET', '/v2/models/versioned/versions/one'],
  [404, 'GET', '/v2/models/nothing'],
  [200, 'GET', '/v2/models/versioned/ready'],
  [200, 'GET', '/v2/models/versioned/versions/1/ready'],
  [503, 'GET', '/v2/models/tags/ready'],
  [200, 'POST', '/v2/models/versioned/infer', post(openInference)],
  [
    200,
    'POST',
    '/v2/models/versioned/infer',
    post({ ...openInference, parameters: { binary_data_output: true } }),
  ],
  [200, 'POST', '/v2/models/versioned/versions/1/infer', post({ ...openInference, id: 'an id' })],
  [400, 'POST', '/v2/models/versioned/infer', post({ inputs: [] })],
  [404, 'POST', '/v2/models/versioned/versions/9/infer', post(openInference)],
  [415, 'POST', '/v2/models/versioned/infer', post('x', { 'content-type': 'text/plain' })],
  [501, 'POST', '/v2/models/versioned/infer', post({ inputs: [], parameters: { sequence_id: 1 } })],
  [200, 'GET', '/v2/models/stats'],
  [200, 'GET', '/v2/models/versioned/stats'],
  [200, 'GET', '/v2/models/versioned/versions/1/stats'],
  [404, 'GET', '/v2/models/nothing/stats'],
  [200, 'GET', '/v2/models/versioned/config'],
  [200, 'GET', '/v2/models/versioned/versions/1/config?signature=serving_default'],
  [404, 'GET', '/v2/models/nothing/config'],
  [200, 'POST', '/v2/repository/index'],
  [200, 'POST', '/v2/repository/index', post({ ready: true })],
  [400, 'POST', '/v2/repository/index', post({ ready: 1 })],
  [415, 'POST', '/v2/repository/index', post('{}', { 'content-type': 'text/plain' })],
  [200, 'POST', '/v2/repository/models/versioned/load'],
  [404, 'POST', '/v2/repository/models/nothing/load'],
  [413, 'POST', '/v2/repository/models/nothing/load', post({ parameters: { config: 'x'.repeat(20_000) } })],
  [501, 'POST', '/v2/repository/models/versioned/load', post({ parameters: { config: '{}' } })],
  [200, 'POST', '/v2/repository/models/versioned/unload', post({})],
  [200, 'POST', '/update_model', post({ model: 'versioned' })],
  [400, 'POST', '/update_model', post({ model: 'versioned', version: -1 })],
  [403, 'POST', '/update_model', post({ model: 'versioned', model_path: '/' })],
  [403, 'POST', '/update_model', post({}, { ...inJson, origin: 'http://elsewhere.example' })],
  [404, 'POST', '/update_model', post({ model: 'nothing' })],
  [200, 'POST', '/update_model', post({ model: 'versioned', unload: true })],
  [200, 'POST', '/update_model', post({ model: 'versioned', version: 'latest' })],
  [413, 'POST', '/update_model', post({ model: 'x'.repeat(20_000) })],
  [415, 'POST', '/update_model', post('{}', { 'content-type': 'text/plain' })],
  [200, 'POST', '/debug/profile?seconds=1'],
  [200, 'POST', '/debug/profile', post({ seconds: 1, kind: 'cpu' })],
  [200, 'POST', '/debug/profile?seconds=1&kind=tensorflow'],
  [400, 'POST', '/debug/profile?seconds=0'],
];

describe('answers are as it says', () => {
  const reached = new Set<string>();

  it.each(calls)('%i to %s %s', async (...[status, method, path, init]: Call) => {
    const operation = api.operationOf(method, path.replace(/(.)\/$/, '$1')) ?? '';
    const response = await server.fetch(path, { method, ...init });
    expect(response.status).toBe(status);
    expect(await api.differences(operation, response)).toEqual([]);
    if (status === 200) reached.add(guardedApi.operationOf(method, path.replace(/(.)\/$/, '$1')) ?? '');
  });

  it('for each route', () => {
    expect([...reached].toSorted()).toEqual(guardedApi.operations);
  });

  it.each([
    ['GET', '/models', undefined, 401],
    ['GET', '/models', 'wrong', 401],
    ['GET', '/metrics', keys.infer, 403],
    ['GET', '/metrics', keys.all, 200],
    ['POST', '/infer', keys.infer, 400],
    ['POST', '/update_model', keys.infer, 403],
    ['POST', '/update_model', keys.all, 200],
  ])('%s %s with the key %s: %i', async (method, path, key, status) => {
    const headers = { ...inJson, ...(key === undefined ? {} : { 'x-api-key': key }) };
    // Of all models one cannot be loaded.
    const body = path === '/update_model' ? '{"model": "versioned"}' : null;
    const response = await guarded.fetch(path, { method, headers, body });
    expect(response.status).toBe(status);
    expect(await guardedApi.differences(`${method} ${path}`, response)).toEqual([]);
  });

  it('405 with the methods that there are', async () => {
    const response = await server.fetch('/models', { method: 'DELETE' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'HEAD, GET']);
    const validate = api.validatorAt('/components/schemas/Error405');
    expect(validate(await response.json()), JSON.stringify(validate.errors)).toBe(true);
  });
});

describe('requests', () => {
  it('are read in each type that it names, and in no other', async () => {
    const { content } = api.operation('POST /infer').requestBody;
    const types = Object.keys(content);
    expect(types).toEqual(expect.arrayContaining(['application/json', 'application/cbor']));
    for (const type of types) {
      const response = await server.fetch('/infer', { method: 'POST', headers: { 'content-type': type } });
      expect(response.status, type).toBe(400);
    }
    const { status, error } = await refusal(await server.fetch('/infer', { method: 'POST', body: 'x' }));
    expect(status).toBe(415);
    for (const type of types) expect(error.message).toContain(type.split(';')[0]);
  });

  /** Every subset of the keys of which there may be one at most, and what is not valid by itself. */
  const choices = { version: 1, label: 'nothing', model_path: '/nothing', unload: true };
  const subsets = Array.from({ length: 16 }, (_, bits) =>
    Object.fromEntries(Object.entries(choices).filter((_, i) => bits & (1 << i))),
  );
  const others = [
    { version: 'latest' },
    { version: 'newest' },
    { version: -1 },
    { version: 1.5 },
    { version: null },
    { label: '' },
    { unload: false },
    { timeout: 0 },
    { timeout: 3600.5 },
    { timeout: '60' },
    { surplus: 1 },
  ];

  it.each([...subsets, ...others])('/update_model refuses %j if the schema does', async (request) => {
    const validate = api.validatorAt('/components/schemas/UpdateRequest');
    const isValid = validate({ model: 'versioned', ...request });
    const { status } = await server.update({ model: 'versioned', ...request });
    expect(status === 400).toBe(!isValid);
  });

  it.each(['0', '0.0', '', '-1', '1e3', '.5', '1.', 'x', '0.05', '5', '007', '00.10'])(
    'X-Request-Timeout %j is taken if the schema has it',
    async (timeout) => {
      const { parameters } = api.operation('POST /infer');
      const { schema } = parameters.find(({ name }: { name: string }) => name === 'X-Request-Timeout');
      const headers = { ...inJson, 'x-request-timeout': timeout };
      const { status } = await server.fetch('/infer', { method: 'POST', headers, body: '{"x": [1]}' });
      expect(status !== 400).toBe(new RegExp(schema.pattern).test(timeout));
    },
  );
});

async function refusal(response: Response): Promise<{ status: number; error: { message: string } }> {
  const { error } = (await response.json()) as { error: { message: string } };
  return { status: response.status, error };
}
