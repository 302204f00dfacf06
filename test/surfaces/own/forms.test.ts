/**
 * Forms, NumPy's files and images as bodies of the real server, sent by the real curl.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../../src/codec/numpy/npy.ts';
import { encodeNpzAnswer } from '../../../src/codec/numpy/npz.ts';
import type { Dtype } from '../../../src/tensors/dtypes.ts';
import { createTensor } from '../../../src/tfjs/tensors.ts';
import { wholeBody } from '../../fixtures/answer-body.ts';
import { goldenCases } from '../../fixtures/golden.ts';
import { colours, gif, jpeg, png } from '../../fixtures/images.ts';
import { testModels } from '../../fixtures/repository.ts';
import { openTestRuntime } from '../../fixtures/runtime.ts';
import { TestServer } from '../../fixtures/server.ts';

const run = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-forms-'));
/** Where the server would put files, if it put any. */
const temporary = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-tmp-'));
const maxBody = 2 ** 20;
let server: TestServer;

beforeAll(async () => {
  openTestRuntime();
  server = await TestServer.start({
    args: [
      ...['--model-path', testModels, '--default-model', 'identity'],
      ...[
        '--max-body-bytes',
        `${maxBody}`,
        '--max-inflight-bytes',
        `${2 * maxBody}`,
        '--max-image-pixels',
        '100',
      ],
    ],
    env: { TMPDIR: temporary },
  });
});

afterAll(async () => {
  await server.stop();
  for (const each of [folder, temporary]) rmSync(each, { recursive: true, force: true });
});

function file(name: string, content: Uint8Array | string): string {
  const where = path.join(folder, name);
  writeFileSync(where, content);
  return where;
}

/** Sends what curl is told to. */
async function curl(where: string, ...args: string[]) {
  const command = ['-s', '-w', '\n%{http_code} %{content_type}', ...args, `${server.url}${where}`];
  const { stdout } = await run('curl', command, { encoding: 'buffer', maxBuffer: 2 ** 26 });
  const end = stdout.lastIndexOf('\n');
  const [status, type] = stdout.toString('latin1', end + 1).split(/;? /);
  const bytes = stdout.subarray(0, end);
  return { status: Number(status), type, bytes, text: bytes.toString() };
}

/** The outputs, or the error. */
async function ask(where: string, ...args: string[]) {
  const { text } = await curl(where, ...args);
  const { outputs, error } = JSON.parse(text);
  return outputs ?? error;
}

const infer = (model: string) => `/models/${model}/infer`;
const raw = (type: string, content: Uint8Array, name = 'body') => [
  ...['-H', `content-type: ${type}`, '-H', 'accept: application/json'],
  ...['--data-binary', `@${file(name, content)}`],
];

const floats = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const npyOf = (dtype: Dtype, shape: readonly number[], data: Uint8Array) =>
  Buffer.concat([...encodeNpy('x', { dtype, shape, data }).pieces()]);

async function nothingIsLeft(): Promise<void> {
  await server.nothingIsLeft();
  expect(readdirSync(temporary)).toEqual([]);
}

