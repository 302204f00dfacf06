/**
 * The Open Inference Protocol: requests and answers in process, and the real server.
 */
import { rm } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claimNothing, toEnd } from '../../../src/flow/steps.ts';
import { OipAnswers } from '../../../src/surfaces/oip-rest/answers.ts';
import { readRequest, requestInSteps } from '../../../src/surfaces/oip-rest/read-request.ts';
import type { Wanted } from '../../../src/surfaces/oip-rest/request.ts';
import { createTensor, disposeTensors } from '../../../src/tfjs/tensors.ts';
import { limits, refusal } from '../../fixtures/codec.ts';
import { testModels } from '../../fixtures/repository.ts';
import { openTestRuntime } from '../../fixtures/runtime.ts';
import { type Answer, TestServer } from '../../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';
import { until } from '../../fixtures/until.ts';

openTestRuntime();

/** A request's body, and how much of it is JSON. */
function body(json: object, ...binary: Uint8Array[]): { bytes: Uint8Array; jsonLength: number } {
  const head = Buffer.from(JSON.stringify(json));
  return { bytes: Buffer.concat([head, ...binary]), jsonLength: head.length };
}

function read(json: object, ...binary: Uint8Array[]) {
  const { bytes, jsonLength } = body(json, ...binary);
  return toEnd(requestInSteps(bytes, jsonLength, limits, claimNothing));
}

const refused = (json: object, ...binary: Uint8Array[]) => refusal(() => read(json, ...binary));

const x = { name: 'x', datatype: 'FP32', shape: [2] };
const floats = new Uint8Array(new Float32Array([1, 2]).buffer);

function framed(...texts: (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

const binaryOf = (datatype: string, shape: number[], bytes: Uint8Array, name = 'x') => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: bytes.length },
});

