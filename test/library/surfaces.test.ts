/** A protocol of an application: its requests go the same way as all others, and errors have its form. */
import { execFileSync } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createServer,
  type InferRoute,
  type Server,
  type ServerOptions,
  type StreamCodec,
  type Surface,
} from '#dist/index.js';
import { linearEngine } from '../../examples/linear-engine.ts';
import { textSurface } from '../../examples/text-surface.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

const maxBodyBytes = 1000;
const key = 'a-key-of-this-test';
let repository: TestRepository;
let server: Server;

/** Streams the numbers up to the one that is sent, and fails at 4. */
const counting = `
  export const signature = { inputs: { n: { dtype: 'float32', shape: [-1, 1] } } };
  export async function* predict({ n }, { tf }) {
    const [last] = n.dataSync();
    for (let i = 1; i <= last; i++) {
      if (i === 4) throw new Error('secret');
      yield { i: tf.scalar(i) };
    }
  }`;

function optionsWith(...surfaces: Surface[]): ServerOptions {
  return {
    ...{
      port: 0,
      host: '127.0.0.1',
      logLevel: 'silent',
      rehearse: 'off',
      settle: 0.1,
      maxBodyBytes,
      surfaces,
    },
    modelPath: repository.root,
    allowHandlers: true,
    engines: [linearEngine],
  };
}

beforeAll(async () => {
  repository = await TestRepository.create('identity', 'mixed');
  await publishLinear({ weights: [[1], [10]], bias: [0.5] });
  await mkdir(repository.path('counting', 1), { recursive: true });
  await writeFile(repository.path('counting', 1, 'handler.js'), counting);
  const apiKeyFile = repository.path('.keys');
  await writeFile(apiKeyFile, `infer+metrics:${key}\n`);
  server = createServer({ ...optionsWith(textSurface), apiKeyFile });
  await server.start();
});

afterAll(async () => {
  await server.close();
  await repository.remove();
});

async function publishLinear(linear: object): Promise<void> {
  const staged = repository.path('.staged-linear');
  await mkdir(repository.path('.staged-linear', 1), { recursive: true });
  await writeFile(repository.path('.staged-linear', 1, 'linear.json'), JSON.stringify(linear));
  await rename(staged, repository.path('linear'));
}

async function ask(path: string, body?: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.address}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body }),
    headers: { 'x-api-key': key, 'content-type': 'text/plain', ...headers },
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Requests for the model `linear` that were answered so. */
async function counted(status: string): Promise<number> {
  const { text } = await ask('/metrics');
  const series = `inference_requests_total{model="linear",version="1",status="${status}"} `;
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(series))
      ?.slice(series.length) ?? 0,
  );
}

it('answers in its own form', async () => {
  const answer = await ask('/text/linear', '1, 2\n3 4\n');
  expect([answer.status, answer.text]).toEqual([200, '21.5\n43.5\n']);
  expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(answer.headers.get('x-request-id')).toMatch(/./);
  expect((await ask('/TEXT/identity', '1 -0.5 1e3\n')).text).toBe('1 -0.5 1000\n');
});