describe('a form', () => {
  it('of values: numbers, lists, texts', async () => {
    expect(await ask('/infer', '-F', 'x=1.5')).toEqual({ y: 1.5 });
    expect(await ask('/infer', '-F', 'x=[[1, 2], [3, 4]]')).toEqual({
      y: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(await ask(infer('strings'), '-F', 'text=5 é')).toEqual({
      length: 4,
      upper: '5 é'.toUpperCase().replace('É', 'é'),
    });
    expect(await ask(infer('strings'), '-F', 'text=["a", "bc"]')).toEqual({
      length: [1, 2],
      upper: ['A', 'BC'],
    });
    expect(await ask('/infer?signature=bool', '-F', 'x=true')).toEqual({ y: true });
    expect(await ask('/infer?signature=int64', '-F', 'x=9007199254740993')).toBeDefined();
  });

  it('with files: images, arrays, JSON, bytes', async () => {
    const image = file(
      'small.png',
      png(2, 2, (i) => colours[i] as number),
    );
    const pixels = [
      [colours.slice(0, 3), colours.slice(3, 6)],
      [colours.slice(6, 9), colours.slice(9)],
    ];
    expect(await ask('/infer?signature=uint8', '-F', `x=@${image}`)).toEqual({ y: pixels });
    expect(await ask('/infer?signature=float32', '-F', `x=@${image}`)).toEqual({ y: pixels });
    expect(await ask('/infer?signature=uint8', '-F', `x=@${file('g.gif', gif())}`)).toEqual({ y: pixels });
    const array = file('a.npy', npyOf('float32', [2, 1], floats([1, 2])));
    expect(await ask('/infer', '-F', `x=@${array}`)).toEqual({ y: [[1], [2]] });
    expect(await ask('/infer', '-F', `x=@${file('l.json', '[1, 2]')}`)).toEqual({ y: [1, 2] });
    expect(await ask(infer('strings'), '-F', `text=@${file('t.bin', 'raw')}`)).toMatchObject({
      upper: 'RAW',
    });
  });

  it('with the arrays of a .npz file as inputs by their own names', async () => {
    const outputs = new Map([
      ['x', createTensor('float32', [1, 3], floats([1, 2, 3]))],
      ['mask', createTensor('uint8', [1, 2, 2], Uint8Array.of(1, 0, 0, 1))],
    ]);
    const archive = Buffer.concat(
      wholeBody(encodeNpzAnswer({ model: '', version: 1, generation: 1, outputs })).parts,
    );
    for (const tensor of outputs.values()) tensor.dispose();
    const where = file('in.npz', archive);
    const json = await ask(infer('rows'), '-F', 'x=[[1, 2, 3]]', '-F', 'mask=[[[1, 0], [0, 1]]]');
    expect(json).toHaveProperty('y');
    expect(await ask(infer('rows'), '-F', `inputs=@${where}`)).toEqual(json);
    expect(await ask(infer('rows'), ...raw('application/x-npz', archive))).toEqual(json);
    expect(await ask(infer('rows'), '-F', `inputs=@${where}`, '-F', 'x=[[1, 2, 3]]')).toMatchObject({
      message: 'the input `x` comes twice',
    });
  });

  it('fields of one name are the rows of a batch', async () => {
    expect(await ask('/infer', '-F', 'x=1', '-F', 'x=2', '-F', 'x=3')).toEqual({ y: [1, 2, 3] });
    const images = [0, 100].map((value) =>
      file(
        `${value}.png`,
        png(1, 1, () => value),
      ),
    );
    const fields = images.flatMap((where) => ['-F', `x=@${where}`]);
    expect(await ask('/infer?signature=uint8', ...fields)).toEqual({
      y: [[[[0, 0, 0]]], [[[100, 100, 100]]]],
    });
    expect(await ask('/infer', '-F', 'x=1', '-F', 'x=[2]')).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'input `x` is ragged: [1] is float32 [1] where the ones before it are float32 []',
    });
  });

  it('names an input as no object can', async () => {
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect(await ask('/infer', '-F', 'x=1', '-F', `${name}=2`)).toMatchObject({
        message: expect.stringContaining(`no input \`${name}\``),
      });
  });

  it('chooses the answer by Accept, and gets JSON without', async () => {
    expect((await curl('/infer', '-F', 'x=1')).type).toBe('application/json');
    const cbor = await curl('/infer', '-F', 'x=1', '-H', 'accept: application/cbor');
    expect([cbor.status, cbor.type]).toEqual([200, 'application/cbor']);
    const npz = await curl('/infer', '-F', 'x=[1, 2]', '-H', 'accept: application/x-npz');
    expect([npz.status, npz.type]).toEqual([200, 'application/x-npz']);
    expect(npz.bytes.toString('latin1', 30, 35)).toBe('y.npy');
    const error = await curl('/infer', '-F', 'y=1', '-H', 'accept: application/x-npz');
    expect([error.status, JSON.parse(error.text).error.code]).toEqual([400, 'INVALID_ARGUMENT']);
  });

  it.each<[string, () => string[], RegExp]>([
    [
      'empty',
      () => ['-X', 'POST', '-H', 'content-type: multipart/form-data; boundary=b', '-d', '--b--\r\n'],
      /form is empty/,
    ],
    [
      'without a boundary',
      () => ['-H', 'content-type: multipart/form-data', '-d', 'x'],
      /form cannot be read: .*boundary/,
    ],
    [
      'cut short',
      () => [
        '-H',
        'content-type: multipart/form-data; boundary=b',
        '--data-binary',
        '--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1',
      ],
      /form cannot be read/,
    ],
    [
      'of nothing',
      () => ['-H', 'content-type: multipart/form-data; boundary=b', '-d', ''],
      /form (is empty|cannot be read)/,
    ],
    [
      'with too many fields',
      () => [
        '-H',
        'content-type: multipart/form-data; boundary=b',
        '--data-binary',
        `@${file('many', `${'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n'.repeat(1001)}--b--\r\n`)}`,
      ],
      /more than 1000 parts/,
    ],
    [
      'with a damaged image',
      () => ['-F', `x=@${file('cut.png', png(4, 4, () => 7).subarray(0, 60))}`],
      /input `x`: the PNG is cut off/,
    ],
    [
      'with a large image',
      () => [
        '-F',
        `x=@${file(
          'large.png',
          png(11, 10, () => 7),
        )}`,
      ],
      /has 110 pixels, more than 100/,
    ],
    ['with an empty file', () => ['-F', `x=@${file('nothing', '')}`], /got `nothing`, an empty file/],
    ['with a text for a number', () => ['-F', 'x=hello'], /expected float32, got a text/],
    ['with JSON that is none', () => ['-F', 'x=[1,'], /input `x` is no JSON: .*line 1, column 4/],
    ['with lists too deep', () => ['-F', `x=${'['.repeat(40)}`], /input `x` is no JSON/],
  ])('%s is refused', async (_, args, message) => {
    const { status, text } = await curl('/infer', ...args());
    expect([status, JSON.parse(text).error]).toEqual([
      400,
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    ]);
  });

  it('that ends anywhere is answered', async () => {
    const whole = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="x"; filename="x.npy"\r\nContent-Type: application/octet-stream\r\n\r\n\x93NUMPY\r\n--b\r\nContent-Disposition: form-data; name="y"\r\n\r\n1\r\n--b--\r\n',
      'latin1',
    );
    for (let length = 0; length < whole.length; length++) {
      const response = await server.fetch('/infer', {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: whole.subarray(0, length),
        signal: AbortSignal.timeout(10_000),
      });
      expect([length, response.status]).toEqual([length, 400]);
      await response.arrayBuffer();
    }
  });
});

