/**
 * Every dtype comes in as CBOR, serves a tf.js operation under the dtype that tf.js sees, keeps its raw bytes, runs,
 * and leaves as the same bytes. Nothing of it is left behind.
 */
import type { Tensor4D } from '@tensorflow/tfjs-node-gpu';
import { Decoder, Tag } from 'cbor-x';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../../src/codec/cbor/decode.ts';
import { encodeCborAnswer } from '../../../src/codec/cbor/encode.ts';
import { toTensors } from '../../../src/codec/infer-body.ts';
import type { InferenceModel } from '../../../src/engines/inference-model.ts';
import type { Runtime } from '../../../src/engines/tensorflow/runtime.ts';
import { ServingError } from '../../../src/errors.ts';
import { type Dtype, dtypes } from '../../../src/tensors/dtypes.ts';
import { type TensorFlowJs, tensorFlowJs } from '../../../src/tfjs/open.ts';
import {
  createTensor,
  disposeTensors,
  type NamedTensors,
  type Tensor,
  viewTensor,
} from '../../../src/tfjs/tensors.ts';
import { wholeBody } from '../../fixtures/answer-body.ts';
import { array, bytes, described, hex, int, ints, list, map, tag, text } from '../../fixtures/cbor.ts';
import { limits } from '../../fixtures/codec.ts';
import { held, loadTestModel, openTestRuntime, signatureOf } from '../../fixtures/runtime.ts';

/** Four elements, as raw little-endian bytes, and what a tf.js op sees of them. */
interface Row {
  readonly dtype: Dtype;
  readonly raw: readonly string[];
  readonly seenAs: string;
  readonly seen: readonly number[];
  /** The tag of its typed array (RFC 8746); none: `{dtype, shape, data}`. */
  readonly typedArray?: number;
}

const quarter = [0, 0.25, 0.5, 0.75];

const table: readonly Row[] = [
  { dtype: 'bool', raw: ['01', '00', '00', '01'], seenAs: 'bool', seen: [1, 0, 0, 1] },
  { dtype: 'int8', raw: ['80', 'ff', '00', '7f'], seenAs: 'int32', seen: [-128, -1, 0, 127], typedArray: 72 },
  {
    dtype: 'int16',
    raw: ['0080', 'ffff', '0100', 'ff7f'],
    seenAs: 'int32',
    seen: [-32768, -1, 1, 32767],
    typedArray: 77,
  },
  {
    dtype: 'int32',
    raw: ['00000080', 'ffffffff', '01000000', 'ffffff7f'],
    seenAs: 'int32',
    seen: [-(2 ** 31), -1, 1, 2 ** 31 - 1],
    typedArray: 78,
  },
  {
    dtype: 'int64',
    raw: ['00000080ffffffff', 'ffffffffffffffff', '0100000000000000', 'ffffff7f00000000'],
    seenAs: 'int32',
    seen: [-(2 ** 31), -1, 1, 2 ** 31 - 1],
    typedArray: 79,
  },
  { dtype: 'uint8', raw: ['00', '01', '80', 'ff'], seenAs: 'int32', seen: [0, 1, 128, 255], typedArray: 64 },
  {
    dtype: 'uint16',
    raw: ['0000', '0100', '0080', 'ffff'],
    seenAs: 'int32',
    seen: [0, 1, 32768, 65535],
    typedArray: 69,
  },
  {
    dtype: 'uint32',
    raw: ['00000000', '01000000', '00000100', 'ffffff7f'],
    seenAs: 'int32',
    seen: [0, 1, 65536, 2 ** 31 - 1],
    typedArray: 70,
  },
  {
    dtype: 'uint64',
    raw: ['0000000000000000', '0100000000000000', '0000010000000000', 'ffffff7f00000000'],
    seenAs: 'int32',
    seen: [0, 1, 65536, 2 ** 31 - 1],
    typedArray: 71,
  },
  {
    dtype: 'float16',
    raw: ['00be', '0100', '5535', 'ff7b'],
    seenAs: 'float32',
    seen: [-1.5, 2 ** -24, 0.333251953125, 65504],
    typedArray: 84,
  },
  {
    dtype: 'bfloat16',
    raw: ['c0bf', '8000', 'ab3e', '7f47'],
    seenAs: 'float32',
    seen: [-1.5, 2 ** -126, 0.333984375, 65280],
  },
  {
    dtype: 'float32',
    raw: ['00000000', '0000803e', '0000003f', '0000403f'],
    seenAs: 'float32',
    seen: quarter,
    typedArray: 85,
  },
  {
    dtype: 'float64',
    // 0.1 is what float32 makes of it.
    raw: ['9a9999999999b93f', '000000000000d03f', '000000000000e03f', '000000000000e83f'],
    seenAs: 'float32',
    seen: [Math.fround(0.1), 0.25, 0.5, 0.75],
    typedArray: 86,
  },
  {
    dtype: 'complex64',
    raw: ['0000803f00000040', '0000000000000000', '000080bf0000003f', '0000003f000080bf'],
    seenAs: 'complex64',
    seen: [1, 2, 0, 0, -1, 0.5, 0.5, -1],
  },
];