it('frames the answers of a stream in its own form', async () => {
  const whole = await ask('/text/counting', '3');
  expect([whole.status, whole.text]).toEqual([200, '1\n2\n3\n']);
  expect(whole.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(whole.headers.get('x-request-id')).toMatch(/./);
  const failed = await ask('/text/counting', '5');
  expect([failed.status, failed.text]).toEqual([
    200,
    '1\n2\n3\nerror INTERNAL: the handler of `counting` failed; the log has the details\n',
  ]);
});

it('ends a stream as it says, and adds its headers', async () => {
  const end = Buffer.from('[DONE]');
  const route = textSurface.routes({} as never)[0] as InferRoute;
  const codec = route.protocol.streamCodec?.({} as never, { inputs: new Map() }) as StreamCodec;
  const streamCodec = (): StreamCodec => ({
    ...codec,
    headers: ['x-part', 'one'],
    encodeEnd: () => ({ parts: [end], byteLength: end.length }),
  });
  const surface: Surface = {
    ...textSurface,
    routes: () => [{ ...route, protocol: { ...route.protocol, streamCodec } }],
  };
  const other = createServer(optionsWith(surface));
  try {
    await other.start();
    const asked = async (body: string) =>
      fetch(`${other.address}/text/counting`, {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body,
      });
    const whole = await asked('2');
    expect([whole.headers.get('x-part'), await whole.text()]).toEqual(['one', '1\n2\n[DONE]']);
    expect(await (await asked('4')).text()).toMatch(/^1\n2\n3\nerror INTERNAL: .*\n$/);
  } finally {
    await other.close();
  }
});

it('lists the types that it takes where it has no words of its own', async () => {
  expect((await ask('/text/linear', '1 2', { 'content-type': 'text/csv' })).text).toBe(
    'error UNSUPPORTED_MEDIA_TYPE: `text/csv` is not supported; send text/plain\n',
  );
});

describe('errors', () => {
  it.each([
    ['a body that it cannot read', '/text/linear', '1 2\n3 four', {}, 400, 'INVALID_ARGUMENT: line 2:'],
    ['an empty body', '/text/linear', '\n', {}, 400, 'INVALID_ARGUMENT: expected lines'],
    ['rows of unlike length', '/text/linear', '1 2\n3', {}, 400, 'INVALID_ARGUMENT: '],
    ['what the signature does not take', '/text/linear', '1 2 3', {}, 400, 'INVALID_ARGUMENT: '],
    ['a model with more inputs', '/text/mixed', '1 2 3', {}, 400, 'INVALID_ARGUMENT: the body is one tensor'],
    ['an unknown model', '/text/nobody', '1', {}, 404, 'NOT_FOUND: '],
    ['an unknown path of its own', '/text/linear/more', '1', {}, 404, 'NOT_FOUND: no route'],
    ['another method', '/text/linear', undefined, {}, 405, 'METHOD_NOT_ALLOWED: '],
    ['a large body', '/text/linear', '1 '.repeat(maxBodyBytes), {}, 413, 'PAYLOAD_TOO_LARGE: '],
    ['another type', '/text/linear', '1 2', { 'content-type': 'text/csv' }, 415, 'UNSUPPORTED_MEDIA_TYPE: '],
    ['no key', '/text/linear', '1 2', { 'x-api-key': '' }, 401, 'UNAUTHENTICATED: '],
    [
      'a deadline that is none',
      '/text/linear',
      '1 2',
      { 'x-request-timeout': 'soon' },
      400,
      'INVALID_ARGUMENT: ',
    ],
    [
      'a page of elsewhere',
      '/text/linear',
      '1 2',
      { origin: 'http://a.example' },
      403,
      'PERMISSION_DENIED: ',
    ],
  ])('have its form for %s', async (_, path, body, headers, status, start) => {
    const answer = await ask(path, body, headers);
    expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(/^error [A-Z_]+: .+\n$/s)]);
    expect(answer.text).toContain(`error ${start}`);
  });

  it('say which methods there are', async () => {
    expect((await ask('/text/linear')).headers.get('allow')).toBe('POST');
  });
});

it('has its requests counted with all others', async () => {
  const [ok, refused] = [await counted('ok'), await counted('INVALID_ARGUMENT')];
  await ask('/text/linear', '1 2');
  await ask('/text/linear', 'one');
  await ask('/models/linear/infer', '{"x": [[1, 2]]}', { 'content-type': 'application/json' });
  expect([await counted('ok'), await counted('INVALID_ARGUMENT')]).toEqual([ok + 2, refused + 1]);
});

it('leaves the other protocols as they are', async () => {
  const json = { 'content-type': 'application/json' };
  const own = await ask('/models/linear/infer', '{"x": [[1, 2]]}', json);
  expect(JSON.parse(own.text)).toMatchObject({ outputs: { y: [[21.5]] } });
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }];
  const oip = await ask('/v2/models/linear/infer', JSON.stringify({ inputs }), json);
  expect(JSON.parse(oip.text)).toMatchObject({ outputs: [{ name: 'y', data: [21.5] }] });
  expect(JSON.parse((await ask('/texts', '1')).text)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  expect(JSON.parse((await ask('/v2/text', '1')).text)).toEqual({
    error: expect.stringContaining('/v2/text'),
  });
  const { paths } = JSON.parse((await ask('/openapi.json')).text);
  expect(Object.keys(paths)).toContain('/models/linear/infer');
  expect(Object.keys(paths)).not.toContain('/text/{model}');
});

