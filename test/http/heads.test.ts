/**
 * Heads that strangers send: under which name they call the server, from which page, in which spelling, and what is no
 * HTTP at all.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { post, postHead, RawConnection, ways } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;
/** Those of one test, which are stopped after it, also if it fails. */
const others: TestServer[] = [];

beforeAll(async () => {
  repository = await TestRepository.create('identity');
  server = await open();
});

afterAll(async () => {
  await server?.stop();
  await repository?.remove();
});

afterEach(async () => {
  for (const other of others.splice(0)) await other.stop();
});

function open(args: readonly string[] = [], env: Record<string, string> = {}): Promise<TestServer> {
  return TestServer.start({ args: ['--model-path', repository.root, '--settle', '0.1', ...args], env });
}

async function start(...options: Parameters<typeof open>): Promise<TestServer> {
  const other = await open(...options);
  others.push(other);
  return other;
}

/** The answer to a head, byte for byte. */
async function answer(to: TestServer, head: string, body = ''): Promise<{ status: number; text: string }> {
  const connection = await RawConnection.open(to.url);
  connection.send(`${head}${body}`);
  await until(
    () => /\r\n\r\n[\s\S]*\n/.test(connection.received) || connection.ended,
    `an answer to ${JSON.stringify(head)}`,
  );
  connection.socket.destroy();
  return { status: connection.statuses.at(-1) ?? 0, text: connection.received };
}

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
const json = async (response: Response): Promise<any> => response.json();

const errorOf = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).error;

const live = (...headers: string[]) => ['GET /health/live HTTP/1.1', ...headers, '', ''].join('\r\n');

/** CBOR `{"x": [1]}` */
const body = '\xa1\x61\x78\x81\x01';

describe('a media type', () => {
  it.each([
    ['Application/JSON', '{"x": [1]}'],
    ['application/json ; x=y', '{"x": [1]}'],
    ['APPLICATION/json;charset=utf-8', '{"x": [1]}'],
    ['Application/CBOR', body],
    ['application/cbor ; q=1', body],
  ])('%s is read as what it is', async (type, content) => {
    const head = postHead('/infer', `Content-Length: ${content.length}`).replace('application/cbor', type);
    const connection = await RawConnection.open(server.url);
    connection.send(Buffer.from(head + content, 'latin1'));
    await until(() => connection.received.includes('}}\n'), 'an answer');
    expect(connection.received).toContain('"outputs":{"y":[1.0]}');
    connection.socket.destroy();
  });

  it.each(['{"x": [1]}', ' \n{"inputs": {"x": [1]}}'])(
    'that curl -d says is JSON for %j',
    async (content) => {
      const { stdout } = await promisify(execFile)('curl', ['-s', '-d', content, `${server.url}/infer`]);
      expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', outputs: { y: [1] } });
    },
  );
});