describe('a body that is one tensor', () => {
  it('.npy, for the only input', async () => {
    for (const [dtype, value] of [
      ['float32', 1.5],
      ['float64', -2],
    ] as const) {
      const view = new Uint8Array((dtype === 'float32' ? Float32Array : Float64Array).of(value).buffer);
      const body = raw('application/x-npy', npyOf(dtype, [1], view));
      expect(await ask(`/infer?signature=${dtype}`, ...body)).toEqual({ y: [value] });
    }
    expect(
      await ask('/infer', ...raw('application/x-npy', npyOf('int32', [], new Uint8Array(4)))),
    ).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /^input `x`: expected .*, got int32: send x\.astype\(np\.float32\), or in JavaScript Float32Array/,
      ),
    });
  });

  it('an image, whichever of their types is said', async () => {
    const image = png(1, 1, () => 9);
    for (const type of ['image/png', 'image/jpeg', 'image/gif', 'image/bmp'])
      expect(await ask('/infer?signature=uint8', ...raw(type, image))).toEqual({ y: [[[9, 9, 9]]] });
    const { y } = await ask('/infer?signature=float32', ...raw('image/jpeg', jpeg(8, 8, [10, 20, 30])));
    expect([y.length, y[0].length, y[0][0].length]).toEqual([8, 8, 3]);
    expect(await ask('/infer', ...raw('image/webp', image))).toMatchObject({
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
    expect(await ask('/infer', ...raw('image/png', Buffer.from('text')))).toMatchObject({
      message: 'expected a JPEG, PNG, GIF or BMP, got something else',
    });
  });

  it('is refused where there are several inputs, or none', async () => {
    const body = raw('application/x-npy', npyOf('float32', [], floats([1])));
    expect((await ask(infer('rows'), ...body)).message).toMatch(
      /is one tensor, and .* takes `mask` .* and `x`/,
    );
    expect((await ask(infer('stateful'), ...body)).message).toMatch(/takes no inputs/);
  });
});