describe('requests', () => {
  it('reads values in JSON, flat and nested', () => {
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ]) {
      const { inputs } = read({ inputs: [{ ...x, datatype: 'INT16', shape: [2, 2], data }] });
      const expected = new Uint8Array(new Int16Array([1, 2, 3, 4]).buffer);
      expect(inputs.get('x')).toEqual({ kind: 'typed', dtype: 'int16', shape: [2, 2], data: expected });
    }
  });

  it('takes `data` that is null for none', () => {
    const { inputs } = read({ inputs: [{ ...binaryOf('FP32', [0, 2], new Uint8Array(0)), data: null }] });
    expect(inputs.get('x')).toMatchObject({ shape: [0, 2] });
    expect(refused({ inputs: [{ ...x, data: null }] })).toContain('has neither `data` nor');
  });

  it('keeps integers exact, and reads a scalar', () => {
    const json = Buffer.from(
      '{"inputs":[{"name":"x","datatype":"UINT64","shape":[],"data":[18446744073709551615]}]}',
    );
    const { inputs } = toEnd(requestInSteps(json, json.length, limits, claimNothing));
    expect(inputs.get('x')).toMatchObject({ dtype: 'uint64', shape: [], data: new Uint8Array(8).fill(255) });
  });

  it('takes binary tensors as views on the body, in their order', () => {
    const bools = Uint8Array.of(1, 0, 1);
    const { bytes, jsonLength } = body(
      { inputs: [binaryOf('FP32', [2], floats), binaryOf('BOOL', [3], bools, 'b')] },
      floats,
      bools,
    );
    const { inputs } = toEnd(requestInSteps(bytes, jsonLength, limits, claimNothing));
    const [first, second] = [inputs.get('x'), inputs.get('b')];
    expect(first).toMatchObject({ dtype: 'float32', shape: [2] });
    expect(second).toMatchObject({ dtype: 'bool', shape: [3] });
    for (const tensor of [first, second])
      expect(tensor?.kind === 'typed' && tensor.data instanceof Uint8Array && tensor.data.buffer).toBe(
        bytes.buffer,
      );
    expect(Buffer.from(bytes.subarray(jsonLength))).toEqual(Buffer.concat([floats, bools]));
  });

  it('reads framed strings, a few and many', () => {
    for (const texts of [['a', '', 'ü'], Array.from({ length: 1000 }, (_, i) => `text ${i}`)]) {
      const bytes = framed(...texts);
      const { inputs } = read({ inputs: [binaryOf('BYTES', [texts.length], bytes)] }, bytes);
      const tensor = inputs.get('x');
      const strings = tensor?.kind === 'typed' ? [...(tensor.data as Iterable<Uint8Array>)] : [];
      expect(strings.map((string) => Buffer.from(string).toString())).toEqual(texts);
    }
  });

  it('tells of id, signature, outputs and their forms', () => {
    const request = read({
      id: '7',
      parameters: { signature: 'other', binary_data_output: true, timeout: 5 },
      inputs: [{ ...x, data: [1, 2] }],
      outputs: [{ name: 'y' }, { name: 'z', parameters: { binary_data: false } }],
    });
    expect(request.signature).toBe('other');
    expect(request.outputs).toEqual(['y', 'z']);
    expect(request.wanted).toEqual({ id: '7', isBinary: true, isBinaryOutput: new Map([['z', false]]) });
  });

  it('knows JSON that it has read before, with other values behind it', async () => {
    const json = { inputs: [binaryOf('FP32', [2], floats)], outputs: [{ name: 'y' }] };
    const ours = { ...limits };
    for (const values of [floats, new Uint8Array(new Float32Array([3, 4]).buffer)]) {
      const { bytes, jsonLength } = body(json, values);
      const request = await readRequest(bytes, jsonLength, ours, claimNothing);
      const tensor = request.inputs.get('x');
      expect(tensor).toMatchObject({ kind: 'typed', dtype: 'float32', shape: [2] });
      expect(tensor?.kind === 'typed' && Buffer.from(tensor.data as Uint8Array)).toEqual(Buffer.from(values));
      expect(request.outputs).toEqual(['y']);
    }
    const { bytes, jsonLength } = body(json, floats, floats);
    await expect(async () => readRequest(bytes, jsonLength, ours, claimNothing)).rejects.toThrow(
      '8 bytes follow the tensors',
    );
  });

  it.each<[object, string]>([
    [{}, '`inputs` is missing'],
    [{ inputs: { x: [1] } }, '`inputs` must be a list of objects'],
    [{ inputs: [[1]] }, '`inputs` must be a list of objects'],
    [{ inputs: [{ ...x, name: 7, data: [1, 2] }] }, '`name` of an element of `inputs` must be a text'],
    [{ inputs: [{ ...x, datatype: 'FLOAT', data: [1, 2] }] }, 'no datatype `FLOAT`; there are BOOL'],
    [{ inputs: [x] }, 'has neither `data` nor'],
    [{ inputs: [{ ...x, data: [1, 2, 3] }] }, 'expected 2 elements for shape [2], got lists of [3]'],
    [{ inputs: [{ ...x, shape: [-1], data: [1] }] }, 'must be a list of sizes'],
    [{ inputs: [{ ...x, shape: 2, data: [1, 2] }] }, 'must be a list of sizes'],
    [{ inputs: [{ ...x, data: ['a', 2] }] }, 'expected float32, got a text'],
    [
      {
        inputs: [
          { ...x, data: [1, 2] },
          { ...x, data: [1, 2] },
        ],
      },
      'input `x` comes twice',
    ],
    [{ inputs: [], outputs: [{ name: 'y' }, { name: 'y' }] }, 'output `y` is asked for twice'],
    [{ inputs: [], parameters: [] }, '`parameters` of the request must be an object'],
    [{ inputs: [], parameters: { binary_data_output: 1 } }, 'must be true or false'],
    [{ inputs: [{ ...x, parameters: { binary_data_size: -1 } }] }, 'must be a whole number'],
  ])('refuses %j', (json, message) => {
    expect(refused(json)).toContain(message);
  });

  it.each<[object, string]>([
    [{ inputs: [{ ...x, datatype: 'COMPLEX64', data: [1, 2] }] }, 'no datatype for'],
    [{ inputs: [{ ...x, parameters: { shared_memory_region: 'r' } }] }, 'shared memory'],
    [{ inputs: [], outputs: [{ name: 'y', parameters: { classification: 2 } }] }, 'classification'],
    [{ inputs: [], parameters: { sequence_id: 3 } }, 'sequence_id'],
  ])('says what it does not do: %j', (json, message) => {
    expect(refusal(() => read(json), 'UNIMPLEMENTED')).toContain(message);
  });

  it('checks the lengths of binary tensors', () => {
    const tensor = binaryOf('FP32', [2], floats);
    expect(refused({ inputs: [tensor] }, floats.subarray(1))).toContain('7 bytes are left behind the JSON');
    expect(refused({ inputs: [tensor] }, floats, floats)).toContain('8 bytes follow the tensors');
    expect(refused({ inputs: [{ ...tensor, shape: [3] }] }, floats)).toContain(
      'expected 12 bytes for float32 [3], got 8',
    );
    expect(refused({ inputs: [{ ...tensor, data: [1, 2] }] }, floats)).toContain('has both');
    expect(refused({ inputs: [{ ...tensor, shape: [2 ** 40] }] }, floats)).toContain('more elements than');
    const { bytes } = body({ inputs: [] });
    expect(refusal(() => toEnd(requestInSteps(bytes, 999, limits, claimNothing)))).toContain(
      'says 999 bytes',
    );
  });

  it('checks the lengths of framed strings, before room is made for them', () => {
    const claims: number[] = [];
    const ask = (shape: number[], bytes: Uint8Array) => {
      const { bytes: all, jsonLength } = body({ inputs: [binaryOf('BYTES', shape, bytes)] }, bytes);
      const steps = requestInSteps(all, jsonLength, limits, (size) => claims.push(size));
      return refusal(() => toEnd(steps));
    };
    expect(ask([100_000], framed('a'))).toContain('for the lengths of 100000 elements, got 5');
    expect(claims).toEqual([]);
    expect(ask([2 ** 30], framed('a'))).toContain('more than 131072');
    expect(ask([2], framed('abcdefgh'))).toContain('end within element 1 of 2');
    expect(ask([1], Uint8Array.of(255, 255, 255, 255, 1))).toContain('end within element 0 of 1');
    expect(ask([1], framed('a', 'b'))).toContain('expected 5 bytes for its 1 elements, got 10');
  });

  it.each<[field: string, message: string]>([
    ['id', '`id` of the request has'],
    ['signature', '`signature` of `parameters` has'],
    ['name', '`name` of an element of `inputs` has'],
    ['datatype', '`datatype` of input `x` has'],
  ])('says that a text is too long: %s', (field, message) => {
    // Beyond 65,536 bytes a text is not made into a string.
    for (const text of ['a'.repeat(4097), 'a'.repeat(65_537), 'ü'.repeat(2049), 'ü'.repeat(2 ** 20)]) {
      const given = { [field]: text };
      const isOfInput = field === 'name' || field === 'datatype';
      const input = { ...x, data: [1, 2], ...(isOfInput ? given : {}) };
      const all = { inputs: [input], parameters: given, ...(field === 'id' ? given : {}) };
      expect(refused(all)).toContain(`${message} ${Buffer.byteLength(text)} bytes, and at most 4096`);
    }
  });

  it('says that a shape has too many dims', () => {
    const bytes = Uint8Array.of(0, 0, 0, 0);
    for (const rank of [255, 5000]) {
      const shape = new Array<number>(rank).fill(1);
      const message = `input \`x\` has rank ${rank}, more than 254`;
      expect(refused({ inputs: [{ ...x, shape, data: [1] }] })).toContain(message);
      expect(refused({ inputs: [binaryOf('FP32', shape, bytes)] }, bytes)).toContain(message);
    }
  });

  it('holds a bounded number of objects', () => {
    const objects = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `n${i}` }));
    const inputs = objects(4096).map(({ name }) => ({ ...x, name, data: [1, 2] }));
    const request = read({ inputs, outputs: objects(4096) });
    expect([request.inputs.size, request.outputs?.length]).toEqual([4096, 4096]);
    expect(refused({ inputs: objects(4097) })).toContain('`inputs` holds more than 4096 objects');
    expect(refused({ inputs, outputs: objects(4097) })).toContain('`outputs` holds more than 4096 objects');
    expect(refused({ inputs: [{ ...x, data: objects(4096) }] })).toContain('`inputs` holds more than 4096');
    expect(refused({ inputs: new Array(4097).fill(1) })).toContain('`inputs` must be a list of objects');
    expect(refused(objects(4097))).toContain('the body holds more than 4096 objects');
  });
});

