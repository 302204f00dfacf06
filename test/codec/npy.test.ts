/** .npy arrays and .npz files, compared with files that Python's own zipfile made and with headers written by hand. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { decodeNpy, encodeNpy, isNpy } from '../../src/codec/numpy/npy.ts';
import { decodeNpz, encodeNpzAnswer } from '../../src/codec/numpy/npz.ts';
import type { TypedTensor } from '../../src/codec/wire.ts';
import { ServingError } from '../../src/errors.ts';
import { type Dtype, dtypes } from '../../src/tensors/dtypes.ts';
import { createTensor, disposeTensors } from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import { limits, refusal } from '../fixtures/codec.ts';
import { overlappingNpz } from '../fixtures/overlapping-npz.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

/** A file of format 1 or 2 with this header. */
function npy(dict: string, data: Uint8Array, version = 1): Uint8Array {
  const header = Buffer.from(`${dict}\n`, 'latin1');
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUInt16LE(header.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.of(version, 0), length, header, data]);
}

function simple(descr: string, shape: string, data: Uint8Array, isColumnMajor = false): Uint8Array {
  const order = isColumnMajor ? 'True' : 'False';
  return npy(`{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`, data);
}

const read = (file: Uint8Array, by = limits) => decodeNpy('x', file, by);
const texts = ({ data }: TypedTensor) =>
  (data as readonly Uint8Array[]).map((bytes) => Buffer.from(bytes).toString());