let runtime: Runtime;
let tf: TensorFlowJs;
let identity: InferenceModel;

beforeAll(async () => {
  runtime = openTestRuntime();
  ({ tf } = tensorFlowJs());
  identity = await loadTestModel(runtime, 'identity');
});

afterAll(async () => {
  await identity.dispose();
  expect(runtime.counters()).toMatchObject({ sessions: 0, runsInFlight: 0, tensors: 0, tensorBytes: 0 });
});

let heldBefore: object;
let requests: NamedTensors[] = [];

beforeEach(() => {
  heldBefore = { ...held(), native: runtime.counters()['tensors'] };
});

afterEach(() => {
  for (const inputs of requests) disposeTensors(inputs);
  requests = [];
  expect({ ...held(), native: runtime.counters()['tensors'] }).toEqual(heldBefore);
});

const shape = [1, 2, 2, 1];

/** The input `x` in a body; disposed after the test. */
function requestOf(dtype: Dtype, item: Uint8Array): NamedTensors {
  const request = decodeInferRequest(map({ inputs: map({ x: item }), signature: text(dtype) }), limits);
  const inputs = toTensors(request, signatureOf(identity, dtype), limits);
  requests.push(inputs);
  return inputs;
}

function only(tensors: NamedTensors): Tensor {
  const [tensor] = tensors.values();
  if (!tensor) throw new Error('no tensor');
  return tensor;
}

/** Runs `identity` and gives the answer's item for `y`, read by another decoder. */
async function answered(dtype: Dtype, inputs: NamedTensors): Promise<unknown> {
  const { outputs } = await identity.predict(signatureOf(identity, dtype), [inputs]);
  try {
    const { parts } = wholeBody(encodeCborAnswer({ model: 'identity', version: 1, generation: 1, outputs }));
    const answer: unknown = new Decoder({ useRecords: false, mapsAsObjects: true }).decode(
      Buffer.concat(parts),
    );
    return (answer as { outputs: { y: unknown } }).outputs.y;
  } finally {
    disposeTensors(outputs);
  }
}

/** The shape and the raw bytes of an answered item of fixed width. */
function rawOf(item: unknown): { shape: unknown; raw: string } {
  if (item instanceof Tag) {
    const [dims, elements] = item.value as [unknown, unknown];
    return { shape: dims, raw: hexOf(elements instanceof Tag ? elements.value : elements) };
  }
  const { shape: dims, data } = item as { shape: unknown; data: Uint8Array };
  return { shape: dims, raw: hexOf(data) };
}

function hexOf(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex');
}

function itemOf({ dtype, raw, typedArray }: Row): Uint8Array {
  const data = hex(raw.join(''));
  return typedArray === undefined ? described(dtype, shape, bytes(data)) : array(shape, typedArray, data);
}

describe.each(table)('$dtype', (row) => {
  const { dtype, raw, seenAs, seen } = row;
  const data = hex(raw.join(''));
  const item = itemOf(row);

  it('is decoded, read and worked on by tf.js, keeps its raw bytes, runs and is encoded as the same bytes', async () => {
    const inputs = requestOf(dtype, item);
    const x = only(inputs);
    expect(x.dtype).toBe(seenAs);
    expect(x.shape).toEqual(shape);
    expect([...x.dataSync()]).toEqual(seen);
    // Twice: the first op makes the tensor that ops share, the second finds it.
    for (let i = 0; i < 2; i++)
      expect(tf.tidy(() => [...tf.clone(tf.reshape(x, [4])).dataSync()])).toEqual(seen);
    expect([...(await x.data())]).toEqual(seen);
    const view = viewTensor(x);
    expect(view).toMatchObject({ dtype, shape });
    expect(Buffer.compare(view.data as Uint8Array, data)).toBe(0);
    expect(rawOf(await answered(dtype, inputs))).toEqual({ shape, raw: raw.join('') });
  });

  it('gives its values to tf.cast', () => {
    const inputs = requestOf(dtype, item);
    const real = seenAs === 'complex64' ? seen.filter((_, i) => i % 2 === 0) : seen;
    expect(tf.tidy(() => [...tf.cast(only(inputs), 'float32').dataSync()])).toEqual(real.map(Math.fround));
  });

  it('a copy by tf.clone has the true dtype and the raw bytes, also when the original is gone', () => {
    const inputs = requestOf(dtype, item);
    const copy = only(inputs).clone();
    disposeTensors(inputs);
    expect(viewTensor(copy)).toMatchObject({ dtype, shape });
    expect(hexOf(viewTensor(copy).data as Uint8Array)).toBe(raw.join(''));
    copy.dispose();
  });
});

it.each(table.filter(({ seenAs }) => seenAs !== 'bool'))('$dtype can be added to itself', (row) => {
  const x = only(requestOf(row.dtype, itemOf(row)));
  const sum = tf.tidy(() => [...tf.add(x, x).dataSync()]);
  const twice = row.seen.map((value) => (row.seenAs === 'int32' ? (2 * value) | 0 : Math.fround(2 * value)));
  expect(sum).toEqual(twice);
});

