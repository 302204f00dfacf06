/**
 * Files in the wrong place, and names of files in place of their content: the error says what came, and how to send it.
 */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { adviceOnBody } from '../../src/codec/foreign-body.ts';
import { decodeForm, type FormPart } from '../../src/codec/form/decode.ts';
import { toTensors } from '../../src/codec/infer-body.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import { toTensor } from '../../src/codec/wire.ts';
import type { Dim } from '../../src/engines/signature.ts';
import { runInTurns } from '../../src/flow/turns.ts';
import type { Dtype } from '../../src/tensors/dtypes.ts';
import { disposeTensors, viewTensor } from '../../src/tfjs/tensors.ts';
import { bytes, map, tag } from '../fixtures/cbor.ts';
import { limits, makeSignature, refusal, refusalOf } from '../fixtures/codec.ts';
import { colours, gif, png } from '../fixtures/images.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

const photo = png(2, 2, (i) => colours[i] as number);
const pixels: readonly Dim[] = [null, null, null, 3];

async function partAs(part: Partial<FormPart>, dtype: Dtype, shape: readonly Dim[] | null) {
  const whole = { name: 'image', fileName: 'photo.png', mediaType: undefined, bytes: photo, ...part };
  const { inputs } = await runInTurns(decodeForm([whole], limits, () => {}));
  const wire = inputs.get('image');
  if (!wire) throw new Error('no input');
  const tensor = await runInTurns(
    toTensor(wire, { name: 'image', dtype, shape, graphName: 'i:0' }, limits, () => {}),
  );
  const { dtype: made, shape: of } = viewTensor(tensor);
  tensor.dispose();
  return [made, of];
}

function refusedAs(body: Uint8Array, dtype: Dtype, shape: readonly Dim[] | null, isJson = false): string {
  return refusal(() => {
    const request = isJson ? decodeJsonRequest(body, limits) : decodeInferRequest(body, limits);
    disposeTensors(toTensors(request, makeSignature({ image: [dtype, shape] }), limits));
  });
}

describe('an image of another size', () => {
  it.each<[shape: readonly Dim[], message: string]>([
    [
      [null, 32, 48, 3],
      'expected an image with a height of 32 and a width of 48, got 2 and 2. Images are not resized',
    ],
    [[null, null, 48, 1], 'expected an image with a height of any size and a width of 48, got 2 and 2.'],
    [[null, 28, 28], 'expected an image with a height of 28 and a width of 28, got 2 and 2.'],
  ])('for %j is told to be resized', async (shape, message) => {
    const told = await refusalOf(partAs({}, 'uint8', shape));
    expect(told).toContain(`input \`image\`: ${message}`);
    expect(told).toContain('examples/handlers/resize');
  });

  it('passes where the sizes are open', async () => {
    expect(await partAs({}, 'uint8', [null, null, 2, 3])).toEqual(['uint8', [2, 2, 3]]);
    expect(await partAs({}, 'float32', pixels)).toEqual(['float32', [2, 2, 3]]);
  });
});

describe('a file that is no image', () => {
  const text = (content: string) => new TextEncoder().encode(content);
  it.each<[fileName: string, content: Uint8Array, what: string]>([
    ['empty.png', text(''), 'an empty file'],
    ['favicon.ico', Uint8Array.of(0, 0, 1, 0, 1), 'ICO'],
    ['page.png', text('<!DOCTYPE html><html>'), 'an HTML page'],
    ['model.pkl', Uint8Array.of(0x80, 4, 0x2e), 'a Python pickle'],
    ['data.bin', text('what'), 'a file of an unknown kind'],
    ['photo.webp', text('RIFF0000WEBP'), 'WebP'],
  ])('%s is named as what it is', async (fileName, content, what) => {
    for (const [dtype, shape] of [
      ['uint8', pixels],
      ['float32', [null, 4]],
    ] as const) {
      const told = await refusalOf(partAs({ fileName, bytes: content }, dtype, shape));
      expect(told).toContain('input `image`: expected ');
      expect(told).toContain('JPEG, PNG, GIF');
      expect(told).toContain(what);
      if (!/ico|webp/.test(fileName)) expect(told).toContain(`got \`${fileName}\`, ${what}`);
    }
  });

  it('is taken by inputs of bytes and of strings', async () => {
    const file = { fileName: 'data.bin', bytes: text('what') };
    for (const shape of [[null], [4]]) expect(await partAs(file, 'uint8', shape)).toEqual(['uint8', [4]]);
    expect(await partAs(file, 'string', [null])).toEqual(['string', []]);
    expect(await refusalOf(partAs(file, 'uint8', [5]))).toContain('`data.bin`');
    const portable = { fileName: 'photo.ppm', bytes: text('P6\n1 1\n255\n123') };
    expect(await partAs(portable, 'uint8', [null])).toEqual(['uint8', [14]]);
    expect(await partAs(portable, 'string', null)).toEqual(['string', []]);
  });

  it.each<[shape: readonly Dim[] | null]>([[[null, 4]], [[null, null]], [null]])(
    'never becomes pixels of %j',
    async (shape) => {
      const image = 'input `image`: expected JPEG, PNG, GIF or BMP, got ';
      const asFile = (content: string) =>
        refusalOf(partAs({ fileName: 'photo', bytes: text(content) }, 'uint8', shape));
      expect(await asFile('P6\n1 1\n255\n123')).toBe(`${image}PPM`);
      expect(await asFile('qoif')).toBe(`${image}QOI`);
      expect(await asFile('what')).toContain('expected a file that is an image (JPEG, PNG, GIF, BMP)');
    },
  );
});