describe('a Host', () => {
  it.each([
    ['localhost', 200],
    ['LOCALHOST:1', 200],
    ['127.0.0.1:50000', 200],
    ['[::1]:50000', 200],
    ['app.localhost', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example:80', 403],
    ['', 403],
  ])('%s is answered %i by a server on loopback without keys', async (host, status) => {
    const { status: came, text } = await answer(server, live(`Host: ${host}`, 'Accept: application/json'));
    expect(came).toBe(status);
    if (status === 403) expect(errorOf(text).message).toContain('--allow-host');
  });

  it('of another name is refused on the fast entrance, too', async () => {
    const head = postHead('/infer', `Content-Length: ${body.length}`)
      .replace('localhost', 'evil.example')
      .replace('application/json', 'application/cbor');
    const connection = await RawConnection.open(server.url);
    connection.send(Buffer.from(head + body, 'latin1'));
    await until(() => connection.statuses.length > 0, 'an answer');
    expect(connection.statuses).toEqual([403]);
    connection.socket.destroy();
  });

  it('that comes twice is refused on the fast entrance, too', async () => {
    const request = post('/infer', Buffer.from(body, 'latin1'));
    const twice = Buffer.from(request).toString('latin1').replace('Host:', 'Host: localhost\r\nHost:');
    const connection = await RawConnection.open(server.url);
    connection.send(ways['fast entrance'](Buffer.from(twice, 'latin1')));
    await until(() => connection.statuses.length > 0, 'an answer');
    expect(connection.statuses).toEqual([400]);
    connection.socket.destroy();
  });

  it('that --allow-host names is answered, and any by a server for the network or with keys', async () => {
    const starts: readonly (readonly [args: string[], host: string, status: number])[] = [
      [['--allow-host', 'models.example'], 'models.example:8080', 200],
      [['--allow-host', 'models.example'], 'evil.example', 403],
      [['--host', '0.0.0.0'], 'any.example', 200],
    ];
    for (const [args, host, status] of starts) {
      const other = await start(args);
      expect([args, (await answer(other, live(`Host: ${host}`))).status]).toEqual([args, status]);
      expect(other.log.includes('--host 0.0.0.0 without API keys: everybody')).toBe(args.includes('0.0.0.0'));
    }
    const other = await start([], { TFJS_SERVING_API_KEYS: 'secret' });
    expect((await answer(other, live('Host: any.example'))).status).toBe(200);
  });

  it.each([
    ['twice', live('Host: localhost', 'Host: localhost'), 'expected one Host header, got several'],
    ['not at all', live(), 'expected a Host header, got none'],
  ])('that comes %s is refused', async (_, head, message) => {
    const { status, text } = await answer(server, head);
    expect([status, errorOf(text)]).toEqual([400, { code: 'INVALID_ARGUMENT', message }]);
  });
});

describe('what is no HTTP', () => {
  it.each([
    [
      'a transfer coding besides chunked',
      postHead('/infer', 'Transfer-Encoding: gzip, chunked'),
      501,
      'UNIMPLEMENTED',
    ],
    ['a version that there is none of', 'GET / HTTP/9.9\r\n\r\n', 400, 'INVALID_ARGUMENT'],
    ['a header without a colon', live('Host: localhost', 'X'), 400, 'INVALID_ARGUMENT'],
    [
      'a length and chunks',
      postHead('/infer', 'Transfer-Encoding: chunked', 'Content-Length: 3'),
      400,
      'INVALID_ARGUMENT',
    ],
    ['a head without an end', live('Host: localhost', `X: ${'a'.repeat(20_000)}`), 431, 'HEADERS_TOO_LARGE'],
  ])('%s is refused in the form of every error', async (_, head, status, code) => {
    const { status: came, text } = await answer(server, head);
    expect(came).toBe(status);
    expect(errorOf(text)).toEqual({ code, message: expect.any(String) });
  });
});

describe('a page of another origin', () => {
  const ask = (path: string, headers: Record<string, string>, content: string) =>
    server.fetch(path, { method: 'POST', headers, body: content });
  const form = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n';

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=b'])(
    'cannot run a prediction by %s, which no browser asks about before',
    async (type) => {
      const content = type.startsWith('multipart') ? form : '{"x": [1]}';
      const foreign = await ask('/infer', { 'content-type': type, origin: 'https://evil.example' }, content);
      expect([foreign.status, (await json(foreign)).error.code]).toEqual([403, 'PERMISSION_DENIED']);
      const none = await ask('/infer', { 'content-type': type, origin: 'null' }, content);
      expect(none.status).toBe(403);
      const own = await ask('/infer', { 'content-type': type, origin: server.url }, content);
      expect(own.status).toBe(type === 'text/plain' ? 415 : 200);
    },
  );

  it('is told from a page of this server behind a proxy, which its browser calls of the same origin', async () => {
    const head = (...more: string[]) =>
      postHead('/infer', `Content-Length: ${form.length}`, 'Origin: https://models.example', ...more).replace(
        'application/cbor',
        'multipart/form-data; boundary=b',
      );
    expect((await answer(server, head(), form)).status).toBe(403);
    expect((await answer(server, head('Sec-Fetch-Site: same-origin'), form)).status).toBe(200);
    expect((await answer(server, head('Sec-Fetch-Site: same-site'), form)).status).toBe(403);
  });

  it('is not answered when its browser asks before', async () => {
    const preflight = await server.fetch('/infer', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://evil.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  });
});

describe('a wish for outputs', () => {
  it.each([
    ['/infer?outputs=', '{"x": [1]}', 'no output ``; `serving_default` gives `y`'],
    ['/infer?outputs=y,,z', '{"x": [1]}', 'no output ``, `z`; `serving_default` gives `y`'],
    ['/infer', '{"inputs": {"x": [1]}, "outputs": [""]}', 'no output ``; `serving_default` gives `y`'],
    [
      '/infer',
      '{"inputs": {"x": [1]}, "outputs": ["", "y", "w"]}',
      'no output ``, `w`; `serving_default` gives `y`',
    ],
  ])('%s %s is 400, with the names that there are not', async (path, content, message) => {
    const response = await server.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: content,
    });
    expect([response.status, (await json(response)).error.message]).toEqual([400, message]);
  });
});

it.each([
  '/nothing',
  '/models/none',
  '/models/none/infer',
  '/models/identity/versions/9/infer',
  '/models/identity/x',
])('the 404 of %s names /docs', async (path) => {
  const method = path.endsWith('infer') ? 'POST' : 'GET';
  const response = await server.fetch(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) });
  const { error } = await json(response);
  expect(response.status).toBe(404);
  expect(error.message).toContain('/docs');
});

it("--host '[::1]' listens there", async () => {
  const other = await start(['--host', '[::1]']);
  expect(other.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect((await other.fetch('/health/live')).status).toBe(200);
});