it.each(table.filter(({ seenAs }) => seenAs === 'int32' || seenAs === 'float32'))(
  '$dtype can be resized as an image',
  (row) => {
    const image = only(requestOf(row.dtype, itemOf(row))) as Tensor4D;
    const resized = tf.tidy(() => [...tf.image.resizeBilinear(image, [1, 2]).dataSync()]);
    expect(resized).toEqual(row.seen.slice(0, 2).map(Math.fround));
  },
);

describe('string', () => {
  const elements = ['61', 'fffe00', '', 'efbbbf62'];
  const item = tag(40, list(ints(...shape), list(...elements.map((each) => bytes(hex(each))))));

  it('is decoded, worked on by tf.js, keeps its bytes, runs and is encoded as the same bytes', async () => {
    const inputs = requestOf('string', item);
    const x = only(inputs);
    expect(x.dtype).toBe('string');
    tf.tidy(() => {
      const twice = tf.concat([x, x]);
      expect((viewTensor(twice).data as Uint8Array[]).map(hexOf)).toEqual([...elements, ...elements]);
    });
    expect((viewTensor(x).data as Uint8Array[]).map(hexOf)).toEqual(elements);
    const answer = (await answered('string', inputs)) as Tag;
    const [dims, strings] = answer.value as unknown as [number[], Uint8Array[]];
    expect([dims, strings.map(hexOf)]).toEqual([shape, elements]);
  });
});

describe('complex128', () => {
  const raw = '000000000000f03f0000000000000040'.repeat(4);
  const item = described('complex128', shape, bytes(hex(raw)));

  it('runs, and comes back as the same bytes', async () => {
    const inputs = requestOf('complex128', item);
    expect(rawOf(await answered('complex128', inputs))).toEqual({ shape, raw });
  });

  it.each([
    ['reshape', (x: Tensor) => tf.reshape(x, [4])],
    ['add', (x: Tensor) => tf.add(x, x)],
    ['real', (x: Tensor) => tf.real(x)],
    ['dataSync', (x: Tensor) => x.dataSync()],
  ])('is refused by name by %s, and its raw bytes stay readable', (_, op) => {
    const inputs = requestOf('complex128', item);
    const x = only(inputs);
    const error = thrownBy(() => tf.tidy(() => op(x) as Tensor));
    expect(error).toBeInstanceOf(ServingError);
    expect(error).toMatchObject({ code: 'UNIMPLEMENTED', message: expect.stringContaining('complex128') });
    expect(hexOf(viewTensor(x).data as Uint8Array)).toBe(raw);
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

describe('an integer beyond int32', () => {
  it.each([
    ['int64', 79, 2n ** 31n],
    ['int64', 79, -(2n ** 31n) - 1n],
    ['int64', 79, 2n ** 53n + 1n],
    ['uint32', 70, 2n ** 31n],
    ['uint64', 71, 2n ** 64n - 1n],
  ] as const)(
    'in a tensor of %s (tag %i) is named when an op asks for it, and runs as it is: %s',
    async (dtype, typed, value) => {
      const data = Buffer.alloc(8);
      data.writeBigUInt64LE(BigInt.asUintN(64, value));
      const own = Uint8Array.from(data.subarray(0, dtypes[dtype].size));
      const inputs = requestOf(dtype, array([1], typed, own));
      const x = only(inputs);
      for (const op of [() => tf.cast(x, 'float32'), () => tf.add(x, 1), () => x.dataSync()]) {
        expect(thrownBy(() => tf.tidy(op as () => Tensor))).toMatchObject({
          name: 'ServingError',
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(`${value} `),
        });
      }
      expect(rawOf(await answered(dtype, inputs)).raw).toBe(hexOf(own));
    },
  );
});

it('a bool in raw bytes is true if it is not 0, for tf.js and for a run', async () => {
  const inputs = requestOf('bool', described('bool', [3], bytes(Uint8Array.of(0, 1, 255))));
  expect(tf.tidy(() => [...tf.cast(only(inputs), 'int32').dataSync()])).toEqual([0, 1, 1]);
  expect(rawOf(await answered('bool', inputs)).raw).toBe('000101');
});

it('plain numbers take the dtype of the signature, for every dtype that has numbers', async () => {
  for (const { dtype, raw, seen } of table) {
    if (!['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'].includes(dtype)) continue;
    const inputs = requestOf(dtype, list(...seen.map((value) => int(value))));
    expect(rawOf(await answered(dtype, inputs))).toEqual({ shape: [4], raw: raw.join('') });
  }
});

it('a tensor over memory of TensorFlow gives it back once, with the last tf.Tensor that shows it', () => {
  let released = 0;
  const x = createTensor('float32', [2], new Uint8Array(8), () => {
    released += 1;
  });
  const copy = x.clone();
  const sum = tf.add(x, copy);
  x.dispose();
  expect(released).toBe(0);
  copy.dispose();
  expect(released).toBe(1);
  expect([...sum.dataSync()]).toEqual([0, 0]);
  sum.dispose();
  expect(released).toBe(1);
});
