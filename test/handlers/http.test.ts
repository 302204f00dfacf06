/** What handlers do over HTTP beyond one answer to one request: streams, and endpoints of their own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Decoder } from 'cbor-x';
import { describe, expect, it } from 'vitest';
import { HandlerServer, stopHandlerServersAfterEach } from '../fixtures/handlers.ts';
import type { TestServer } from '../fixtures/server.ts';
import { RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

stopHandlerServersAfterEach();

const counter = `
  import { ServingError } from 'tfjs-serving';
  export const signature = { inputs: { n: { dtype: 'int32', shape: [-1] } } };
  let ended = 0;
  export async function* predict({ n }, ctx) {
    try {
      const last = n.dataSync()[0];
      if (last < 0) throw new ServingError('INVALID_ARGUMENT', 'n must not be negative');
      for (let i = 1; i <= last; i++) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        if (i === 13) throw new Error('secret');
        yield { i: ctx.tf.fill([1], i, 'int32'), all: ctx.tf.range(0, i) };
      }
    } finally {
      ended++;
    }
  }
  export const postprocess = ({ i, all }) => ({ i, sum: all.sum() });
  export const routes = (router) => { router.get('/ended', (koa) => { koa.body = { ended }; }); };
`;

async function stream(
  started: HandlerServer,
  n: number,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
) {
  return started.server.fetch('/models/counter/infer', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ n }),
    ...(signal ? { signal } : {}),
  });
}

async function keyFile(text: string): Promise<string> {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'tfjs-serving-keys-')), 'keys');
  await writeFile(file, text);
  return file;
}

/** Server-sent events, as a browser reads them. */
function parse(
  text: string,
): { event: string; data: { outputs?: Record<string, number>; error?: { code: string } } }[] {
  return text
    .split('\n\n')
    .filter(Boolean)
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
      return { event: field('event'), data: JSON.parse(field('data')) };
    });
}

describe('a generator', () => {
  it('is server-sent events, one for each answer', async () => {
    const started = await HandlerServer.start([], { 'counter/handler.ts': counter });
    const before = await started.tensors();
    const response = await stream(started, 4);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const events = parse(await response.text());
    expect(events.map(({ data }) => data.outputs)).toEqual([
      { i: 1, sum: 0 },
      { i: 2, sum: 1 },
      { i: 3, sum: 3 },
      { i: 4, sum: 6 },
    ]);
    expect(events[0]).toMatchObject({
      event: 'message',
      data: { status: 'ok', model: 'counter', version: 1 },
    });
    expect(parse(await (await stream(started, 0)).text())).toEqual([]);
    await until(async () => (await started.tensors()) === before, 'no tensor to be left');
  });

  it('is a CBOR sequence, if that is asked for', async () => {
    const started = await HandlerServer.start([], { 'counter/handler.ts': counter });
    const response = await stream(started, 3, { accept: 'application/cbor-seq' });
    expect(response.headers.get('content-type')).toBe('application/cbor-seq');
    const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
    const items = decoder.decodeMultiple(new Uint8Array(await response.arrayBuffer())) as {
      status: string;
    }[];
    expect(items.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
  });

  it('that fails says so with its status before the first answer, and as the last item after it', async () => {
    const started = await HandlerServer.start([], { 'counter/handler.ts': counter });
    const refused = await stream(started, -1);
    expect([refused.status, ((await refused.json()) as { error: object }).error]).toEqual([
      400,
      { code: 'INVALID_ARGUMENT', message: 'n must not be negative' },
    ]);
    const text = await (await stream(started, 20)).text();
    const events = parse(text);
    expect(events).toHaveLength(13);
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'INTERNAL' } } });
    expect(text).not.toContain('secret');
    await started.logged(/secret \(handler\.ts:\d+:\d+\)/);
    const invalid = await started.server.fetch('/models/counter/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"m": 1}',
    });
    const { error } = (await invalid.json()) as { error: { example: string } };
    expect([invalid.status, error.example]).toEqual([400, expect.stringContaining('{"n": ')]);
  });

  it('that waits for nothing leaves the loop to others, and ends when its time is over', async () => {
    const busy = `
      export const signature = { inputs: { n: { dtype: 'int32', shape: [] } }, outputs: { i: { dtype: 'int32', shape: [] } } };
      export async function* predict(_, { tf }) { for (;;) yield { i: tf.scalar(1, 'int32') }; }
    `;
    const started = await HandlerServer.start([], { 'busy/handler.ts': busy });
    const asking = started.server.fetch('/models/busy/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-timeout': '2' },
      body: '{"n": 1}',
    });
    const text = (await asking).text();
    // While it streams.
    expect((await started.server.get('/health/live')).status).toBe(200);
    expect((await text).slice(-200)).toContain('DEADLINE_EXCEEDED');
  });

  it('is ended when the client leaves, and when its time is over', async () => {
    const endless = counter.replace('i === 13', 'false');
    const started = await HandlerServer.start([], { 'counter/handler.ts': endless });
    const before = await started.tensors();
    const ended = async () => (await started.server.get('/models/counter/ended')).body.ended;
    const own = await ended();
    const leave = new AbortController();
    const left = await stream(started, 1e9, {}, leave.signal);
    const reader = left.body?.getReader();
    await reader?.read();
    leave.abort();
    await until(async () => (await ended()) === own + 1, 'the generator to end');
    const late = await stream(started, 1e9, { 'x-request-timeout': '0.2' });
    expect(parse(await late.text()).at(-1)).toMatchObject({
      event: 'error',
      data: { error: { code: 'DEADLINE_EXCEEDED' } },
    });
    await until(async () => (await ended()) === own + 2, 'the generator to end');
    await until(async () => (await started.tensors()) === before, 'no tensor to be left');
  });

  it('is that of the version that serves when its body is there', async () => {
    const started = await HandlerServer.start([], { 'counter/handler.ts': counter });
    let send: (text: string) => void = () => {};
    const body = new ReadableStream({
      start(controller) {
        send = (text) => controller.enqueue(Buffer.from(text));
        send('{"n": ');
        // Ended with the last piece.
        const first = send;
        send = (text) => {
          first(text);
          controller.close();
        };
      },
    });
    const answer = started.server.fetch('/models/counter/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      duplex: 'half',
    });
    await started.change('counter/handler.ts', `${counter}\nexport const batch = false;`);
    await started.logged(/generation 1 is unloaded/);
    send('1}');
    expect(parse(await (await answer).text())).toMatchObject([
      { data: { generation: 2, outputs: { i: 1 } } },
    ]);
  });

  it('gives back the room of a body whose model has gone meanwhile', async () => {
    const started = await HandlerServer.start(['versioned'], { 'counter/handler.ts': counter });
    const connection = await RawConnection.open(started.server.url);
    connection.send(
      'POST /models/counter/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"n": ',
    );
    await rm(started.repository.path('counter'), { recursive: true });
    await started.logged(/model counter is no longer there/);
    connection.send('1}');
    await until(
      async () => (await started.server.metric('tfjs_serving_inflight_bytes')) === 0,
      'the bytes to be given back',
    );
    connection.socket.destroy();
  });

  it('does not keep a new version from serving, nor the server from stopping', async () => {
    const endless = counter.replace('i === 13', 'false');
    const started = await HandlerServer.start([], { 'counter/handler.ts': endless });
    const running = await stream(started, 1e9);
    await started.change(
      'counter/handler.ts',
      `${endless}\n// again`.replace('setTimeout(resolve, 2)', 'setTimeout(resolve, 3)'),
    );
    const stopped = started.server.stop();
    expect(parse(await running.text()).at(-1)).toMatchObject({ data: { error: { code: 'UNAVAILABLE' } } });
    expect(await stopped).toBe(0);
  });
});

