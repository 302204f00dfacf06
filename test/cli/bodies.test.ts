/**
 * `encode`, `decode` and `infer`: their bytes are compared with CBOR written by hand, and their answers with
 * TensorFlow's own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binaryToDict } from '../../src/client/decode.ts';
import type { Tensor } from '../../src/client/tensor.ts';
import { encodeNpy } from '../../src/codec/numpy/npy.ts';
import { array, bytes, described, float64, hex, int, ints, list, map, text } from '../fixtures/cbor.ts';
import { runCommand } from '../fixtures/command.ts';
import { goldenCases } from '../fixtures/golden.ts';
import { bmp, colours, gif, jpeg, png } from '../fixtures/images.ts';
import { TestServer } from '../fixtures/server.ts';

const demo = fileURLToPath(new URL('../../saved_models', import.meta.url));
const golden = fileURLToPath(new URL('../golden', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-bodies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const where = path.join(folder, name);
  writeFileSync(where, content);
  return where;
}

const encode = (...args: string[]) => runCommand(['encode', ...args]);

const picture = array([2, 2, 3], 64, Uint8Array.from(colours));

describe('encode', () => {
  it.each([
    ['x=[1,2,5]', { x: ints(1, 2, 5) }],
    ['x=-1.5', { x: float64(-1.5) }],
    ['x=NaN', { x: float64(Number.NaN) }],
    ['x=[[true],[false]]', { x: list(list(hex('f5')), list(hex('f4'))) }],
    ['x=[NaN,-Infinity]', { x: list(float64(Number.NaN), float64(Number.NEGATIVE_INFINITY)) }],
    ['x=9007199254740993', { x: int(9007199254740993n) }],
    ['x=hello', { x: text('hello') }],
    ['x="1"', { x: text('1') }],
    ['x={"b64":"/w=="}', { x: bytes(hex('ff')) }],
    ['x=a=b', { x: text('a=b') }],
    ['n=int64:[1,-2]', { n: array([2], 79, hex('0100000000000000 feffffffffffffff')) }],
    ['x=float32:1', { x: array([], 85, hex('0000803f')) }],
    ['b=bool:[true]', { b: described('bool', [1], bytes(hex('01'))) }],
    ['x={"dtype":"int8","shape":[1,2],"data":[[1,2]]}', { x: array([1, 2], 72, hex('0102')) }],
  ])('%s', async (arg, expected) => {
    const { code, bytes: body, stderr } = await encode(arg);
    expect([code, stderr]).toEqual([0, '']);
    expect(body.toString('hex')).toBe(Buffer.from(map(expected)).toString('hex'));
  });

  it('puts signature and outputs into the envelope, from flags or from JSON on standard input', async () => {
    const expected = map({
      inputs: map({ x: int(1) }),
      signature: text('s'),
      outputs: list(text('a'), text('b')),
    });
    const byFlags = await encode('x=1', '--signature', 's', '--outputs', 'a,b');
    expect(byFlags.bytes).toEqual(Buffer.from(expected));
    const json = '{"inputs": {"x": 1}, "signature": "s", "outputs": ["a", "b"]}';
    expect((await runCommand(['encode', '-'], { input: json })).bytes).toEqual(Buffer.from(expected));
    const enveloped = await encode('--envelope', file('flat.json', '{"x": 1}'));
    expect(enveloped.bytes).toEqual(Buffer.from(map({ inputs: map({ x: int(1) }) })));
  });

  it('refuses an envelope with what no envelope has', async () => {
    const where = file('odd.json', '{"inputs": {"x": 1}, "output": ["y"]}');
    expect(await encode(where)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/odd\.json: .*`output`/),
    });
  });

  it.each([
    ['picture.png', png(2, 2, (i) => colours[i] as number)],
    ['picture.bmp', bmp()],
    ['picture.gif', gif()],
  ])('%s becomes uint8 [h, w, c], named by name=@file or by the file', async (name, content) => {
    const where = file(name, content);
    expect((await encode(where)).bytes).toEqual(Buffer.from(map({ picture })));
    expect((await encode(`x=@${where}`)).bytes).toEqual(Buffer.from(map({ x: picture })));
    const floats = Uint8Array.from(new Uint8Array(Float32Array.from(colours).buffer));
    expect((await encode(`x=float32:@${where}`)).bytes).toEqual(
      Buffer.from(map({ x: array([2, 2, 3], 85, floats) })),
    );
    const raw = binaryToDict((await encode(`x=string:@${where}`)).bytes)['x'] as Tensor<'string'>;
    expect(Buffer.from(raw.data[0] as Uint8Array)).toEqual(Buffer.from(content));
  });

  it('.npy and .npz files are arrays of their own dtype, or of the one that is named', async () => {
    const values = new Uint8Array(Float32Array.of(1, 2, 5).buffer);
    const npy = Buffer.concat([...encodeNpy('x', { dtype: 'float32', shape: [3], data: values }).pieces()]);
    const where = file('series.npy', npy);
    const floats = array([3], 85, values);
    expect((await encode(where)).bytes).toEqual(Buffer.from(map({ series: floats })));
    expect((await encode(`x=@${where}`)).bytes).toEqual(Buffer.from(map({ x: floats })));
    const whole = array([3], 72, Uint8Array.of(1, 2, 5));
    expect((await encode(`x=int8:@${where}`)).bytes).toEqual(Buffer.from(map({ x: whole })));
    const zip = execFileSync('python3', [
      '-c',
      'import io, sys, zipfile\nout = io.BytesIO()\nwith zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:\n  for name in ["b", "a"]: z.write(sys.argv[1], name + ".npy")\nsys.stdout.buffer.write(out.getvalue())',
      where,
    ]);
    expect((await encode(file('both.npz', zip))).bytes).toEqual(Buffer.from(map({ b: floats, a: floats })));
    const cut = await encode(file('cut.npz', zip.subarray(0, 100)));
    expect([cut.code, cut.stdout]).toEqual([1, '']);
    expect(cut.stderr).toMatch(/^tfjs-serving: [^\n]*cut\.npz: [^\n]+\n$/);
  });

  it('a JPEG is close to what was compressed', async () => {
    const where = file('plain.jpg', jpeg(16, 8, [200, 100, 50]));
    const { plain } = binaryToDict((await encode(where)).bytes) as { plain: Tensor<'uint8'> };
    expect(plain.shape).toEqual([8, 16, 3]);
    for (const [i, value] of plain.data.entries())
      expect(Math.abs(value - ([200, 100, 50][i % 3] as number))).toBeLessThanOrEqual(4);
  });

  it('-o writes a file', async () => {
    const where = path.join(folder, 'body.cbor');
    expect(await encode('x=1', '-o', where)).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(where)).toEqual(Buffer.from(map({ x: int(1) })));
  });

  it.each([
    [2, [], /no inputs/],
    [2, ['x=1', 'x=2'], /`x` comes twice/],
    [
      2,
      ['{"x": [1]}'],
      /expected NAME=JSON or a file of inputs, got JSON: write 'x=\[1, 2\]', or .* input with -$/m,
    ],
    [2, ["{'x': [1]}"], /got JSON: .*\. JSON has double quotes, so put the single ones around it$/m],
    [2, ['--none', 'x=1'], /--none/],
    [1, ['x=[1,'], /no JSON/],
    [1, ['x=uint8:[256]'], /input `x`: .*uint8.*got 256/],
    [1, ['x={"a":1}'], /input `x` is an object, and no tensor/],
    [
      1,
      ['x={"dtype":"int8","shape":[2],"data":[1]}'],
      /expected 2 elements for shape \[2\], got lists of \[1\]/,
    ],
    [1, ['x=@nowhere.png'], /nowhere\.png cannot be read: ENOENT/],
    [1, [`x=@${golden}/README.md`], /no JPEG, PNG, GIF, BMP, \.npy or \.json file/],
  ])('ends with %i for %j, in one line', async (code, args, message) => {
    const finished = await encode(...args);
    expect([finished.code, finished.stdout]).toEqual([code, '']);
    expect(finished.stderr).toMatch(message);
    expect(finished.stderr).toMatch(/^tfjs-serving: [^\n]+\n$/);
  });

  it('says which image is damaged', async () => {
    const where = file('cut.png', png(4, 4, () => 7).subarray(0, 50));
    expect(await encode(where)).toMatchObject({ code: 1, stdout: '' });
    expect((await encode(where)).stderr).toMatch(/^tfjs-serving: .*cut\.png cannot be decoded: [^\n]+\n$/);
  });
});

describe('decode', () => {
  const decode = (body: Uint8Array, ...args: string[]) => runCommand(['decode', ...args], { input: body });

  it('prints requests and answers for people', async () => {
    const x = array([2, 2], 85, hex('0000803f 00002040 000080bf 00000000'));
    expect((await decode(map({ x }))).stdout).toBe('x: float32 [2, 2]\n[[ 1.0  2.5]\n [-1.0  0.0]]\n');
    const answer = map({
      status: text('ok'),
      model: text('m'),
      version: int(1),
      outputs: map({ x }),
    });
    expect((await decode(answer)).stdout).toMatch(/^model m, version 1\nx: float32 \[2, 2\]\n/);
    const error = map({
      status: text('error'),
      error: map({ code: text('NOT_FOUND'), message: text('none') }),
    });
    expect((await decode(error)).stdout).toBe('NOT_FOUND: none\n');
  });

  it('abbreviates what is long, and gives all of it as JSON', async () => {
    const body = map({
      x: array(
        [1001],
        64,
        Uint8Array.from({ length: 1001 }, (_, i) => i % 10),
      ),
    });
    expect((await decode(body)).stdout).toBe('x: uint8 [1001]\n[0 1 2 ... 8 9 0]\n');
    expect(JSON.parse((await decode(body, '--json')).stdout).x).toHaveLength(1001);
  });

  it('--json says every dtype of TensorFlow as the server does', async () => {
    const cases = goldenCases().filter(({ name }) => name === 'identity.all.vectors');
    expect(cases).toHaveLength(1);
    const server = await TestServer.start({
      args: ['--model-path', path.join(golden, '../models/identity')],
    });
    try {
      for (const { body } of cases) {
        const init = { method: 'POST', body, headers: { 'content-type': 'application/cbor' } };
        const asJson = await server.fetch('/infer', {
          ...init,
          headers: { ...init.headers, accept: 'application/json' },
        });
        const asCbor = await server.fetch('/infer', init);
        const decoded = await decode(new Uint8Array(await asCbor.arrayBuffer()), '--json');
        expect(decoded.stdout).toBe(await asJson.text());
      }
    } finally {
      await server.stop();
    }
  });

  it('refuses what is no body in one line', async () => {
    for (const body of [hex(''), hex('83'), hex('a161'), hex('8004 2e'), hex('01')]) {
      const { code, stdout, stderr } = await decode(body);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^tfjs-serving: [^\n]+\n$/);
    }
  });
});

describe('infer', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ args: ['--model-path', demo], env: { TFJS_SERVING_API_KEYS: 'k' } });
  });
  afterAll(() => server.stop());

  const infer = (...args: string[]) => runCommand(['infer', '--api-key', 'k', server.url, ...args]);

  it('asks and prints', async () => {
    const { code, stdout } = await infer('--model', 'half_plus_two', '--version', '1', 'x=[1,2,5]');
    expect(code).toBe(0);
    expect(stdout).toBe('model half_plus_two, version 1, generation 1\ny: float32 [3]\n[2.5 3.0 4.5]\n');
  });

  it('gets what TensorFlow for Python answers for a state and an image from a file', async () => {
    const one = binaryToDict(readFileSync(path.join(golden, 'policy.serving_default.one.cbor'))) as {
      inputs: {
        state: Tensor<'float32'>;
        image: { formula: { multiply: number; add: number; modulo: number } };
      };
      outputs: { action: Tensor<'float32'> };
    };
    const { multiply, add, modulo } = one.inputs.image.formula;
    const image = file(
      'camera.png',
      png(640, 480, (i) => (i * multiply + add) % modulo),
    );
    const state = `[${one.inputs.state.data.join(',')}]`;
    for (const argument of [`state=${state}`, `state=float32:${state}`]) {
      const { code, stdout, stderr } = await infer('--json', argument, `image=@${image}`);
      expect([code, stderr]).toEqual([0, '']);
      const action: number[] = JSON.parse(stdout).outputs.action;
      expect(action).toHaveLength(7);
      for (const [i, want] of one.outputs.action.data.entries())
        expect(Math.abs((action[i] as number) - want)).toBeLessThanOrEqual(1e-6 + 1e-5 * Math.abs(want));
    }
    const form = [
      '-F',
      `state=${state}`,
      '-F',
      `image=@${image}`,
      '-H',
      'x-api-key: k',
      `${server.url}/infer`,
    ];
    const { outputs } = JSON.parse(execFileSync('curl', ['-s', ...form], { encoding: 'utf8' }));
    for (const [i, want] of one.outputs.action.data.entries())
      expect(Math.abs(outputs.action[i] - want)).toBeLessThanOrEqual(1e-6 + 1e-5 * Math.abs(want));
    // One sample and a batch do not go together.
    expect((await infer(`state=[${state}]`, `image=@${image}`)).code).toBe(1);
  });

  it("ends with 1 and the server's own message", async () => {
    const { code, stdout, stderr } = await infer('--model', 'nope', 'x=1');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe('tfjs-serving: no model `nope`; there are `half_plus_two`, `policy`; see /docs\n');
    expect((await infer('--model', 'half_plus_two', 'x=text')).stderr).toMatch(
      /input `x`: expected float32, got a text/,
    );
    expect(await runCommand(['infer', server.url, 'x=1'])).toMatchObject({ code: 1, stdout: '' });
    expect(await runCommand(['infer', 'http://127.0.0.1:9', 'x=1'])).toMatchObject({ code: 1, stdout: '' });
  });

  it('ends with 2 for a command line that cannot be right', async () => {
    for (const args of [['x=1'], ['localhost:5', 'x=1'], [server.url], [server.url, '--version', '1', 'x=1']])
      expect(await runCommand(['infer', ...args])).toMatchObject({ code: 2, stdout: '' });
  });
});
