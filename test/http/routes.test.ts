/** Every route, and who may call it. No spelling of a path passes the check before the router. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { routes } from '../fixtures/routes.ts';
import { type Answer, TestServer } from '../fixtures/server.ts';

/** CBOR `{"x": [1]}` */
const body = Buffer.from('a1617881' + '01', 'hex');

interface Reply {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
}

/** A request whose path is sent as it is: fetch would tidy it first. */
function send(
  server: TestServer,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const call = request({ hostname, port, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    call.on('error', reject);
    call.end(method === 'POST' && path.includes('infer') ? body : undefined);
  });
}

const cbor = { 'content-type': 'application/cbor', accept: 'application/json' };

describe('with keys', () => {
  let repository: TestRepository;
  let server: TestServer;
  const keys = { infer: 'key-i', admin: 'key:a', metrics: 'key-m', debug: 'key-d', all: 'key-all' };

  beforeAll(async () => {
    repository = await TestRepository.create('versioned');
    const list = `infer:${keys.infer},admin:${keys.admin},metrics:${keys.metrics},debug:${keys.debug},${keys.all}`;
    server = await TestServer.start({
      args: ['--model-path', repository.root],
      env: { TFJS_SERVING_API_KEYS: list },
    });
  });

  afterAll(async () => {
    await server.stop();
    await repository.remove();
  });

  /** Ways to write a path that some layer somewhere might take for the same. */
  function spellings(path: string): string[] {
    return [
      path,
      `${path}/`,
      `/${path}`,
      `${path}?x=/health`,
      `${path}#/health`,
      `${path};/health`,
      `/health/..${path}`,
      `/health/%2e%2e${path}`,
      path.toUpperCase(),
      path.replace('e', '%65'),
      `${path}%00`,
      `${path}%2f`,
      path.replaceAll('/', '\\'),
      `http://127.0.0.1${path}`,
    ];
  }

  it.each(routes)('%s %s needs the scope %s, however it is spelled', async (method, path, scope) => {
    for (const spelling of spellings(path)) {
      for (const key of [undefined, 'wrong', ...Object.values(keys)]) {
        const headers = { ...cbor, ...(key === undefined ? {} : { 'x-api-key': key }) };
        const { status, text } = await send(server, method, spelling, headers);
        const isImplied = scope === 'debug' && key === keys.admin;
        const allowed = scope === 'open' || key === keys.all || key === keys[scope] || isImplied;
        const known = key !== undefined && Object.values(keys).includes(key);
        const what = `${spelling} with ${key}: ${status} ${text.slice(0, 200)}`;
        if (allowed) continue;
        // Refused, or no route at all; never answered.
        expect([known ? 403 : 401, 404, 405, 400], what).toContain(status);
        if (spelling === path) expect(status, what).toBe(known ? 403 : 401);
        expect(text, what).not.toMatch(/"outputs"|"versions"|inference_requests_total/);
      }
    }
    const { status } = await send(server, method, path, { ...cbor, 'x-api-key': keys.all });
    // No model has a label here, a profile needs seconds, and the Open Inference Protocol takes no CBOR.
    const isOther = method === 'POST' && path.startsWith('/v2/') ? 415 : 200;
    expect(status).toBe(path.includes('labels') ? 404 : path.includes('profile') ? 400 : isOther);
  });

  it.each(routes)(
    '%s %s is reached by no other method, and by no header that names another route',
    async (method, path, scope) => {
      for (const other of ['HEAD', 'GET', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND']) {
        if (other === method) continue;
        const { status, text } = await send(server, other, path, cbor);
        // HEAD is GET without the body, and takes the same key.
        const isHead = other === 'HEAD' && method === 'GET';
        expect(status, other).toBe(isHead ? (scope === 'open' ? 200 : 401) : 405);
        expect(text).not.toMatch(/"outputs"|"versions"|inference_requests_total/);
      }
      if (scope === 'open') return;
      for (const name of ['x-original-url', 'x-rewrite-url', 'x-forwarded-prefix', 'x-forwarded-uri']) {
        expect((await send(server, method, path, { ...cbor, [name]: '/health' })).status, name).toBe(401);
        expect((await send(server, 'GET', '/health', { [name]: path })).text, name).toContain('"ready"');
      }
      const override = { ...cbor, 'x-http-method-override': method };
      expect((await send(server, 'GET', '/health', override)).status).toBe(200);
      expect(
        (await send(server, method, path, { ...override, 'x-http-method-override': 'GET' })).status,
      ).toBe(401);
    },
  );

  it('a key is not said to be right before it is', async () => {
    const { text } = await send(server, 'GET', '/models', { 'x-api-key': 'nope' });
    expect(JSON.parse(text).error).toEqual({
      code: 'UNAUTHENTICATED',
      message: 'the key in X-API-Key is not known',
    });
    expect((await send(server, 'GET', '/models')).text).toContain('send it as X-API-Key');
  });
});

describe('without keys', () => {
  let repository: TestRepository;
  let server: TestServer;

  beforeAll(async () => {
    repository = await TestRepository.create('versioned', 'strings', 'awkward_names');
    server = await TestServer.start({
      args: ['--model-path', repository.root, '--default-model', 'versioned'],
    });
  });

  afterAll(async () => {
    await server.stop();
    await repository.remove();
  });

  it.each([
    'http://evil.example',
    'null',
    'https://127.0.0.1.evil.example',
    'http://localhost.evil.example:50000',
    'file://',
  ])('/update_model refuses the origin %s', async (origin) => {
    const { status, text } = await send(server, 'POST', '/update_model', { origin });
    expect([status, JSON.parse(text).error.code]).toEqual([403, 'PERMISSION_DENIED']);
  });

  it('/update_model refuses a page that made its own name mean this machine', async () => {
    const headers = { origin: 'http://evil.example', host: 'evil.example' };
    expect((await send(server, 'POST', '/update_model', headers)).status).toBe(403);
  });

  it('/update_model takes its own origin, and types that a page cannot send by itself', async () => {
    expect((await send(server, 'POST', '/update_model', { origin: server.url })).status).toBe(200);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const response = await server.fetch('/update_model', {
        method: 'POST',
        headers: { 'content-type': type, 'sec-fetch-site': 'same-site' },
        body: '{}',
      });
      expect(response.status, type).toBe(415);
    }
    const inCbor = await server.fetch('/update_model', {
      method: 'POST',
      headers: { 'content-type': 'application/cbor' },
      body: Buffer.from('a1656d6f64656c69766572' + '73696f6e6564', 'hex'),
    });
    expect(inCbor.status).toBe(200);
    expect(inCbor.headers.get('content-type')).toBe('application/cbor');
  });

  it.each(['{', '[]', '"x"', '{"model": {"a": 1}}', '{"__proto__": 1}'])(
    '/update_model refuses the body %s',
    async (text) => {
      const response = await server.fetch('/update_model', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      });
      expect(response.status).toBe(400);
      expect(((await response.json()) as Answer['body']).error.code).toBe('INVALID_ARGUMENT');
    },
  );

  it('GET routes answer HEAD without a body, and other methods 405 with those there are', async () => {
    const head = await send(server, 'HEAD', '/models');
    expect([head.status, head.text]).toEqual([200, '']);
    for (const [method, path] of [
      ['GET', '/infer'],
      ['DELETE', '/models'],
      ['PUT', '/update_model'],
      ['OPTIONS', '/health'],
    ]) {
      const { status, headers, text } = await send(server, method as string, path as string);
      expect(status).toBe(405);
      expect(headers['allow']).toBe(path === '/infer' || path === '/update_model' ? 'POST' : 'HEAD, GET');
      expect(JSON.parse(text).error.code).toBe('METHOD_NOT_ALLOWED');
    }
  });

  it('what is not there is 404, and says what is', async () => {
    expect((await server.get('/nothing')).body.error.code).toBe('NOT_FOUND');
    const { status, body: answer } = await server.infer('/models/nothing/infer', body);
    expect(status).toBe(404);
    expect(answer.error.message).toBe(
      'no model `nothing`; there are `awkward_names`, `strings`, `versioned`; see /docs',
    );
    expect((await server.infer('/models/versioned/versions/9/infer', body)).status).toBe(404);
    expect((await server.infer('/models/versioned/versions/x/infer', body)).status).toBe(400);
    // As a folder's name may have leading zeros, so may a version in a path.
    expect((await server.infer('/models/versioned/versions/01/infer', body)).status).toBe(200);
    expect((await server.get('/models/nothing')).status).toBe(404);
  });

  it('/model_info tells type, device, parameters and signatures', async () => {
    const { body: info } = await server.get('/model_info');
    expect(info).toMatchObject({
      model: 'versioned',
      version: 1,
      generation: 1,
      model_type: 'TensorFlow SavedModel',
      device: 'cpu',
    });
    expect(info.parameters).toBeGreaterThan(0);
    expect(info.signatures.serving_default).toEqual({
      default: true,
      inputs: { x: { dtype: 'float32', shape: [-1] } },
      outputs: { version_offset: { dtype: 'float32', shape: [] }, y: { dtype: 'float32', shape: [-1] } },
    });
  });

  it('/health gives away neither paths nor texts of errors', async () => {
    const text = JSON.stringify((await server.get('/health')).body);
    expect(text).not.toContain(repository.root);
    expect(text).not.toMatch(/message|fingerprint/);
  });

  it('a request id is echoed, and a bad one replaced', async () => {
    expect((await send(server, 'GET', '/health', { 'x-request-id': 'a-1' })).headers['x-request-id']).toBe(
      'a-1',
    );
    for (const bad of ['with space', 'x'.repeat(200), '']) {
      const { headers } = await send(server, 'GET', '/health', { 'x-request-id': bad });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('the answer comes in the type that Accept asks for, else in that of the request', async () => {
    const types: [accept: string | undefined, expected: string][] = [
      [undefined, 'application/cbor'],
      ['*/*', 'application/cbor'],
      ['application/json', 'application/json'],
      ['application/json;q=0.5, application/cbor', 'application/cbor'],
      ['text/html', 'application/cbor'],
    ];
    for (const [accept, expected] of types) {
      const headers = { 'content-type': 'application/cbor', ...(accept === undefined ? {} : { accept }) };
      for (const path of ['/infer', '/models/nothing/infer']) {
        expect((await send(server, 'POST', path, headers)).headers['content-type'], `${accept}`).toBe(
          expected,
        );
      }
    }
    expect((await send(server, 'GET', '/health')).headers['content-type']).toBe('application/json');
  });
});