describe('endpoints', () => {
  const routes = `
    export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
    export const predict = ({ x }) => ({ y: x.mul(2) });
    export function routes(router, ctx) {
      router.get('/labels', (koa) => { koa.body = { labels: ['cat', 'dog'], version: ctx.version }; });
      router.get('/labels/:name', (koa) => { koa.body = koa.params.name; });
      router.post('/twice', async (koa) => {
        const { y } = await ctx.predict({ model: 'other', inputs: { x: koa.request.body.x } });
        koa.body = { y: [...y.dataSync()] };
      });
      router.get('/fails', () => { throw new Error('secret'); });
      router.get('/teapot', (koa) => koa.throw(418, 'short and stout'));
    }
  `;

  it('lie below the model, with its name and key', async () => {
    const started = await HandlerServer.start(['versioned'], {
      'own/handler.js': routes,
      'other/handler.js': routes.replace(/export function routes[\s\S]*/, ''),
    });
    const { server } = started;
    expect((await server.get('/models/own/labels')).body).toEqual({ labels: ['cat', 'dog'], version: 1 });
    expect(await (await server.fetch('/models/own/labels/a%20b')).text()).toBe('a b');
    const twice = await server.fetch('/models/own/twice', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"x": [1, 2]}',
    });
    expect([twice.status, await twice.json()]).toEqual([200, { y: [2, 4] }]);
    const wrong = await server.fetch('/models/own/labels', { method: 'DELETE' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'HEAD, GET']);
    const fails = await server.get('/models/own/fails');
    expect([fails.status, JSON.stringify(fails.body)]).toEqual([500, expect.not.stringContaining('secret')]);
    await started.logged(/secret \(handler\.js:\d+:\d+\)/);
    for (const path of ['/models/own/nothing', '/models/versioned/labels', '/models/nope/labels'])
      expect((await server.get(path)).status).toBe(404);
    expect((await server.get('/models/own')).body.handler).toMatchObject({ type: 'handler', streams: false });
  });

  it('run their model for as long as the server lives, and leave no tensor behind', async () => {
    const started = await HandlerServer.start(
      ['versioned'],
      {
        'versioned/handler.js': `
          export function routes(router, { run, tf }) {
            router.get('/five', async (koa) => {
              const { y } = await run({ x: tf.tensor1d([4]) });
              const scaled = y.mul(10);
              if (koa.query.fail) throw new Error('after tensors were made');
              koa.body = { y: [...scaled.dataSync()] };
            });
          }`,
      },
      ...['--request-timeout', '0.5'],
    );
    const { server } = started;
    const five = () => server.get('/models/versioned/five');
    expect((await five()).body).toEqual({ y: [50] });
    const before = await started.tensors();
    // A request's time is its own, not that of the routes' making.
    await delay(700);
    for (let i = 0; i < 5; i++) {
      expect((await five()).body).toEqual({ y: [50] });
      expect((await server.get('/models/versioned/five?fail=1')).status).toBe(500);
    }
    expect(await started.tensors()).toBe(before);
  });

  it('refuse by the statuses of HTTP', async () => {
    const { server } = await HandlerServer.start([], {
      'own/handler.js': `${routes.replace('418', '404')}`,
    });
    const { status, body } = await server.get('/models/own/teapot');
    expect([status, body.error]).toEqual([404, { code: 'NOT_FOUND', message: 'short and stout' }]);
  });

  describe('take bodies', () => {
    const echo = `
      export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
      export const predict = ({ x }) => ({ y: x });
      export function routes(router) {
        router.post('/echo', (koa) => {
          const { body } = koa.request;
          koa.body = Buffer.isBuffer(body) ? { bytes: body.length } : { body };
        });
      }
    `;
    const post = (server: TestServer, type: string, content: string | Uint8Array, headers = {}) =>
      server.fetch('/models/own/echo', {
        method: 'POST',
        headers: { 'content-type': type, ...headers },
        body: content,
      });

    it('as values of JSON, forms and texts, and as bytes', async () => {
      const { server } = await HandlerServer.start([], { 'own/handler.js': echo });
      const answers: readonly (readonly [type: string, content: string, answer: object])[] = [
        ['Application/JSON ; x=y', '{"a": [1]}', { body: { a: [1] } }],
        ['application/x-www-form-urlencoded', 'a=1&b=2', { body: { a: '1', b: '2' } }],
        ['text/plain', 'é', { body: 'é' }],
        ['application/octet-stream', 'abc', { bytes: 3 }],
        ['multipart/form-data; boundary=b', 'abcd', { bytes: 4 }],
      ];
      for (const [type, content, expected] of answers)
        expect([type, await (await post(server, type, content)).json()]).toEqual([type, expected]);
      expect((await post(server, 'application/json', '{')).status).toBe(400);
      await server.nothingIsLeft();
    });

    it('within the limits of every body, and of what is parsed at once', async () => {
      const { server } = await HandlerServer.start(
        [],
        { 'own/handler.js': echo },
        '--max-body-bytes',
        '2MiB',
      );
      const large = await post(server, 'application/octet-stream', new Uint8Array(2 ** 21));
      expect(await large.json()).toEqual({ bytes: 2 ** 21 });
      expect((await post(server, 'application/octet-stream', new Uint8Array(2 ** 21 + 1))).status).toBe(413);
      expect((await post(server, 'application/json', `"${'a'.repeat(2 ** 20)}"`)).status).toBe(413);
      expect((await post(server, 'application/json', `[${'[],'.repeat(40_000)}[]]`)).status).toBe(413);
      await server.nothingIsLeft();
    });

    it('out of --max-inflight-bytes, within --body-timeout, and not from pages of other origins', async () => {
      const limits = ['--max-inflight-bytes', '1MiB', '--body-timeout', '2'];
      const { server } = await HandlerServer.start([], { 'own/handler.js': echo }, ...limits);
      const connection = await RawConnection.open(server.url);
      connection.send(
        'POST /models/own/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{',
      );
      await until(
        async () => (await server.metric('tfjs_serving_inflight_bytes')) === 1_000_000,
        'its bytes to count',
      );
      expect((await post(server, 'application/octet-stream', new Uint8Array(100_000))).status).toBe(503);
      await until(() => connection.statuses[0] === 408, 'the slow body to be cut off');
      const foreign = await post(server, 'application/json', '{}', { origin: 'https://evil.example' });
      expect(foreign.status).toBe(403);
      expect((await post(server, 'application/json', '{}', { origin: server.url })).status).toBe(200);
      await server.nothingIsLeft();
      connection.socket.destroy();
    });
  });

  it('ask for a key with the scope infer', async () => {
    const { server } = await HandlerServer.start(
      [],
      { 'own/handler.js': routes },
      ...['--api-key-file', await keyFile('infer:i\nmetrics:m\n')],
    );
    const asked = async (key: string) =>
      (await server.fetch('/models/own/labels', { headers: { 'x-api-key': key } })).status;
    expect([await asked('i'), await asked('m'), await asked('')]).toEqual([200, 403, 401]);
  });
});
