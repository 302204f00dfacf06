/**
 * The Open Inference Protocol held against its published description, and Triton's extensions of it.
 */

import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer, type Server } from '#dist/index.js';
import { TestRepository } from '../../fixtures/repository.ts';

/** Words of the protocol's own paths. */
const words = ['stats', 'config', 'ready', 'versions', 'infer', 'index'];

let repository: TestRepository;
let server: Server;

beforeAll(async () => {
  repository = await TestRepository.create('identity', 'sparse', 'mixed', 'rows', 'fixed_batch', 'strings');
  await Promise.all(words.map((model) => repository.publish(1, { model, offset: 2 })));
  server = createServer({
    ...{ port: 0, host: '127.0.0.1', logLevel: 'silent', rehearse: 'off', settle: 0.1 },
    modelPath: repository.root,
  });
  await server.start();
});

afterAll(async () => {
  await server.close();
  await repository.remove();
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly json: ReturnType<typeof JSON.parse>;
  /** What follows the JSON. */
  readonly binary: Buffer;
}

async function ask(path: string, body?: object | Uint8Array, headers = {}): Promise<Answer> {
  const isRaw = body instanceof Uint8Array;
  const raw = isRaw ? { 'inference-header-content-length': '0' } : { 'content-type': 'application/json' };
  const response = await fetch(`${server.address}${path}`, {
    ...(body && { method: 'POST', body: isRaw ? Buffer.from(body) : JSON.stringify(body) }),
    headers: { ...(body && raw), ...headers },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length') ?? bytes.length);
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    json: JSON.parse(bytes.subarray(0, length).toString()),
    binary: bytes.subarray(length),
  };
}

const tensor = (datatype: string, shape: number[], data: unknown[]) => ({
  inputs: [{ name: 'x', datatype, shape, data }],
});
const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Its objects: fields by name, those that may be missing with a `?`. */
const text = { type: 'string' };
const listOf = (items: object) => ({ type: 'array', items });
const objectOf = (fields: Record<string, object>) => ({
  type: 'object',
  properties: Object.fromEntries(
    Object.entries(fields).map(([name, schema]) => [name.replace('?', ''), schema]),
  ),
  required: Object.keys(fields).filter((name) => !name.endsWith('?')),
});
const described = { name: text, datatype: text, shape: listOf({ type: 'integer' }) };
const parameters = {
  type: 'object',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};
const data = listOf({ anyOf: [{ type: ['number', 'string', 'boolean'] }, { type: 'array' }] });
const protocol = {
  server: objectOf({ name: text, version: text, extensions: listOf(text) }),
  model: objectOf({
    name: text,
    platform: text,
    'versions?': listOf(text),
    'inputs?': listOf(objectOf({ ...described, 'parameters?': parameters })),
    'outputs?': listOf(objectOf({ ...described, 'parameters?': parameters })),
  }),
  answer: objectOf({
    model_name: text,
    'model_version?': text,
    'id?': text,
    'parameters?': parameters,
    outputs: listOf(objectOf({ ...described, data, 'parameters?': parameters })),
  }),
  error: objectOf({ error: text }),
};

describe('the published description', () => {
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
  const check = (kind: keyof typeof protocol, value: unknown) => {
    ajv.validate(protocol[kind], value);
    return ajv.errorsText();
  };

  it('holds for the server and its models', async () => {
    for (const path of ['/v2', '/v2/']) expect(check('server', (await ask(path)).json)).toBe('No errors');
    for (const model of ['identity', 'sparse', 'mixed', 'identity/versions/1']) {
      const { status, json } = await ask(`/v2/models/${model}`);
      expect([status, check('model', json)]).toEqual([200, 'No errors']);
      expect((await ask(`/v2/models/${model}/ready`)).status).toBe(200);
    }
    for (const path of ['live', 'ready']) expect((await ask(`/v2/health/${path}`)).status).toBe(200);
  });

  it('holds for answers and errors', async () => {
    const sent = { id: '42', ...tensor('FP32', [2, 2], [1, 2, 3, 4]), outputs: [{ name: 'y' }] };
    for (const path of ['/v2/models/identity/infer', '/v2/models/identity/versions/1/infer']) {
      const { status, type, json } = await ask(path, sent);
      expect([status, type, check('answer', json), json.id]).toEqual([
        200,
        'application/json',
        'No errors',
        '42',
      ]);
    }
    for (const [path, body] of [
      ['/v2/models/nobody', undefined],
      ['/v2/models/identity/infer', {}],
      ['/v2/models/identity/versions/$1/infer', sent],
    ] as const) {
      const { status, json } = await ask(path, body);
      expect([status >= 400, check('error', json)]).toEqual([true, 'No errors']);
    }
  });

  it('would not hold for an answer without `data`, and need not for a binary one', async () => {
    const { json } = await ask('/v2/models/identity/infer', {
      ...tensor('FP32', [1], [1]),
      parameters: { binary_data_output: true },
    });
    expect(check('answer', json)).toContain("must have required property 'data'");
  });

  it('holds for NaN where strict JSON is asked for', async () => {
    const sent = tensor('FP32', [3], ['NaN', '-Infinity', 1]);
    const strict = { accept: 'application/json; strict=true' };
    const { json, type } = await ask('/v2/models/identity/infer', sent, strict);
    expect(type).toBe('application/json; strict=true');
    expect(check('answer', json)).toBe('No errors');
    expect(json.outputs[0].data).toEqual(['NaN', '-Infinity', 1]);
    await expect(ask('/v2/models/identity/infer', sent)).rejects.toThrow(SyntaxError);
  });
});

describe('configurations', () => {
  it('say what Triton’s would', async () => {
    const { json } = await ask('/v2/models/infer/config');
    expect(json).toEqual({
      ...{ name: 'infer', platform: 'tensorflow_savedmodel', backend: 'tensorflow', max_batch_size: 0 },
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1] }],
      output: [
        { name: 'version_offset', data_type: 'TYPE_FP32', dims: [] },
        { name: 'y', data_type: 'TYPE_FP32', dims: [-1] },
      ],
    });
  });

  it('leave the batch dim out, and say whether requests share runs', async () => {
    const { json: model } = await ask('/v2/models/rows');
    const { json } = await ask('/v2/models/rows/versions/1/config');
    expect(json.max_batch_size).toBeGreaterThan(1);
    expect(json.input.map(({ dims }: { dims: number[] }) => [-1, ...dims])).toEqual(
      model.inputs.map(({ shape }: { shape: number[] }) => shape),
    );
    expect(json.dynamic_batching).toEqual({ preferred_batch_size: [], max_queue_delay_microseconds: 0 });
    const { json: strings } = await ask('/v2/models/identity/config?signature=string');
    expect(strings).toMatchObject({ max_batch_size: 0, input: [{ data_type: 'TYPE_STRING', dims: [-1] }] });
    expect(strings).not.toHaveProperty('dynamic_batching');
    expect((await ask('/v2/models/nobody/config')).status).toBe(404);
  });
});