const inJson: Wanted = { id: undefined, isBinary: false, isBinaryOutput: new Map() };
const inBinary: Wanted = { ...inJson, isBinary: true };

/** What an answer is made into. Its tensors are given back. */
function answerOf(outputs: Record<string, Parameters<typeof createTensor>>, wanted: Wanted) {
  const tensors = new Map(Object.entries(outputs).map(([name, each]) => [name, createTensor(...each)]));
  try {
    const answer = { model: 'm', version: 3, generation: 1, outputs: tensors };
    const body = new OipAnswers(wanted).encodeAnswer(answer);
    const bytes = Buffer.concat('pieces' in body ? [...body.pieces] : body.parts);
    if (body.byteLength !== undefined) expect(bytes.length).toBe(body.byteLength);
    const jsonLength = Number(body.headers?.[1] ?? bytes.length);
    return {
      json: JSON.parse(bytes.subarray(0, jsonLength).toString()),
      binary: bytes.subarray(jsonLength),
      mediaType: body.mediaType,
    };
  } finally {
    disposeTensors(tensors);
  }
}

describe('answers', () => {
  it('are JSON unless binary is asked for', () => {
    const { json, mediaType } = answerOf({ y: ['float32', [2, 1], floats] }, { ...inJson, id: 'an id' });
    expect(mediaType).toBeUndefined();
    expect(json).toEqual({
      model_name: 'm',
      model_version: '3',
      id: 'an id',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [2, 1], data: [1, 2] }],
    });
  });

  it('have binary outputs behind the JSON', () => {
    const strings = [Buffer.from('a'), Buffer.from([0xff])];
    const { json, binary, mediaType } = answerOf(
      { y: ['float32', [2], floats], s: ['string', [2], strings], z: ['bool', [1], Uint8Array.of(1)] },
      { ...inBinary, isBinaryOutput: new Map([['z', false]]) },
    );
    expect(mediaType).toBe('application/octet-stream');
    expect(json.outputs).toEqual([
      { name: 'y', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
      { name: 's', datatype: 'BYTES', shape: [2], parameters: { binary_data_size: 10 } },
      { name: 'z', datatype: 'BOOL', shape: [1], data: [true] },
    ]);
    expect(binary).toEqual(Buffer.concat([floats, framed('a', strings[1] as Buffer)]));
  });

  it('are written once, if only values of binary outputs differ', () => {
    const wanted = { ...inBinary };
    const one = (values: readonly number[], shape = [values.length]) =>
      answerOf({ y: ['float32', shape, new Uint8Array(new Float32Array(values).buffer)] }, wanted);
    const first = one([1, 2]);
    const second = one([3, 4]);
    expect(second.json).toEqual(first.json);
    expect(second.mediaType).toBe('application/octet-stream');
    expect([...new Float32Array(new Uint8Array(second.binary).buffer)]).toEqual([3, 4]);
    expect(one([3, 4], [2, 1]).json.outputs[0].shape).toEqual([2, 1]);
    expect([...new Float32Array(new Uint8Array(first.binary).buffer)]).toEqual([1, 2]);
    const other = answerOf({ z: ['float32', [2], floats] }, wanted);
    expect(other.json.outputs[0].name).toBe('z');
  });

  it('write many strings in pieces, and long ones whole', () => {
    const many = Array.from({ length: 5000 }, (_, i) => Buffer.from(String(i)));
    const long = [Buffer.alloc(300_000, 'a'), Buffer.from('b')];
    for (const strings of [many, long]) {
      const { binary } = answerOf({ s: ['string', [strings.length], strings] }, inBinary);
      expect(binary.equals(framed(...strings))).toBe(true);
      const { json } = answerOf({ s: ['string', [strings.length], strings] }, inJson);
      expect(json.outputs[0].data).toEqual(strings.map(String));
    }
  });

  it('refuse what the protocol or JSON has no form for', () => {
    const bytes = { s: ['string', [1], [Buffer.from([0xff])]] } as const;
    expect(refusal(() => answerOf({ s: [...bytes.s] }, inJson), 'NOT_ACCEPTABLE')).toContain(
      '"binary_data": true',
    );
    const complex = () => answerOf({ c: ['complex64', [1], new Uint8Array(8)] }, inBinary);
    expect(refusal(complex, 'UNIMPLEMENTED')).toContain('complex64');
    const large = () => answerOf({ y: ['uint8', [2 ** 24 + 1], new Uint8Array(2 ** 24 + 1)] }, inJson);
    expect(refusal(large, 'NOT_ACCEPTABLE')).toContain('binary_data_output');
  });
});