/** One that fails in its own code, wherever it is asked. */
const failingSurface: Surface = {
  name: 'failing',
  owns: (path) => /^\/failing(\/|$)/i.test(path),
  routes: (services) => textSurface.routes(services).map((route) => ({ ...route, path: '/failing/:model' })),
  errorAnswer: () => {
    throw new TypeError('no form for errors');
  },
};

describe('a surface that fails in its own code', () => {
  async function serving<Result>(surface: Surface, use: (address: string) => Promise<Result>) {
    const other = createServer(optionsWith(surface));
    try {
      await other.start();
      return await use(other.address ?? '');
    } finally {
      await other.close();
    }
  }

  async function answerOf(address: string, path: string, body: string) {
    const response = await fetch(`${address}${path}`, { method: 'POST', body });
    return { status: response.status, text: await response.text() };
  }

  it.each([
    ['past Koa', '/failing/linear'],
    ['through Koa', '/FAILING/linear'],
  ])('is answered for, %s', async (_, path) => {
    const [route] = textSurface.routes({} as never);
    if (!route || !('protocol' in route)) throw new Error('the text surface has one route, of inference');
    const { protocol } = route;
    const common = { path: (model: string) => `/failing/${model}`, isCommon: () => true, protocol };
    const { status, text } = await serving({ ...failingSurface, common }, async (address) => {
      await answerOf(address, path, 'one');
      return answerOf(address, path, 'one');
    });
    expect([status, JSON.parse(text).error]).toEqual([
      500,
      { code: 'INTERNAL', message: expect.stringContaining('`failing` failed to write an error') },
    ]);
  });

  it('has its requests taken by Koa where it cannot tell whether they are common', async () => {
    const failed = () => {
      throw new TypeError('cannot tell');
    };
    const [route] = textSurface.routes({} as never);
    if (!route || !('protocol' in route)) throw new Error('the text surface has one route, of inference');
    const common = {
      path: () => '/text/linear',
      isCommon: failed,
      protocol: route.protocol,
    };
    const { text } = await serving({ ...textSurface, common }, (address) =>
      answerOf(address, '/text/linear', '1 2'),
    );
    expect(text).toBe('21.5\n');
  });
});

it('leaves no process behind where it is refused', async () => {
  const starters = () =>
    execFileSync('ps', ['--ppid', String(process.pid), '-o', 'args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('rehearsal-starter')).length;
  const before = starters();
  const options = { ...optionsWith(textSurface, textSurface), rehearse: 'on' } as const;
  expect(() => createServer(options)).toThrow('both claim');
  await until(async () => starters() === before, 'the starter of rehearsals to end');
});

describe('paths that two surfaces claim', () => {
  const at = (path: string, owns: Surface['owns']): Surface => ({
    ...textSurface,
    name: 'mine',
    owns,
    routes: (services) => textSurface.routes(services).map((route) => ({ ...route, path })),
  });

  it.each([
    ['one route twice', [textSurface, at('/text/:name', textSurface.owns)], '`/text/:model`'],
    [
      'a route of our own',
      [at('/models/:model/infer', (path) => path.startsWith('/models/'))],
      '`/models/:model/infer`',
    ],
    ['all of them', [at('/mine', () => true)], '`/v2/models/:model/infer`'],
    ['a path below another', [at('/v2/mine', (path) => path === '/v2/mine')], '`/v2/mine`'],
    ['a path that it does not own', [at('/mine', () => false)], '`/mine`'],
    // What its parameters may be is another's.
    ['a pattern', [at('/:a/text', (path) => /^\/[^/]+\/text$/.test(path))], '`/v2/text`'],
    ['a part that may be left out', [at('/mine{/more}', (path) => path === '/mine/more')], "owns('/mine')"],
  ])('are refused: %s', (_, surfaces, path) => {
    expect(() => createServer({ ...optionsWith(...surfaces), listen: false })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(path) }),
    );
  });
});
