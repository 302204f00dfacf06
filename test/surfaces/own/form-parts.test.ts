/**
 * Forms as clients write them, down to the tensors that they become.
 */
import { describe, expect, it } from 'vitest';
import { decodeForm } from '../../../src/codec/form/decode.ts';
import { tensorsInSteps } from '../../../src/codec/infer-body.ts';
import { encodeNpzAnswer } from '../../../src/codec/numpy/npz.ts';
import type { Dim } from '../../../src/engines/signature.ts';
import { claimNothing } from '../../../src/flow/steps.ts';
import { runInTurns } from '../../../src/flow/turns.ts';
import { readForm } from '../../../src/surfaces/own/form.ts';
import type { Dtype } from '../../../src/tensors/dtypes.ts';
import { bounds } from '../../../src/tensors/limits.ts';
import { createTensor, disposeTensors, viewTensor } from '../../../src/tfjs/tensors.ts';
import { wholeBody } from '../../fixtures/answer-body.ts';
import { limits, makeSignature, refusalOf } from '../../fixtures/codec.ts';
import { openRuntimeForTests } from '../../fixtures/runtime.ts';

openRuntimeForTests();

const typeOf = (boundary: string) => `multipart/form-data; boundary=${boundary}`;

function read(text: string, boundary = 'b') {
  return readForm(typeOf(boundary), Buffer.from(text, 'latin1'), claimNothing);
}