describe('.npy', () => {
  it.each(Object.keys(dtypes) as Dtype[])('%s comes back, of every rank and empty', (dtype) => {
    for (const shape of [[], [3], [2, 0], [2, 3, 1]]) {
      const count = shape.reduce((product, dim) => product * dim, 1);
      const data =
        dtype === 'string'
          ? Array.from({ length: count }, (_, i) => Uint8Array.from(Buffer.from('é'.repeat(i))))
          : Uint8Array.from({ length: count * dtypes[dtype].size }, (_, i) =>
              dtype === 'bool' ? i % 2 : 7 * i,
            );
      const file = Buffer.concat([...encodeNpy('x', { dtype, shape, data }).pieces()]);
      expect(isNpy(file)).toBe(true);
      // The values begin where NumPy's own files have them.
      expect(file.indexOf('\n') % 64).toBe(63);
      const back = read(file);
      expect([back.dtype, back.shape]).toEqual([dtype, shape]);
      if (dtype === 'string')
        expect(texts(back)).toEqual(Array.from({ length: count }, (_, i) => 'é'.repeat(i)));
      else expect(Buffer.from(back.data as Uint8Array)).toEqual(Buffer.from(data as Uint8Array));
    }
  });

  it('values in row-major little-endian order are a view on the file', () => {
    const file = simple('<f4', '(2,)', new Uint8Array(8));
    expect((read(file).data as Uint8Array).buffer).toBe(file.buffer);
  });

  it('of column-major and big-endian arrays the values are put in order', () => {
    const columns = read(simple('|u1', '(2, 3)', Uint8Array.of(1, 4, 2, 5, 3, 6), true));
    expect([columns.shape, [...(columns.data as Uint8Array)]]).toEqual([
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ]);
    const big = read(simple('>u2', '(2,)', Uint8Array.of(1, 2, 3, 4)));
    expect([...(big.data as Uint8Array)]).toEqual([2, 1, 4, 3]);
    const complex = read(simple('>c8', '()', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
    expect([...(complex.data as Uint8Array)]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
    const strings = read(simple('|S1', '(2, 2)', Buffer.from('acbd'), true));
    expect(texts(strings)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('texts of four bytes a character become UTF-8', () => {
    const codes = Uint32Array.of(0x1f600, 0, 0x61, 0xe9);
    expect(texts(read(simple('<U2', '(2,)', new Uint8Array(codes.buffer))))).toEqual(['😀', 'aé']);
    const big = Uint8Array.of(0, 0, 0, 0x61, 0, 0, 0, 0);
    expect(texts(read(simple('>U2', '()', big)))).toEqual(['a']);
  });

  it('format 2 has a longer length', () => {
    const dict = "{'descr': '|i1', 'fortran_order': False, 'shape': (1,), }";
    expect(read(npy(dict, Uint8Array.of(5), 2)).data).toEqual(Buffer.of(5));
  });

  it.each<[name: string, file: Uint8Array, message: RegExp]>([
    [
      'objects',
      simple('|O', '(1,)', Buffer.from('cos\nsystem\n')),
      /Python objects, which are never decoded/,
    ],
    [
      'structures',
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", new Uint8Array(4)),
      /a structured array/,
    ],
    ['dates', simple('<M8[ns]', '(1,)', new Uint8Array(8)), /`<M8\[ns\]`, which no tensor has/],
    ['wide floats', simple('<f16', '(1,)', new Uint8Array(16)), /`<f16`, which no tensor has/],
    ['too few values', simple('<f4', '(2,)', new Uint8Array(7)), /expected 8 bytes for float32 \[2\], got 7/],
    ['too many values', simple('<f4', '(2,)', new Uint8Array(9)), /got 9/],
    [
      'too few strings',
      simple('|S3', '(2,)', new Uint8Array(5)),
      /expected 6 bytes for 2 strings of 3, got 5/,
    ],
    ['no character', simple('<U1', '(1,)', Uint8Array.of(255, 255, 255, 255)), /no character 4294967295/],
    ['another format', npy('{}', new Uint8Array(0), 4), /format 4/],
    ['no shape', npy("{'descr': '<f4', 'fortran_order': False}", new Uint8Array(0)), /cannot be read/],
    [
      'a header beyond the end',
      simple('<f4', '(2,)', new Uint8Array(8)).subarray(0, 40),
      /ends within its .npy header/,
    ],
    ['nothing but the name', Buffer.from('\x93NUMPY', 'latin1'), /no .npy file/],
    ['another file', Buffer.from('PK\x03\x04 and more'), /no .npy file/],
    [
      'a shape beyond all memory',
      simple('<f4', '(4294967296, 4294967296)', new Uint8Array(0)),
      /more elements/,
    ],
  ])('%s are refused', (_, file, message) => {
    expect(refusal(() => read(file))).toMatch(message);
  });

  it('strings that NumPy would change are not written', () => {
    const view = (...data: Uint8Array[]) => ({ dtype: 'string' as const, shape: [data.length], data });
    expect(refusal(() => encodeNpy('y', view(Uint8Array.of(1, 0))))).toMatch(/ends with a zero byte/);
    const one = Array.from({ length: 1000 }, () => new Uint8Array(0));
    expect(refusal(() => encodeNpy('y', view(new Uint8Array(1e6).fill(1), ...one)))).toMatch(
      /different lengths/,
    );
  });
});

/** What Python prints to its standard output. */
function python(program: string): Buffer {
  return execFileSync(
    'python3',
    ['-c', `import io, sys, warnings, zipfile\nwarnings.simplefilter('ignore')\n${program}`],
    { maxBuffer: 2 ** 26 },
  );
}

const pythonArray = (values: number) =>
  `b"\\x93NUMPY\\x01\\x00" + (118).to_bytes(2, "little") + b"{'descr': '|u1', 'fortran_order': False, 'shape': (${values},), }".ljust(117) + b"\\n" + bytes(${values})`;

function zipped(
  method: 'ZIP_STORED' | 'ZIP_DEFLATED' | 'ZIP_BZIP2',
  values: number,
  ...names: string[]
): Buffer {
  return python(`
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.${method}) as z:
    for name in ${JSON.stringify(names)}:
        with z.open(zipfile.ZipInfo(name), "w", force_zip64=True) if "${method}" == "ZIP_STORED" else io.BytesIO() as f:
            f.write(${pythonArray(values)})
        if "${method}" != "ZIP_STORED": z.writestr(name, ${pythonArray(values)})
sys.stdout.buffer.write(out.getvalue())`);
}

const noClaim = () => {};

async function failure(file: Uint8Array, claim: (bytes: number) => void = noClaim): Promise<string> {
  const error = await decodeNpz('the body', file, limits, claim).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ServingError);
  expect((error as ServingError).code).toBe('INVALID_ARGUMENT');
  return (error as ServingError).message;
}

describe('.npz', () => {
  it.each(['ZIP_STORED', 'ZIP_DEFLATED'] as const)('%s, as Python writes it', async (method) => {
    const arrays = await decodeNpz('x', zipped(method, 5, 'a.npy', 'ü/b.npy'), limits, noClaim);
    expect([...arrays.keys()]).toEqual(['a', 'ü/b']);
    for (const { dtype, shape, data } of arrays.values())
      expect([dtype, shape, [...(data as Uint8Array)]]).toEqual(['uint8', [5], [0, 0, 0, 0, 0]]);
  });

  it('what it unpacks to is claimed before it is made', async () => {
    const file = zipped('ZIP_DEFLATED', 10_000_000, 'a.npy');
    expect(file.length).toBeLessThan(20_000);
    let claimed = 0;
    await decodeNpz('x', file, limits, (bytes) => {
      claimed += bytes;
    });
    expect(claimed).toBe(10_000_000 + 128);
    const full = new ServingError('PAYLOAD_TOO_LARGE', 'no room');
    const refused = decodeNpz('x', file, limits, () => {
      throw full;
    });
    await expect(refused).rejects.toBe(full);
  });

  it('is damaged in any place: refused, or what it was', async () => {
    const file = zipped('ZIP_DEFLATED', 300, 'a.npy');
    for (let place = 0; place < file.length; place++) {
      const damaged = Buffer.from(file);
      damaged[place] = (damaged[place] as number) ^ 0x11;
      const arrays = await decodeNpz('x', damaged, limits, noClaim).catch((error: unknown) => {
        expect(error).toBeInstanceOf(ServingError);
        return undefined;
      });
      for (const { data } of arrays?.values() ?? [])
        expect([...(data as Uint8Array)]).toEqual(Array(300).fill(0));
    }
    for (let length = 0; length < file.length; length++) await failure(file.subarray(0, length));
  });

  it('says more than is there, or less', async () => {
    const file = zipped('ZIP_DEFLATED', 300, 'a.npy');
    const directory = file.indexOf('PK\x01\x02', 0, 'latin1');
    for (const size of [0, 299 + 128, 301 + 128]) {
      const lying = Buffer.from(file);
      lying.writeUInt32LE(size, directory + 24);
      expect(await failure(lying)).toMatch(/^the body: /);
    }
  });

  it.each<[string, () => Buffer, RegExp]>([
    ['a method other than deflate', () => zipped('ZIP_BZIP2', 5, 'a.npy'), /compressed by method 12/],
    ['a file that is no array', () => zipped('ZIP_DEFLATED', 5, 'a.txt'), /`a.txt` in it is no .npy file/],
    ['a name twice', () => zipped('ZIP_DEFLATED', 5, 'a.npy', 'a.npy'), /`a` comes twice/],
    [
      'more arrays than any model has inputs',
      () => zipped('ZIP_DEFLATED', 1, ...Array.from({ length: 1025 }, (_, i) => `${i}.npy`)),
      /more than 1024 arrays/,
    ],
    ['no zip', () => Buffer.from('PK and nothing more'), /^the body: /],
  ])('%s is refused', async (_, file, message) => {
    expect(await failure(file())).toMatch(message);
  });

  it('answers are read by Python, with every check sum', () => {
    const outputs = new Map([
      ['y', createTensor('float32', [2], new Uint8Array(Float32Array.of(1.5, -2).buffer))],
      ['ü/b', createTensor('string', [1], [Buffer.from('text')])],
      [
        'many',
        createTensor(
          'string',
          [9000],
          Array.from({ length: 9000 }, (_, i) => Buffer.from(`${i}`)),
        ),
      ],
    ]);
    const { parts, byteLength } = wholeBody(
      encodeNpzAnswer({ model: 'm', version: 1, generation: 1, outputs }),
    );
    const file = Buffer.concat(parts);
    disposeTensors(outputs);
    expect(file.length).toBe(byteLength);
    const names = execFileSync(
      'python3',
      [
        '-c',
        'import io, sys, zipfile\nz = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\nassert z.testzip() is None\nprint(z.namelist(), z.read("y.npy")[-8:].hex(), z.read("ü/b.npy")[-4:], z.read("many.npy")[-8:])',
      ],
      { input: file, encoding: 'utf8', env: { ...process.env, PYTHONIOENCODING: 'utf8' } },
    );
    expect(names).toBe("['y.npy', 'ü/b.npy', 'many.npy'] 0000c03f000000c0 b'text' b'89988999'\n");
  });
});

describe('headers in the ways that NumPy reads', () => {
  it.each([
    ['double quotes', '{"descr": "<i2", "fortran_order": False, "shape": (2,)}'],
    ['tabs and no spaces', "{\t'descr':'<i2',\t'fortran_order':False,'shape':\t(2,),\t}"],
    ['long integers of Python 2', "{'descr': '<i2', 'fortran_order': False, 'shape': (2L,), }"],
    ['another order', "{'shape': (2,), 'fortran_order': False, 'descr': '<i2'}"],
  ])('%s', (_, dict) => {
    expect(read(npy(dict, Uint8Array.of(1, 0, 2, 0)))).toMatchObject({ dtype: 'int16', shape: [2] });
  });

  it.each([
    ['a key too many', "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), 'xshape': (3,)}"],
    ['a key twice', "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}"],
    ['a shape that is no tuple', "{'descr': '<i2', 'fortran_order': False, 'shape': (2)}"],
    ['a list for a shape', "{'descr': '<i2', 'fortran_order': False, 'shape': [2]}"],
    ['a shape within a text', "{'descr': '<i2', 'fortran_order': False, 'x': \"'shape': (2,)\"}"],
    ['no end', "{'descr': '<i2', 'fortran_order': False, 'shape': (2,)"],
    ['more behind', "{'descr': '<i2', 'fortran_order': False, 'shape': (2,)} + 1"],
    ['no dict', '(2,)'],
    ['a fraction', "{'descr': '<i2', 'fortran_order': False, 'shape': (2.0,)}"],
  ])('refused: %s', (_, dict) => {
    expect(refusal(() => read(npy(dict, Uint8Array.of(1, 0, 2, 0))))).toMatch(
      /header that cannot be read: expected/,
    );
  });
});

it('a .npz whose entries share bytes is refused before any is unpacked', async () => {
  const array = simple('>u2', '(2,)', Uint8Array.of(0, 1, 0, 2));
  const claimed: number[] = [];
  const claim = (bytes: number) => claimed.push(bytes);
  await expect(decodeNpz('x', overlappingNpz(1, array), limits, claim)).resolves.toHaveProperty('size', 1);
  await expect(decodeNpz('x', overlappingNpz(2, array), limits, claim)).rejects.toThrow(
    /arrays in it overlap/,
  );
  expect(claimed).toEqual([]);
});

it.each(['x:0', '/a', '../x', 'a\\b', 'ü'])('a .npz may have an array called %s', async (name) => {
  const arrays = await decodeNpz('x', zipped('ZIP_DEFLATED', 5, `${name}.npy`), limits, noClaim);
  expect([...arrays.keys()]).toEqual([name]);
});
