/** The client's calls to the real server: what they return, and how they fail. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Client, type RequestError, sendInferenceRequest, tensor, textsOf } from '../../src/client/index.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';

let repository: TestRepository;
let server: TestServer;
let client: Client;
beforeAll(async () => {
  repository = await TestRepository.create('versioned', 'slow', 'signatures', 'strings', 'like_a_tensor');
  server = await TestServer.start({
    args: [
      ...['--model-path', repository.root, '--default-model', 'versioned'],
      ...['--run-threads', '1', '--queue-size', '1'],
    ],
    env: { TFJS_SERVING_API_KEYS: 'everything,infer:limited' },
  });
  client = new Client(`${server.url}/`, { apiKey: 'everything' });
});
afterAll(async () => {
  await server?.stop('SIGKILL');
  await repository?.remove();
});

/** What a call is refused with. Fails if it is not refused. */
async function failureOf(call: Promise<unknown>): Promise<RequestError> {
  return call.then(
    () => Promise.reject(new Error('it was answered')),
    (error) => error,
  );
}

describe('a call', () => {
  it('infers with a default model, a model and its version', async () => {
    const x = Float32Array.of(1, 2.5);
    for (const options of [{}, { model: 'versioned' }, { model: 'versioned', version: 1 }]) {
      const { model, version, outputs } = await client.infer({ x }, options);
      expect([model, version]).toEqual(['versioned', 1]);
      expect(outputs['y']).toEqual({ dtype: 'float32', shape: [2], data: Float32Array.of(2, 3.5) });
      expect(outputs['version_offset']).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(1) });
    }
  });

  it('infers with inputs called dtype, shape and data, which are three', async () => {
    const inputs = { dtype: Float32Array.of(0), shape: Float32Array.of(1), data: Float32Array.of(2) };
    const valuesOf = async (chosen: { signature?: string; outputs?: string[] }) => {
      const { outputs } = await client.infer(inputs, { model: 'like_a_tensor', ...chosen });
      return Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => [name, 'data' in value && value.data]),
      );
    };
    const all = { dtype: Float32Array.of(1), shape: Float32Array.of(3), data: Float32Array.of(5) };
    expect(await valuesOf({})).toEqual(all);
    expect(await valuesOf({ signature: 'same' })).toEqual(all);
    expect(await valuesOf({ signature: 'same', outputs: ['data', 'dtype'] })).toEqual({
      data: all.data,
      dtype: all.dtype,
    });
  });

  it('infers with a signature and chosen outputs', async () => {
    const inputs = { a: [2, 3], b: tensor([[4, 5]], [2]) };
    const { outputs } = await client.infer(inputs, { model: 'signatures', signature: 'mul', outputs: ['y'] });
    expect(outputs).toEqual({ y: { dtype: 'float32', shape: [2], data: Float32Array.of(8, 15) } });
  });

  it('sends and reads strings', async () => {
    const { outputs } = await client.infer({ text: ['cat', 'é'] }, { model: 'strings' });
    expect(textsOf(outputs['upper'] as never)).toEqual(['CAT', 'é']);
  });

  it('tells of models, updates them, and takes a whole address', async () => {
    expect(await client.modelInfo()).toMatchObject({ model: 'versioned', device: 'cpu' });
    const { models } = (await client.models()) as { models: unknown[] };
    expect(models).toHaveLength(5);
    expect(await client.models('slow')).toMatchObject({ name: 'slow', version: 1 });
    expect(await client.updateModel()).toMatchObject({ status: 'ok' });
    const answer = await sendInferenceRequest(
      { x: [1] },
      { url: `${server.url}/infer`, apiKey: 'everything' },
    );
    expect(answer).toMatchObject({ status: 'ok', model: 'versioned' });
  });
});

describe('a call fails', () => {
  it.each([
    ['INVALID_ARGUMENT', 400, () => client.infer({ y: [1] })],
    ['INVALID_ARGUMENT', 400, () => client.infer({ x: new Float64Array(2) })],
    ['NOT_FOUND', 404, () => client.infer({ x: [1] }, { model: 'none/such' })],
    ['UNAUTHENTICATED', 401, () => new Client(server.url).infer({ x: [1] })],
    ['PERMISSION_DENIED', 403, () => client.updateModel({}, { apiKey: 'limited' })],
    ['INVALID_ARGUMENT', 400, () => client.updateModel({ model: 'versioned', version: -1 })],
  ] as const)('with %s', async (code, status, call) => {
    const error = await failureOf(call());
    expect(error).toMatchObject({ name: 'RequestError', code, status });
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.requestId).toMatch(/^[\w-]{36}$/);
  });

  it('with UNAVAILABLE where nobody listens', async () => {
    const { address, close } = await listen(() => {});
    await close();
    const error = await failureOf(new Client(address).infer({ x: [1] }));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', status: undefined });
  });

  it.each(['127.0.0.1:50000', 'localhost:50000', 'ftp://127.0.0.1'])(
    'with INVALID_ARGUMENT for an address without http: %s',
    async (address) => {
      const error = await failureOf(new Client(address).infer({ x: [1] }));
      expect(error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(`begins with http:// or https://, got ${address}/infer`),
      });
    },
  );

  it('with the way out for https to a server without TLS', async () => {
    const { address, close } = await listen((_, res) => res.end());
    const error = await failureOf(new Client(address.replace('http:', 'https:')).infer({ x: [1] }));
    await close();
    expect(error.message).toMatch(/; the server speaks no TLS here: write http:\/\/ in the address$/);
  });

  it('when its time is up, or it is aborted', async () => {
    const long = { x: [1], steps: tensor(30_000, [], 'int32') };
    const late = await failureOf(client.infer(long, { model: 'slow', timeout: 0.05 }));
    expect(late.code).toBe('DEADLINE_EXCEEDED');
    const abort = new AbortController();
    const { signal } = abort;
    const reason = new Error('not needed any more');
    const call = failureOf(client.infer(long, { model: 'slow', signal, retries: 100 }));
    abort.abort(reason);
    expect(await call).toBe(reason);
    expect(await failureOf(client.infer(long, { model: 'slow', signal }))).toBe(reason);
  });
});