describe('what a body unpacks to is bounded', () => {
  const deflated = (values: number) =>
    execFileSync('python3', [
      '-c',
      `import io, sys, zipfile\nout = io.BytesIO()\nwith zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z: z.writestr("x.npy", b"\\x93NUMPY\\x01\\x00" + (118).to_bytes(2, "little") + b"{'descr': '<f4', 'fortran_order': False, 'shape': (${values},), }".ljust(117) + b"\\n" + bytes(4 * ${values}))\nsys.stdout.buffer.write(out.getvalue())`,
    ]);

  it('by the size of a body', async () => {
    const { y } = await ask('/infer', ...raw('application/x-npz', deflated(maxBody / 4 - 100)));
    expect(y).toHaveLength(maxBody / 4 - 100);
    const large = await curl('/infer', ...raw('application/x-npz', deflated(maxBody / 4)));
    expect([large.status, JSON.parse(large.text).error]).toMatchObject([413, { code: 'PAYLOAD_TOO_LARGE' }]);
    await nothingIsLeft();
  });

  it('by what is left for all bodies', async () => {
    const body = file('bomb.npz', deflated(maxBody / 4 - 100));
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const args = ['-H', 'content-type: application/x-npz', '--data-binary', `@${body}`];
        return (await curl('/models/identity/infer', ...args)).status;
      }),
    );
    expect(statuses).toContain(200);
    for (const status of statuses) expect([200, 503]).toContain(status);
    await nothingIsLeft();
  });
});

describe('the query', () => {
  it('names the signature and the outputs of any body', async () => {
    expect(await ask(`${infer('signatures')}?signature=mul`, '-F', 'a=3', '-F', 'b=4')).toEqual(
      await ask(
        infer('signatures'),
        ...raw('application/json', Buffer.from('{"inputs": {"a": 3, "b": 4}, "signature": "mul"}')),
      ),
    );
    expect(await ask(`${infer('strings')}?outputs=length`, '-F', 'text=abc')).toEqual({ length: 3 });
    expect(
      await ask(
        `${infer('strings')}?outputs=upper,length`,
        ...raw('application/json', Buffer.from('{"text": "abc"}')),
      ),
    ).toEqual({
      length: 3,
      upper: 'ABC',
    });
    expect(await ask(`${infer('strings')}?outputs=nothing`, '-F', 'text=abc')).toMatchObject({
      message: expect.stringContaining('no output `nothing`'),
    });
  });

  it('and the body do not both', async () => {
    const body = raw(
      'application/json',
      Buffer.from('{"inputs": {"a": 3, "b": 4}, "signature": "mul", "outputs": ["y"]}'),
    );
    for (const query of ['signature=mul', 'outputs=y', 'signature=mul&signature=mul'])
      expect(await ask(`${infer('signatures')}?${query}`, ...body)).toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
  });
});

describe('the line that a refusal shows', () => {
  const models = [...new Set(goldenCases().map(({ model }) => model))].filter(
    (model) => !['policy', 'half_plus_two', 'tags'].includes(model),
  );

  it.each(models)('works for %s when it is pasted out of the JSON as it stands', async (model) => {
    const { text, status } = await curl(infer(model), '-F', 'no_such_input=1');
    expect(status).toBe(400);
    const example = /"example":"(.*)"\}\}\n$/.exec(text)?.[1] as string;
    // Under a model that fails of itself a request may be refused by TensorFlow, but no more by us.
    const cwd = path.dirname(file('photo.jpg', jpeg(4, 4, [1, 2, 3])));
    const answer = JSON.parse(execFileSync('sh', ['-c', `${example} -s`], { encoding: 'utf8', cwd }));
    expect(answer).toMatchObject({ status: 'ok', model });
  });
});

it('nothing is left of all this', nothingIsLeft);