/** A field without a file. */
function field(value: string, boundary = 'b', more = ''): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="x"\r\n${more}\r\n${value}\r\n--${boundary}--\r\n`;
}

/** The tensor x of a form, by hand written in Latin-1. */
async function x(text: string, dtype: Dtype, shape: readonly Dim[] | null = null) {
  const request = await runInTurns(decodeForm(await read(text), limits, claimNothing));
  const signature = makeSignature({ x: [dtype, shape] });
  const tensors = await runInTurns(tensorsInSteps(request, signature, limits, claimNothing));
  try {
    const tensor = tensors.get('x');
    if (!tensor) throw new Error('no x');
    const { data, shape: came } = viewTensor(tensor);
    return {
      shape: came,
      data: data instanceof Uint8Array ? [...data] : [...data].map((each) => Buffer.from(each).toString()),
    };
  } finally {
    disposeTensors(tensors);
  }
}

describe('parts', () => {
  it.each(['json', '----WebKitFormBoundaryAaJSONbb', 'octet-stream', 'urlencoded', '"a b"'])(
    'are read with the boundary %s',
    async (boundary) => {
      const parts = await read(field('1', boundary.replaceAll('"', '')), boundary);
      expect(parts.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([['x', '1']]);
    },
  );

  it.each([
    ['with digits', 'Content-MD5: Q2hlY2s=\r\n'],
    ['of any name', 'X-1_2.3: é\r\n'],
    ['of one letter', 'a:\r\n'],
  ])('have headers %s', async (_, header) => {
    const [part] = await read(field('1', 'b', header));
    expect(part?.name).toBe('x');
  });

  it('have headers that are folded', async () => {
    const [part] = await read('--b\r\nContent-Disposition: form-data;\r\n name="x"\r\n\r\n1\r\n--b--\r\n');
    expect(part?.name).toBe('x');
  });

  /** As formidable's, busboy's, python-multipart's and werkzeug's tests have them. */
  it.each([
    ['after a preamble', 'b', `preamble\r\n${field('1')}`],
    ['after an empty line', 'b', `\r\n${field('1')}`],
    ['before an epilogue', 'b', `${field('1')}epilogue`],
    ['without a line break at the end', 'b', field('1').slice(0, -2)],
    ['with a boundary of 200 letters', 'b'.repeat(200), field('1', 'b'.repeat(200))],
    ['with a boundary of signs', "'()+_,-./:=?", field('1', "'()+_,-./:=?")],
    ['with a quoted boundary', '"a;b=\\"c"', field('1', 'a;b="c')],
    ['with a parameter behind the boundary', 'b; charset=utf-8', field('1')],
    ['in small letters without spaces', 'b', '--b\r\ncontent-disposition:form-data;name=x\r\n\r\n1\r\n--b--'],
    ['in capitals', 'b', '--b\r\nCONTENT-DISPOSITION: FORM-DATA; NAME="x"\r\n\r\n1\r\n--b--'],
    ['with a type before', 'b', field('1').replace('\r\n', '\r\nContent-Type: text/plain\r\n')],
    ['with a length', 'b', field('1', 'b', 'Content-Length: 1\r\n')],
    ['that say that they are binary', 'b', field('1', 'b', 'Content-Transfer-Encoding: Binary\r\n')],
    ['with an encoded name', 'b', field('1').replace('name="x"', "name*=UTF-8''x")],
  ])('are read %s', async (_, boundary, text) => {
    const parts = await read(text, boundary);
    expect(parts.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([['x', '1']]);
  });

  it.each([
    ['"a.json"', 'a.json'],
    ['"a;b.json"', 'a;b.json'],
    ['"a\\"b.json"', 'a"b.json'],
    ['"C:\\dir\\a.json"', 'C:\\dir\\a.json'],
    ['"\xc3\xa9"', 'é'],
    ['""', ''],
  ])('have files called %s', async (written, name) => {
    const [part] = await read(field('1').replace('name="x"', `name="x"; filename=${written}`));
    expect(part?.fileName).toBe(name);
  });

  it.each(['%e2%82%ac.json', 'a.json'])("have files called filename*=UTF-8''%s", async (written) => {
    const [part] = await read(field('1').replace('name="x"', `name="x"; filename*=UTF-8''${written}`));
    expect(part?.fileName).toBe(decodeURIComponent(written));
  });

  it.each(['base64', 'quoted-printable'])('in %s are refused', async (encoding) => {
    expect(await refusalOf(read(field('MQ==', 'b', `Content-Transfer-Encoding: ${encoding}\r\n`)))).toBe(
      `expected parts of the form as they are, got one with content-transfer-encoding \`${encoding}\``,
    );
  });

  it.each([
    ['of another boundary', field('1', 'c')],
    ['with bare line feeds', field('1').replaceAll('\r\n', '\n')],
  ])('%s have no end', async (_, text) => {
    expect(await refusalOf(read(text))).toBe(
      'the form cannot be read: it ends before the line of two dashes, the boundary and two dashes',
    );
  });

  it.each(['', 'Content-Type: text/plain\r\n', 'Content-Disposition: attachment; name="x"\r\n'])(
    'with the headers %j are no fields, and the form says what is',
    async (headers) => {
      const form = read(`--b\r\n${headers}\r\n1\r\n--b--\r\n`);
      const request = form.then((parts) => runInTurns(decodeForm(parts, limits, claimNothing)));
      expect(await refusalOf(request)).toBe(
        'the form is empty: send a field for each input, with content-disposition: form-data; name="…"',
      );
    },
  );

  it.each(['', '\r\n', '--b--', '--b--\r\n', '\r\n--b--\r\n'])('may be none: %j', async (text) => {
    expect(await read(text)).toEqual([]);
    const empty = read(text).then((parts) => runInTurns(decodeForm(parts, limits, claimNothing)));
    expect(await refusalOf(empty)).toMatch(/the form is empty/);
  });

  it('are views on the body, and may hold what looks like a boundary', async () => {
    const content = '\r\n--\r\n--bb\r\r\n-'.repeat(1000);
    const [part] = await readForm(typeOf('bbb'), Buffer.from(field(content, 'bbb')), claimNothing);
    expect(Buffer.from(part?.bytes ?? []).toString('latin1')).toBe(content);
    const body = Buffer.from(field('1234'.repeat(50_000)));
    const [view] = await readForm(typeOf('b'), body, claimNothing);
    expect([view?.bytes.buffer === body.buffer, view?.bytes.length]).toEqual([true, 200_000]);
  });

  it('are bounded, in number and in the size of their headers', async () => {
    const part = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n';
    expect(await read(`${part.repeat(bounds.formParts.most)}--b--\r\n`)).toHaveLength(bounds.formParts.most);
    expect(await refusalOf(read(`${part.repeat(bounds.formParts.most + 1)}--b--\r\n`))).toMatch(
      /more than 1000 parts/,
    );
    expect(await refusalOf(read(`${'--b\r\n\r\n\r\n'.repeat(2000)}--b--\r\n`))).toMatch(
      /more than 1000 parts/,
    );
  });

  it('need a name, an end and a boundary', async () => {
    expect(await refusalOf(read('--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n'))).toMatch(
      /no name/,
    );
    expect(await refusalOf(read(field('1').slice(0, -8)))).toMatch(/cannot be read: .*end/i);
    expect(await refusalOf(readForm('multipart/form-data', Buffer.from(field('1')), claimNothing))).toMatch(
      /no boundary/,
    );
  });
});

