/** createServer in this process: predictions without HTTP, the application mounted in another, and the end. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import Koa from 'koa';
import mount from 'koa-mount';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createServer, type PredictInput, type Server, type ServerOptions, viewTensor } from '#dist/index.js';
import { TestRepository } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

const quiet = { listen: false, logLevel: 'silent' } as const;
let repository: TestRepository;
let server: Server;

beforeAll(async () => {
  repository = await TestRepository.create('identity', 'mixed', 'slow', 'rows');
  server = createServer({ ...quiet, modelPath: repository.root, defaultModel: 'identity' });
  await server.start();
});

afterAll(async () => {
  await server.close();
  await repository.remove();
});

async function tensors(): Promise<number> {
  const text = await metrics();
  return Number(/^tfjs_serving_tensors (\d+)/m.exec(text)?.[1]);
}

async function metrics(): Promise<string> {
  const http = server.app.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  try {
    return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  } finally {
    http.close();
    http.closeAllConnections();
  }
}

describe('predict', () => {
  it.each([
    ['a list', () => [1, 2, 5]],
    ['a typed array', () => Float32Array.of(1, 2, 5)],
    ['a typed array of another dtype', () => Float64Array.of(1, 2, 5)],
    ['{dtype, shape, data}', () => ({ dtype: 'int16', shape: [3], data: Int16Array.of(1, 2, 5) }) as const],
  ])('takes %s', async (_, make) => {
    const { model, version, outputs, dispose } = await server.predict({ inputs: { x: make() } });
    expect({ model, version, values: [...(outputs['y']?.dataSync() ?? [])] }).toEqual({
      model: 'identity',
      version: 1,
      values: [1, 2, 5],
    });
    dispose();
    expect(await tensors()).toBe(0);
  });

  it('takes a tf.Tensor, which stays its caller’s, and gives tf.Tensors that ops take', async () => {
    const { tf } = server;
    const x = tf.tensor1d([1, 2, 5]);
    const { outputs, dispose } = await server.predict({ inputs: { x } });
    const twice = tf.tidy(() => tf.mul(outputs['y'] as typeof x, 2));
    expect([...twice.dataSync()]).toEqual([2, 4, 10]);
    expect([...x.dataSync()]).toEqual([1, 2, 5]);
    tf.dispose([x, twice]);
    dispose();
    expect(await tensors()).toBe(0);
  });

  const byteStrings = ['cat', Uint8Array.of(0xff)];
  it.each([
    ['uint8', () => server.tf.tensor1d([0, 7, 255], 'int32'), Uint8Array.of(0, 7, 255)],
    ['int64', () => [2n ** 62n + 1n], bytesOf(BigInt64Array.of(2n ** 62n + 1n))],
    ['bool', () => [true, false], Uint8Array.of(1, 0)],
    ['float16', () => Float32Array.of(0.5, -2), bytesOf(Uint16Array.of(0x3800, 0xc000))],
    ['string', () => byteStrings, [Buffer.from('cat'), Uint8Array.of(0xff)]],
  ])('gives an input the dtype that the signature asks for: %s', async (dtype, make, expected) => {
    const x = make();
    const { outputs, dispose } = await server.predict({ signature: dtype, inputs: { x } });
    const view = viewTensor(outputs['y'] as Tensor);
    expect(view.dtype).toBe(dtype);
    expect([view.data].flat().map((bytes) => [...bytes])).toEqual(
      [expected].flat().map((bytes) => [...bytes]),
    );
    dispose();
    if (x instanceof server.tf.Tensor) x.dispose();
    expect(await tensors()).toBe(0);
  });

  it.each([
    ['a fraction for an integer', 'int32', Float64Array.of(0.5), 'INVALID_ARGUMENT', 'got 0.5'],
    ['more than fits', 'uint8', Int16Array.of(256), 'INVALID_ARGUMENT', 'got 256'],
    ['a number for a text', 'string', [1], 'INVALID_ARGUMENT', 'expected text'],
    [
      'data of another shape',
      'float32',
      { dtype: 'float32', shape: [3], data: Float32Array.of(1) },
      'INVALID_ARGUMENT',
      'expected 12 bytes',
    ],
    ['no such signature', 'nothing', [1], 'NOT_FOUND', 'no signature'],
  ] as const)('refuses %s', async (_, signature, x, code, text) => {
    const refused = server.predict({ signature, inputs: { x: x as PredictInput } });
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    expect(await tensors()).toBe(0);
  });

  it('gives each of many at once its own rows', async () => {
    const rows = Array.from({ length: 50 }, (_, i) => i);
    const predictions = await Promise.all(
      rows.map((i) =>
        server.predict({
          model: 'rows',
          inputs: {
            x: [i, i, i],
            mask: [
              [1, 0],
              [0, i],
            ],
          },
        }),
      ),
    );
    const totals = predictions.map(({ outputs }) => outputs['total']?.arraySync());
    expect(totals).toEqual(rows.map((i) => i + 1));
    for (const { dispose } of predictions) dispose();
    expect(await tensors()).toBe(0);
  });

  it('ends at its timeout, and when its signal says so', async () => {
    const inputs = { x: [0], steps: 20_000 };
    await expect(server.predict({ model: 'slow', inputs, timeout: 0.02 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    const controller = new AbortController();
    const aborted = server.predict({ model: 'slow', inputs, signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(server.predict({ model: 'slow', inputs, signal: controller.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    await until(async () => (await tensors()) === 0, 'the tensors to be given back');
  });

  it('is counted as requests are', async () => {
    const name = 'inference_requests_total{model="rows",version="1",status="INVALID_ARGUMENT"}';
    const count = async () =>
      Number(
        (await metrics())
          .split('\n')
          .find((line) => line.startsWith(name))
          ?.split(' ')[1] ?? 0,
      );
    const before = await count();
    await expect(server.predict({ model: 'rows', inputs: {} })).rejects.toThrow('is missing');
    expect(await count()).toBe(before + 1);
  });
});

describe('the application in another', () => {
  let url: string;
  let close: () => void;

  beforeAll(async () => {
    const outer = new Koa();
    outer.use(mount('/serving', server.app));
    outer.use((ctx) => {
      ctx.body = 'outer';
    });
    const http = outer.listen(0, '127.0.0.1');
    await once(http, 'listening');
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    close = () => {
      http.close();
      http.closeAllConnections();
    };
  });

  afterAll(() => close());

  it('answers below its path, and nothing beside it', async () => {
    expect(await (await fetch(`${url}/elsewhere`)).text()).toBe('outer');
    expect(await (await fetch(`${url}/models`)).text()).toBe('outer');
    const response = await fetch(`${url}/serving/models/identity/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor', accept: 'application/json' },
      body: Buffer.from('a1617883010205', 'hex'),
    });
    expect(await response.json()).toMatchObject({ status: 'ok', outputs: { y: [1, 2, 5] } });
  });

  it('answers errors as it does alone, with paths that work', async () => {
    const missing = await fetch(`${url}/serving/nowhere`);
    expect([missing.status, await missing.json()]).toEqual([
      404,
      { status: 'error', error: { code: 'NOT_FOUND', message: expect.stringContaining('no route') } },
    ]);
    const typeless = await fetch(`${url}/serving/models/identity/infer`, { method: 'POST', body: 'x' });
    expect(typeless.status).toBe(415);
    const { error } = (await typeless.json()) as { error: { example: string } };
    expect(error.example).toContain(`'${url}/serving/models/identity/infer'`);
  });
});

describe('the life of a server', () => {
  const opened: Server[] = [];

  function create(options: ServerOptions = {}): Server {
    const created = createServer({ ...quiet, modelPath: repository.root, ...options });
    opened.push(created);
    return created;
  }

  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  it('listens where it is told to, from start to close', async () => {
    const own = create({ listen: true, port: 0 });
    expect(own.address).toBeUndefined();
    await own.start();
    const { address } = own;
    expect((await fetch(`${address}/health/ready`)).status).toBe(200);
    await expect(own.start()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await own.close()).toBe(true);
    expect(own.address).toBeUndefined();
    await expect(fetch(`${address}/health`)).rejects.toThrow();
    await expect(own.predict({ inputs: { x: [1] } })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('finishes what is under way before it closes', async () => {
    const own = create();
    await own.start();
    const prediction = own.predict({ model: 'slow', inputs: { x: [0], steps: 5000 } });
    expect(await own.close()).toBe(true);
    const { outputs, dispose } = await prediction;
    expect([...(outputs['y']?.dataSync() ?? [])]).toEqual([5000 % 128]);
    dispose();
  });

  it('does nothing before it is started, and can be closed then', async () => {
    const own = create();
    await expect(own.predict({ inputs: { x: [1] } })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await own.close()).toBe(true);
  });

  it('says what to do where there is no model, and where none is meant', async () => {
    const empty = await TestRepository.create();
    const ask = async (served: Server, path: string, body?: string) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${served.address}${path}`, body ? { method: 'POST', headers, body } : {});
      return [response.status, await response.text()];
    };
    try {
      const without = create({ listen: true, port: 0, modelPath: empty.root });
      await without.start();
      const put = expect.stringContaining('put one into the folder of --model-path, as NAME/1/');
      expect(await ask(without, '/infer', '{"x": [1]}')).toEqual([503, put]);
      const several = create({ listen: true, port: 0 });
      await several.start();
      const named = expect.stringContaining('name one in the path, as /models/NAME/infer or /models/NAME');
      expect(await ask(several, '/model_info')).toEqual([404, named]);
    } finally {
      await empty.remove();
    }
  });

  it('refuses options that cannot be met', () => {
    expect(() => create({ port: -1 })).toThrow(
      'port: expected a number of at least 0 (the port to listen on; 0 picks a free one), got -1',
    );
    expect(() => create({ modelPath: repository.path('nowhere') })).toThrow('does not exist');
    const slip = { prot: 1 } as ServerOptions;
    expect(() => create(slip)).toThrow('there is no option `prot`');
  });
});

function bytesOf({ buffer }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer);
}