describe('the server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ args: ['--model-path', testModels] });
  });
  afterAll(() => server.stop());

  async function post(path: string, content: string | Uint8Array, headers: Record<string, string> = {}) {
    const response = await server.fetch(path, { method: 'POST', headers, body: content });
    return { response, bytes: Buffer.from(await response.arrayBuffer()) };
  }

  async function ask(path: string, json: object, headers: Record<string, string> = {}): Promise<Answer> {
    const { response, bytes } = await post(path, JSON.stringify(json), {
      'content-type': 'application/json',
      ...headers,
    });
    return { status: response.status, body: JSON.parse(bytes.toString()) };
  }

  const identity = { inputs: [{ ...x, data: [1, 2] }] };
  const answered = { name: 'y', datatype: 'FP32', shape: [2], data: [1, 2] };

  it('tells of itself and its models', async () => {
    expect((await server.get('/v2')).body).toMatchObject({ name: 'tfjs-serving' });
    expect(await server.get('/v2/')).toMatchObject({ status: 200 });
    expect(await server.get('/v2/health/live')).toEqual({ status: 200, body: { live: true } });
    expect(await server.get('/v2/health/ready')).toEqual({ status: 200, body: { ready: true } });
    expect(await server.get('/v2/models/rows/ready')).toMatchObject({ status: 200 });
    const { body: rows } = await server.get('/v2/models/rows/versions/1');
    expect(rows).toMatchObject({ name: 'rows', versions: ['1'], platform: 'tensorflow_savedmodel' });
    const { body: model } = await server.get('/v2/models/identity?signature=string');
    expect(model.inputs).toEqual([
      { name: 'x', datatype: 'BYTES', shape: [-1], parameters: { any_rank: true } },
    ]);
    expect((await server.get('/v2/models/sparse')).body.inputs[0]).toMatchObject({
      parameters: { kind: 'sparse' },
    });
  });

  it('answers both entrances alike', async () => {
    const heads: string[][] = [];
    for (const path of ['/v2/models/identity/infer', '/v2/models/identity/versions/1/infer']) {
      for (const content of [identity, { inputs: [] }]) {
        const { response, bytes } = await post(path, JSON.stringify(content), {
          'content-type': 'application/json',
          'x-request-id': 'one',
        });
        expect(response.headers.get('content-type')).toBe('application/json');
        heads.push([String(response.status), JSON.stringify([...response.headers]), bytes.toString()]);
      }
    }
    const [answer, refusal, ...ofVersion] = heads;
    const date = /\["date","[^"]*"\],/;
    const undated = (all: (string[] | undefined)[]) =>
      JSON.stringify(all.map((head) => head?.map((each) => each.replace(date, ''))));
    expect(undated(ofVersion)).toBe(undated([answer, refusal]));
    expect(JSON.parse(answer?.[2] ?? '')).toEqual({
      model_name: 'identity',
      model_version: '1',
      outputs: [answered],
    });
  });

  it('takes binary tensors, without a type, compressed, and gives them', async () => {
    const { bytes, jsonLength } = body(
      { id: 'i', inputs: [binaryOf('FP32', [2], floats)], parameters: { binary_data_output: true } },
      floats,
    );
    const length = { 'inference-header-content-length': String(jsonLength) };
    for (const [content, headers] of [
      [bytes, length],
      [bytes, { ...length, 'content-type': 'application/octet-stream' }],
      [gzipSync(bytes), { ...length, 'content-encoding': 'gzip' }],
    ] as const) {
      const { response, bytes: answer } = await post('/v2/models/identity/infer', content, headers);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      const split = Number(response.headers.get('inference-header-content-length'));
      expect(JSON.parse(answer.subarray(0, split).toString())).toMatchObject({
        id: 'i',
        outputs: [{ name: 'y', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } }],
      });
      expect(answer.subarray(split)).toEqual(Buffer.from(floats));
    }
  });

  it('answers by the signature and the outputs that are asked for', async () => {
    const json = {
      parameters: { signature: 'int64' },
      inputs: [{ name: 'x', datatype: 'INT64', shape: [1], data: [5] }],
      outputs: [{ name: 'y' }],
    };
    const { body: answer } = await ask('/v2/models/identity/infer', json);
    expect(answer.outputs).toEqual([{ name: 'y', datatype: 'INT64', shape: [1], data: [5] }]);
  });

  it('refuses in its own form, whatever is wrong', async () => {
    const refusals = await Promise.all([
      ask('/v2/models/nothing/infer', identity),
      ask('/v2/models/identity/versions/9/infer', identity),
      ask('/v2/models/identity/versions/one/infer', identity),
      ask('/v2/models/rows/infer', { inputs: [] }),
      ask('/v2/models/identity/infer', { ...identity, outputs: [{ name: 'no' }] }),
      ask('/v2/models/identity/infer', identity, { 'content-type': 'text/csv' }),
      ask('/v2/models/identity/infer', identity, { 'inference-header-content-length': 'x' }),
      ask('/v2/models/sparse/infer', { inputs: [{ ...x, data: [1, 2] }] }),
      server.get('/v2/nothing'),
      server.get('/v2/models/identity/infer'),
      server.get('/v2/models/nothing'),
      server.get('/v2/models/nothing/ready'),
      // The router takes paths in any case of their letters.
      server.get('/V2/nothing'),
      server.get('/V2/models/identity/infer'),
      ask('/V2/Models/identity/infer', { inputs: [] }),
      ask('/V2', {}),
    ]);
    for (const { body: refused } of refusals) expect(refused).toEqual({ error: expect.any(String) });
    expect(refusals.map(({ status }) => status)).toEqual([
      404, 404, 400, 400, 400, 415, 400, 400, 404, 405, 404, 404, 404, 405, 400, 405,
    ]);
  });

  it('counts what it has answered', async () => {
    const counts = async () => {
      const { body: statistics } = await server.get('/v2/models/rows/stats');
      const [{ name, version, inference_stats: stats, inference_count: rows }] = statistics.model_stats;
      return { name, version, rows, success: stats.success.count, fail: stats.fail.count };
    };
    const { body: rows } = await server.get('/v2/models/rows');
    const inputs = rows.inputs.map(
      ({ name, datatype, shape }: { name: string; datatype: string; shape: number[] }) => {
        const sizes = shape.map((dim) => (dim < 0 ? 2 : dim));
        const data = new Array(sizes.reduce((product, size) => product * size, 1)).fill(1);
        return { name, datatype, shape: sizes, data };
      },
    );
    const before = await counts();
    expect((await ask('/v2/models/rows/infer', { inputs })).status).toBe(200);
    expect((await ask('/v2/models/rows/infer', { inputs: [] })).status).toBe(400);
    await until(async () => (await counts()).fail === before.fail + 1, 'the refusal to be counted');
    expect(await counts()).toEqual({
      ...before,
      rows: before.rows + 2,
      success: before.success + 1,
      fail: before.fail + 1,
    });
    expect((await server.get('/v2/models/stats')).body.model_stats.length).toBeGreaterThan(10);
  });

  it('lists and loads versions', async () => {
    const { body: index } = await ask('/v2/repository/index', {});
    expect(index).toContainEqual({ name: 'versioned', version: '1', state: 'READY' });
    expect(index).toContainEqual(expect.objectContaining({ name: 'warmup_refused', state: 'UNAVAILABLE' }));
    const { body: ready } = await ask('/v2/repository/index', { ready: true });
    expect(ready).not.toContainEqual(expect.objectContaining({ name: 'warmup_refused' }));
    expect(await ask('/v2/repository/models/rows/load', {})).toEqual({ status: 200, body: {} });
    const pinned = await ask('/v2/repository/models/rows/load', { parameters: { version: 9 } });
    expect(pinned).toEqual({ status: 404, body: { error: expect.stringContaining('has no version 9') } });
  });

  it('holds a model at a version until it is loaded without one', async () => {
    const load = (parameters: object) => ask('/v2/repository/models/rows/load', { parameters });
    const pinned = async () => (await server.get('/models/rows')).body.pinned;
    expect((await load({ version: 1 })).status).toBe(200);
    expect(await pinned()).toBe(1);
    expect((await load({})).status).toBe(200);
    expect(await pinned()).toBe(null);
  });

  it('unloads a model until it is asked for', async () => {
    const unload = () => ask('/v2/repository/models/rows/unload', {});
    expect(await unload()).toEqual({ status: 200, body: {} });
    const ofIt = async () => {
      const { body } = await ask('/v2/repository/index', {});
      return body.filter(({ name }: { name: string }) => name === 'rows');
    };
    await until(async () => (await ofIt())[0]?.state === 'UNAVAILABLE', 'it to be unloaded');
    expect(await ofIt()).toEqual([{ name: 'rows', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' }]);
    expect(await unload()).toEqual({ status: 200, body: {} });
    // A look at everything is no request for it.
    await server.fetch('/update_model', { method: 'POST' });
    expect((await server.get('/models/rows')).body).toMatchObject({ version: null, unloaded: true });
    expect(await ask('/v2/models/rows/infer', { inputs: [] })).toEqual({
      status: 503,
      body: { error: expect.stringContaining('was unloaded by request') },
    });
    expect((await server.get('/health/ready')).status).toBe(200);
    expect(await ask('/v2/repository/models/rows/load', {})).toEqual({ status: 200, body: {} });
    expect(await ofIt()).toEqual([{ name: 'rows', version: '1', state: 'READY' }]);
  });

  it('leaves nothing behind', () => server.nothingIsLeft());
});

describe('a model whose folder is gone', () => {
  stopServerAfterEach();

  it('is forgotten once it is unloaded', async () => {
    const { server, repository } = await serveModels(['versioned', 'identity']);
    await rm(repository.path('versioned', 1), { recursive: true });
    await until(async () => (await server.get('/models/versioned')).body.source_missing, 'it to be missed');
    const unload = () => server.fetch('/v2/repository/models/versioned/unload', { method: 'POST' });
    const response = await unload();
    expect(await response.json()).toEqual({});
    expect((await server.get('/v2/models/versioned')).status).toBe(404);
    expect((await unload()).status).toBe(404);
  });
});