describe('requests that are bytes alone', () => {
  it('take datatype and shape from the signature, and are answered in binary', async () => {
    const x = Float32Array.of(1, 2, 5);
    for (const path of ['/v2/models/infer/infer', '/v2/models/infer/versions/1/infer']) {
      const { status, json, binary } = await ask(path, bytesOf(x));
      const size = (bytes: number) => ({ parameters: { binary_data_size: bytes } });
      expect([status, json.outputs]).toEqual([
        200,
        [
          { name: 'version_offset', datatype: 'FP32', shape: [], ...size(4) },
          { name: 'y', datatype: 'FP32', shape: [3], ...size(12) },
        ],
      ]);
      expect(binary).toEqual(Buffer.from(bytesOf(Float32Array.of(2, 3, 4, 7))));
    }
    expect((await ask('/v2/models/infer/infer', new Uint8Array())).json.outputs[1].shape).toEqual([0]);
  });

  it('are of a shape that is known whole, or strings with their lengths', async () => {
    const { json } = await ask('/v2/models/fixed_batch/infer', bytesOf(Float32Array.of(1, 2, 3, 4)));
    expect(json.outputs[0]).toMatchObject({ shape: [1, 4], parameters: { binary_data_size: 16 } });
    const framed = Buffer.from('\x03\0\0\0abc\0\0\0\0\x01\0\0\0d', 'latin1');
    const { binary } = await ask('/v2/models/strings/infer', framed);
    expect(binary.subarray(12).toString('latin1')).toBe('\x03\0\0\0ABC\0\0\0\0\x01\0\0\0D');
  });

  it.each([
    ['a string that ends early', 'strings', Buffer.from('\x05\0\0\0abc'), 400, 'end within element 0 of 1'],
    [
      'half a length',
      'strings',
      Buffer.from('\0\0\0\0\0\0'),
      400,
      'expected at least 8 bytes for the lengths of 2 elements, got 6',
    ],
    ['too many strings', 'strings', Buffer.alloc(4 * (2 ** 17 + 5)), 400, 'more than 131072'],
    ['half a number', 'infer', new Uint8Array(6), 400, 'got 6'],
    ['more than one unknown dim', 'identity', new Uint8Array(4), 400, 'bytes alone do not tell its shape'],
    ['several inputs', 'mixed', new Uint8Array(4), 400, 'send one that names its tensors'],
  ])('are refused: %s', async (_, model, bytes, status, message) => {
    const { json, ...answer } = await ask(`/v2/models/${model}/infer`, bytes);
    expect([answer.status, json.error]).toEqual([status, expect.stringContaining(message)]);
  });

  it('are refused for a sparse input', async () => {
    expect((await ask('/v2/models/sparse/infer', new Uint8Array(4))).status).toBe(400);
  });
});

describe.each(words)('a model named `%s`', (model) => {
  it('is reached by every path', async () => {
    expect((await ask(`/v2/models/${model}`)).json).toMatchObject({ name: model, versions: ['1'] });
    for (const at of [`/v2/models/${model}`, `/v2/models/${model}/versions/1`]) {
      expect((await ask(`${at}/ready`)).json).toEqual({ name: model, ready: true });
      expect((await ask(`${at}/config`)).json).toMatchObject({ name: model });
      expect((await ask(`${at}/stats`)).json.model_stats).toMatchObject([{ name: model, version: '1' }]);
      const { json } = await ask(`${at}/infer`, { ...tensor('FP32', [1], [1]), outputs: [{ name: 'y' }] });
      expect(json).toMatchObject({ model_name: model, outputs: [{ data: [3] }] });
    }
    expect((await ask(`/v2/repository/models/${model}/load`, {})).status).toBe(200);
    expect((await ask(`/models/${model}`)).json).toMatchObject({ name: model });
    const { json } = await ask(`/models/${model}/infer`, { x: [1] });
    expect(json).toMatchObject({ model, outputs: { y: [3] } });
  });
});

it('has the statistics of all beside the model named `stats`', async () => {
  const { model_stats: all } = (await ask('/v2/models/stats')).json;
  expect(all.map(({ name }: { name: string }) => name)).toContain('identity');
});