it('an answer that is no prediction is none of this server', async () => {
  // CBOR {"status": "ok"}
  const body = Buffer.from('a166737461747573626f6b', 'hex');
  const { address, close } = await listen((_, res) => void res.end(body));
  expect(await failureOf(new Client(address).infer({ x: [1] }))).toMatchObject({ code: 'INTERNAL' });
  await close();
});

it('a full queue is met again, unless no retries are wanted', async () => {
  const inputs = { x: [1], steps: tensor(5_000, [], 'int32') };
  const ask = (retries: number) =>
    Array.from({ length: 6 }, () => client.infer(inputs, { model: 'slow', retries }));
  const hasty = await Promise.allSettled(ask(0));
  const refused = hasty.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
  expect(refused).not.toHaveLength(0);
  for (const error of refused) expect(error).toMatchObject({ code: 'UNAVAILABLE', status: 503 });
  expect(refused[0].retryAfter).toBeGreaterThan(0);
  expect(await Promise.all(ask(100))).toHaveLength(6);
});

/** Answers that the real server gives only in time of need, in the order in which they are wanted. */
describe('a server that answers 503', () => {
  let answering: Awaited<ReturnType<typeof listen>> | undefined;
  afterEach(() => answering?.close());

  /** @returns the heads of all requests */
  async function answer(...answers: readonly (readonly [status: number, headers: Record<string, string>])[]) {
    const heads: IncomingMessage['headers'][] = [];
    answering = await listen((req, res) => {
      const [status, headers] = answers[Math.min(heads.length, answers.length - 1)] ?? [500, {}];
      heads.push(req.headers);
      // CBOR {"status": "ok"}
      res.writeHead(status, headers).end(Buffer.from('a166737461747573626f6b', 'hex'));
    });
    return { heads, address: answering.address };
  }

  it('is asked again, for all of the time that is left', async () => {
    const { heads, address } = await answer([503, { 'retry-after': '0' }], [503, {}], [200, {}]);
    expect(await new Client(address).models(undefined, { timeout: 60 })).toEqual({ status: 'ok' });
    const [first, , third] = heads.map((each) => Number(each['x-request-timeout']));
    expect(heads).toHaveLength(3);
    expect(first).toBeLessThanOrEqual(60);
    expect(third).toBeLessThanOrEqual(first as number);
    expect(third).toBeGreaterThan(0);
  });

  it('is not asked again sooner than it wants, nor more often than said', async () => {
    const hour = await answer([503, { 'retry-after': '3600', 'x-request-id': 'r1' }]);
    const error = await failureOf(new Client(hour.address).models(undefined, { timeout: 60 }));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', status: 503, requestId: 'r1', retryAfter: 3600 });
    expect(hour.heads).toHaveLength(1);
    await answering?.close();
    const { heads, address } = await answer([503, {}]);
    expect(await failureOf(new Client(address, { retries: 2 }).models())).toMatchObject({ status: 503 });
    expect(heads).toHaveLength(3);
  });

  it('and one that answers anything else is not asked again', async () => {
    const { heads, address } = await answer([502, {}], [200, {}]);
    expect(await failureOf(new Client(address).models())).toMatchObject({ code: 'UNKNOWN', status: 502 });
    expect(heads).toHaveLength(1);
  });

  it('leaves a wait when the call is aborted', async () => {
    const { address } = await answer([503, { 'retry-after': '3600' }]);
    const abort = new AbortController();
    const call = failureOf(new Client(address).models(undefined, { signal: abort.signal }));
    setTimeout(() => abort.abort(new Error('enough')), 100);
    expect((await call).message).toBe('enough');
  });
});

async function listen(handle: (req: IncomingMessage, res: ServerResponse) => void) {
  const http: Server = createServer(handle).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    async close() {
      http.closeAllConnections();
      if (http.listening) await new Promise((resolve) => http.close(resolve));
    },
  };
}
