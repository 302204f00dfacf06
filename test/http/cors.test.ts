/** Pages of other origins, in a real Chromium and by their headers. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../fixtures/browser.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';

const page = 'https://shop.example.org';
const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ inputs: { x: [1, 2] } });

let repository: TestRepository;

beforeAll(async () => {
  repository = await TestRepository.create('versioned');
});

afterAll(() => repository.remove());

function serve(...args: readonly string[]): Promise<TestServer> {
  return TestServer.start({
    args: ['--model-path', repository.root, ...args],
    env: { TFJS_SERVING_API_KEYS: 'infer:k,metrics+admin:a' },
  });
}

/** What a browser sends before a request that is no simple one. */
function preflight(server: TestServer, path: string, method: string, origin = page): Promise<Response> {
  const headers = {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'content-type,x-api-key',
  };
  return server.fetch(path, { method: 'OPTIONS', headers });
}

function corsHeaders(response: Response): Record<string, string> {
  return Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')));
}

describe('with an origin', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await serve('--cors-origin', `${page},http://localhost:3000`);
  });

  afterAll(async () => {
    await server.stop();
  });

  it.each([
    ['/infer', 'POST'],
    ['/models/versioned/infer', 'POST'],
    ['/models/versioned/versions/1/infer', 'POST'],
    ['/v2/models/versioned/infer', 'POST'],
    ['/models', 'GET'],
    ['/v2/models/versioned', 'GET'],
    ['/openapi.json', 'GET'],
  ])('a browser may send its page’s requests to %s by %s', async (path, method) => {
    const response = await preflight(server, path, method);
    expect(response.status).toBe(204);
    expect(corsHeaders(response)).toEqual({
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET,HEAD,POST',
      'access-control-allow-headers': 'content-type,x-api-key',
      'access-control-max-age': '600',
    });
    expect(response.headers.get('vary')).toMatch(/\bOrigin\b/);
  });

  it.each([
    ['/update_model', 'POST'],
    ['/v2/repository/index', 'POST'],
    ['/v2/repository/models/versioned/unload', 'POST'],
    ['/debug/profile', 'POST'],
    ['/metrics', 'GET'],
    ['/infer', 'DELETE'],
    ['/nowhere', 'GET'],
  ])('not to %s by %s', async (path, method) => {
    const response = await preflight(server, path, method);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(corsHeaders(response)).toEqual({});
  });

  it.each([
    'https://shop.example.org.evil.example',
    'http://shop.example.org',
    'null',
    'https://evil.example',
  ])('nor any of a page of %s', async (origin) => {
    const asked = await preflight(server, '/infer', 'POST', origin);
    expect([asked.status, corsHeaders(asked)]).toEqual([405, {}]);
    const headers = { ...json, origin, 'x-api-key': 'k' };
    const answer = await server.fetch('/infer', { method: 'POST', headers, body });
    expect(corsHeaders(answer)).toEqual({});
  });

  it('answers and errors may be read, with what their headers say', async () => {
    const readable = {
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers':
        'X-Request-Id,Retry-After,Server-Timing,Inference-Header-Content-Length',
    };
    for (const [path, key, sent, status] of [
      ['/infer', 'k', body, 200],
      ['/infer', 'k', '{', 400],
      ['/infer', 'wrong', body, 401],
      ['/models/nobody/infer', 'k', body, 404],
    ] as const) {
      const headers = { ...json, origin: page, 'x-api-key': key };
      const response = await server.fetch(path, { method: 'POST', headers, body: sent });
      expect([response.status, corsHeaders(response)]).toEqual([status, readable]);
    }
    // A form needs no question before.
    const form = new FormData();
    form.set('x', '1');
    const simple = await server.fetch('/infer', {
      method: 'POST',
      headers: { origin: page, 'x-api-key': 'k' },
      body: form,
    });
    expect(simple.status).toBe(200);
  });

  it('administrative routes refuse the page even with a key', async () => {
    const headers = { ...json, origin: page, 'x-api-key': 'a' };
    const response = await server.fetch('/update_model', { method: 'POST', headers, body: '{}' });
    expect([response.status, corsHeaders(response)]).toEqual([403, {}]);
  });
});

it('of any origin never have credentials', async () => {
  const server = await serve('--cors-origin', '*');
  try {
    const asked = await preflight(server, '/infer', 'POST', 'https://anywhere.example');
    expect(asked.status).toBe(204);
    const answer = await server.fetch('/models', { headers: { origin: 'null', 'x-api-key': 'k' } });
    for (const response of [asked, answer]) {
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    }
    const refused = await preflight(server, '/update_model', 'POST');
    expect([refused.status, corsHeaders(refused)]).toEqual([405, {}]);
  } finally {
    await server.stop();
  }
});

it.each(['shop.example.org', 'https://shop.example.org/', 'https://shop.example.org/page', 'null', ''])(
  '%j is no origin',
  async (origin) => {
    const { code, output } = await runProgram([
      'serve',
      '--model-path',
      repository.root,
      '--cors-origin',
      origin,
    ]);
    expect(code).toBe(2);
    expect(output).toMatch(/--cors-origin: expected ORIGIN,ORIGIN\|\*/);
  },
);

describe('in a browser', () => {
  let site: Server;
  let browser: Browser;
  let origin: string;

  beforeAll(async () => {
    site = createServer((_, response) =>
      response.setHeader('content-type', 'text/html').end('<p>A page</p>'),
    );
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    browser = await Browser.start();
    await browser.open(origin);
    await browser.until('document.querySelector("p")');
  });

  afterAll(async () => {
    await browser.stop();
    site.close();
  });

  /** What a script of the page gets. */
  function ask(url: string, path: string, method = 'POST', sent = body): Promise<unknown> {
    const init = { method, headers: { ...json, 'x-api-key': 'k', 'x-request-id': 'of-the-page' } };
    const sending = method === 'POST' ? { ...init, body: sent } : init;
    return browser.evaluate(`fetch(${JSON.stringify(url + path)}, ${JSON.stringify(sending)}).then(
      async (answer) => [answer.status, answer.headers.get('x-request-id'), await answer.json()],
      (error) => error.name)`);
  }

  it.each(['1', '2'])(
    'a script gets predictions where its origin is named, of %s event loops',
    async (workers) => {
      const server = await serve('--cors-origin', origin, '--workers', workers);
      try {
        expect(await ask(server.url, '/models/versioned/infer')).toEqual([
          200,
          'of-the-page',
          expect.objectContaining({ outputs: expect.objectContaining({ y: [2, 3] }) }),
        ]);
        expect(await ask(server.url, '/models', 'GET')).toMatchObject([200, 'of-the-page', {}]);
        expect(await ask(server.url, '/infer', 'POST', '{')).toMatchObject([400, 'of-the-page', {}]);
        expect(await ask(server.url, '/update_model')).toBe('TypeError');
      } finally {
        await server.stop();
      }
    },
  );

  it('and gets nothing where it is not', async () => {
    const server = await serve();
    try {
      for (const [path, method] of [['/infer'], ['/models', 'GET'], ['/health', 'GET']] as const)
        expect(await ask(server.url, path, method)).toBe('TypeError');
    } finally {
      await server.stop();
    }
  });
});