describe('a value', () => {
  it('of numbers with commas is a list, as pages write it', async () => {
    expect(await x(field('1, 2,3'), 'uint8')).toEqual({ shape: [3], data: [1, 2, 3] });
    expect(await x(field('7'), 'uint8')).toEqual({ shape: [], data: [7] });
    expect(await x(field('1,2'), 'string')).toEqual({ shape: [], data: ['1,2'] });
  });

  it('may begin with a byte order mark', async () => {
    const mark = '\xef\xbb\xbf';
    expect(await x(field(`${mark}[1, 2]`), 'uint8')).toEqual({ shape: [2], data: [1, 2] });
    expect(await x(field(`${mark}5`), 'uint8')).toEqual({ shape: [], data: [5] });
    expect(await x(field(`${mark}text`), 'string')).toEqual({ shape: [], data: ['text'] });
  });

  it('must be UTF-8, as a .json file must', async () => {
    expect(await refusalOf(x(field('caf\xe9'), 'string'))).toMatch(/input `x` is a text that is not UTF-8/);
    expect(await refusalOf(x(field('["caf\xe9"]'), 'string'))).toMatch(/a text is not UTF-8/);
    const file = field('["caf\xe9"]').replace('name="x"', 'name="x"; filename="x.json"');
    expect(await refusalOf(x(file, 'string'))).toMatch(/a text is not UTF-8/);
    expect(await x(field('caf\xc3\xa9'), 'string')).toEqual({ shape: [], data: ['café'] });
  });

  it('that is an image in another format is told so', async () => {
    const file = field('RIFF....WEBPVP8 ').replace('name="x"', 'name="x"; filename="x.webp"');
    expect(await refusalOf(x(file, 'uint8', [null, 2, 2, 3]))).toMatch(
      /expected JPEG, PNG, GIF or BMP, got WebP/,
    );
  });
});

describe('a long form', () => {
  const piece = 2 ** 18;

  /** What its tensors claim, and how often making them pauses. */
  async function work(text: string, dtype: Dtype) {
    const claims: number[] = [];
    const claim = (bytes: number) => claims.push(bytes);
    const request = await runInTurns(decodeForm(await read(text), limits, claim));
    const steps = tensorsInSteps(request, makeSignature({ x: [dtype, null] }), limits, claim);
    let pauses = 0;
    for (;;) {
      const { done, value } = steps.next();
      if (done) {
        disposeTensors(value);
        return { claims, pauses };
      }
      pauses += 1;
    }
  }

  it('checks a text piece by piece', async () => {
    const { pauses } = await work(field('\xc3\xa9'.repeat(4 * piece)), 'string');
    expect(pauses).toBeGreaterThanOrEqual(7);
    await expect(work(field(`${'a'.repeat(4 * piece)}\xff`), 'string')).rejects.toThrow('not UTF-8');
  });

  it('claims the list that it makes of numbers', async () => {
    const value = `1,${' '.repeat(2000)}`.repeat(300);
    expect((await work(field(`${value}2`), 'float32')).claims[0]).toBe(value.length + 1);
  });

  it('has names of up to 4,096 bytes', async () => {
    const named = (length: number) => field('1').replace('"x"', `"${'a'.repeat(length)}"`);
    expect(await read(named(4096))).toHaveLength(1);
    expect(await refusalOf(read(named(4097)))).toBe('the name of a part has more than 4096 bytes');
  });

  it('has up to 4,096 inputs, however many files they come in', async () => {
    const parts = Array.from({ length: 5 }, (_, file) => {
      const outputs = Array.from({ length: 1000 }, (_, i) => {
        const tensor = createTensor('uint8', [1], Uint8Array.of(1));
        return [`${file}_${i}`, tensor] as const;
      });
      const answer = { ...{ model: 'm', version: 1, generation: 1 }, outputs: new Map(outputs) };
      const bytes = Buffer.concat(wholeBody(encodeNpzAnswer(answer)).parts);
      disposeTensors(answer.outputs);
      return { name: 'any', fileName: 'a.npz', mediaType: undefined, bytes };
    });
    const decoded = async (count: number) =>
      runInTurns(decodeForm(parts.slice(0, count), limits, claimNothing));
    expect((await decoded(4)).inputs.size).toBe(4000);
    expect(await refusalOf(decoded(5))).toBe('the form has more than 4096 inputs: name each input once');
  });
});
