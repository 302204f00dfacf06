/** JSON in and out of a real server: values come back unchanged, whatever their dtype. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ints, map } from '../fixtures/cbor.ts';
import { testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ args: ['--model-path', testModels, '--default-model', 'identity'] });
});
afterAll(() => server.stop());

async function post(
  body: string | Uint8Array | ReadableStream,
  headers: Record<string, string> = {},
  path = '/infer',
) {
  const response = await server.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    duplex: 'half',
  });
  const type = response.headers.get('content-type')?.split(';')[0];
  return { status: response.status, type, text: await response.text() };
}

/** The text of the only output. */
function output(text: string): string {
  const start = text.indexOf(':', text.indexOf('"outputs":{') + '"outputs":{'.length) + 1;
  return text.slice(start, text.lastIndexOf('}}'));
}

describe('every dtype comes back as it went in', () => {
  const values: Readonly<Record<string, string>> = {
    bool: '[[true,false]]',
    int8: '[-128,127]',
    int16: '[-32768,32767]',
    int32: '[-2147483648,2147483647]',
    int64: '[-9223372036854775808,9007199254740993,9223372036854775807]',
    uint8: '[[[0],[255]]]',
    uint16: '65535',
    uint32: '[4294967295]',
    uint64: '[18446744073709551615]',
    float16: '[0.1,-65504.0,NaN]',
    bfloat16: '[0.1,Infinity]',
    float32: '[0.1,16777216.0,-0.0,NaN,Infinity,-Infinity]',
    float64: '[0.1,5e-324,1.7976931348623157e+308,NaN]',
    complex64: '[[0.1,-2.0],[NaN,Infinity]]',
    complex128: '[[[0.1,-0.0]]]',
    string: '["caf\u00e9","",{"b64":"//4="}]',
  };

  it.each(Object.entries(values))('%s %s', async (dtype, value) => {
    const { status, type, text } = await post(`{"inputs": {"x": ${value}}, "signature": "${dtype}"}`);
    expect([status, type, output(text)]).toEqual([200, 'application/json', value]);
  });
});

it('in strict JSON, what is no number is a text, both ways', async () => {
  const body = '{"inputs": {"x": ["NaN", 1.5, "-Infinity"]}, "signature": "float32"}';
  const { status, text } = await post(body, { accept: 'application/json; strict=true' });
  expect([status, JSON.parse(text).outputs]).toEqual([200, { y: ['NaN', 1.5, '-Infinity'] }]);
});

it('Accept chooses another form than that of the request', async () => {
  const json = await post('{"x": [1, 2, 5]}', { accept: 'application/cbor' }, '/models/rows/infer');
  expect(json.type).toBe('application/cbor');
  const cbor = await post(map({ x: ints(1) }), {
    'content-type': 'application/cbor',
    accept: 'application/json',
  });
  expect(cbor.type).toBe('application/json');
});

it('a charset, and a body in pieces of no announced length, are no hindrance', async () => {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  const body = Buffer.from('{"inputs": {"x": "ü"}, "signature": "string"}');
  // Between the two bytes of the letter.
  const cut = body.indexOf(0xc3) + 1;
  const pieces = new ReadableStream({
    start(controller) {
      controller.enqueue(body.subarray(0, cut));
      setTimeout(() => {
        controller.enqueue(body.subarray(cut));
        controller.close();
      }, 50);
    },
  });
  expect((await post(pieces, headers)).text).toContain('"ü"');
});

it('what is wrong is told with its place, in JSON', async () => {
  const { status, text } = await post('{"x": [1, 2,]}');
  expect([status, JSON.parse(text).error]).toEqual([
    400,
    {
      code: 'INVALID_ARGUMENT',
      message: 'a value must be here: line 1, column 13 of the JSON',
      example: `curl -H content-type:application/json -d $'{"x": 0}' '${server.url}/infer'`,
    },
  ]);
});

describe('the line that a refusal of JSON shows', () => {
  const paths = [
    '/infer',
    '/models/mixed/infer',
    '/models/signatures/infer?signature=mul',
    '/models/rows_table/infer',
  ];

  it.each(paths)('works for %s, out of the JSON as it stands and out of its value', async (path) => {
    const { text } = await post('{"no_such_input": 1}', {}, path);
    const asItStands = /"example":"(.*)"\}\}\n$/.exec(text)?.[1] as string;
    const { example } = JSON.parse(text).error;
    expect(example).toContain('application/json');
    expect(asItStands).not.toBe(example);
    for (const line of [asItStands, example]) {
      const answer = execFileSync('bash', ['-c', `${line} -s`], { encoding: 'utf8' });
      expect(JSON.parse(answer)).toMatchObject({ status: 'ok' });
    }
  });
});

describe('inputs with different numbers of rows', () => {
  const mul = (a: number[], b: number[]) =>
    post(JSON.stringify({ a, b }), {}, '/models/signatures/infer?signature=mul');

  it('are told by name where the model refuses them', async () => {
    const { status, text } = await mul([1, 2], [1, 2, 3]);
    const { code, message, example } = JSON.parse(text).error;
    expect([status, code]).toEqual([400, 'INVALID_ARGUMENT']);
    expect(message).toBe(
      'the inputs have different numbers of rows: `a` has 2 rows, `b` has 3 rows; TensorFlow says: Incompatible shapes: [2] vs. [3]',
    );
    expect(example).toContain('curl');
  });

  it('are answered where the model takes them', async () => {
    const { status, text } = await mul([1, 2], [3]);
    expect([status, output(text)]).toEqual([200, '[3.0,6.0]']);
  });
});

it('a parameter of the query that there is none of is refused, with the one that was meant', async () => {
  const { status, text } = await post('{"x": [1]}', {}, '/infer?output=y');
  const { code, message } = JSON.parse(text).error;
  expect([status, code]).toEqual([400, 'INVALID_ARGUMENT']);
  expect(message).toBe(
    'the query has no parameter `output` (did you mean `outputs`?); there are `signature` and `outputs`',
  );
});

it('the address itself says what answers there, and a path of another server which one is meant', async () => {
  const { status, body } = await server.get('/');
  expect(status).toBe(200);
  expect(body).toEqual({
    name: 'tfjs-serving',
    version: expect.stringMatching(/^\d/),
    docs: '/docs',
    openapi: '/openapi.json',
    models: '/models',
  });
  expect((await server.fetch(body.docs)).status).toBe(200);
  for (const [path, expected] of [
    ['/models/identity/predict', 404],
    ['/models/identity:predict', 405],
    ['/v1/models/identity:predict', 404],
  ] as const) {
    const { status, text } = await post('{"instances": [1]}', {}, path);
    expect(status).toBe(expected);
    expect(JSON.parse(text).error.message).toContain('here it is /models/identity/infer');
  }
});