describe('the bytes of a file as a value', () => {
  const asForm =
    "send it as a form, curl -F 'image=@photo.png', or as the body with -H 'content-type: image/png'";

  it.each<[what: string, body: Uint8Array, isJson: boolean]>([
    ['a byte string of CBOR', map({ image: bytes(photo) }), false],
    ['a typed array of CBOR', map({ image: tag(64, bytes(photo)) }), false],
    [
      'base64 of JSON',
      Buffer.from(JSON.stringify({ image: { b64: Buffer.from(photo).toString('base64') } })),
      true,
    ],
  ])('is told to be sent as a file: %s', (_, body, isJson) => {
    for (const [dtype, shape] of [
      ['uint8', pixels],
      ['float32', [null, 2, 2, 3]],
    ] as const) {
      const told = refusedAs(body, dtype, shape, isJson);
      expect(told).toContain(`input \`image\`: expected ${dtype} [`);
      expect(told).toContain(`got the bytes of a PNG image: ${asForm}`);
    }
  });

  it('is taken where the signature takes bytes', () => {
    const request = () => decodeInferRequest(map({ image: bytes(photo) }), limits);
    for (const [dtype, shape] of [
      ['uint8', [null]],
      ['uint8', null],
      ['string', [null]],
    ] as const)
      disposeTensors(toTensors(request(), makeSignature({ image: [dtype, shape] }), limits));
  });
});

it.each(['photo.jpg', 'my/photo.PNG', ' cat.webp'])(
  'the name %j for numbers: an @ is missing',
  async (name) => {
    const told = await refusalOf(
      partAs({ fileName: undefined, bytes: new TextEncoder().encode(name) }, 'uint8', pixels),
    );
    expect(told).toContain(`got the name of a file: did you mean -F \`image=@${name.trim()}\`?`);
    expect(refusedAs(Buffer.from(JSON.stringify({ image: name })), 'float32', [null], true)).toContain(
      `did you mean -F \`image=@${name.trim()}\`?`,
    );
  },
);

it('a text that is no name of a file says so as before', () => {
  expect(refusedAs(Buffer.from('{"image": "hello there.jpg"}'), 'float32', [null], true)).toContain(
    'got a text',
  );
});

describe('a body of another kind', () => {
  it.each<[body: Uint8Array | string, advice: string | undefined]>([
    [
      photo,
      "the body is a PNG image: send it with -H 'content-type: image/png', or as a form, curl -F 'x=@photo.png'",
    ],
    [gif(), 'content-type: image/gif'],
    [gzipSync('{"x": 1}'), "the body is a gzip file: for a compressed body add -H 'content-encoding: gzip'"],
    ['ok.json', 'the body is the name of a file, not its contents: did you mean -d @ok.json?'],
    ['photo.jpg', "did you mean -F 'x=@photo.jpg'?"],
    ['a.npy', "did you mean -H 'content-type: application/x-npy' --data-binary @a.npy?"],
    ['<html><body>', 'the body is an HTML page: expected JSON, CBOR'],
    ['x=1', undefined],
    ['{"x": 1}', undefined],
  ])('%# is recognised', (body, advice) => {
    const told = adviceOnBody(typeof body === 'string' ? Buffer.from(body) : body, 'x');
    if (advice === undefined) expect(told).toBeUndefined();
    else expect(told).toContain(advice);
  });

  it.each([gzipSync('{"x": 1}'), photo, Buffer.from('ok.json')])('%# is told as JSON and as CBOR', (body) => {
    const advice = adviceOnBody(body, 'NAME');
    expect(refusal(() => decodeJsonRequest(body, limits))).toBe(advice);
    expect(refusal(() => decodeInferRequest(body, limits))).toBe(advice);
  });
});
