/**
 * Any bytes are a request, or are refused in words, and nothing is left behind. Any tensor that is encoded comes back
 * unchanged. A failure prints the seed that repeats it.
 */
import { Decoder } from 'cbor-x';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { encodeCborAnswer } from '../../src/codec/cbor/encode.ts';
import { type InferBody, toTensors } from '../../src/codec/infer-body.ts';
import { ServingError } from '../../src/errors.ts';
import { type Dtype, dtypes } from '../../src/tensors/dtypes.ts';
import {
  createTensor,
  disposeTensors,
  type Tensor,
  type TensorData,
  viewTensor,
} from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import {
  array,
  bytes,
  described,
  endlessList,
  endlessMap,
  entries,
  float64,
  head,
  hex,
  int,
  ints,
  joined,
  list,
  map,
  tag,
  text,
} from '../fixtures/cbor.ts';
import { limits, makeSignature } from '../fixtures/codec.ts';
import { held, openTestRuntime } from '../fixtures/runtime.ts';

beforeAll(() => {
  openTestRuntime();
});

const names = Object.keys(dtypes) as Dtype[];

/** Decodes a body for inputs x and y, and makes its tensors. @returns whether it was a request */
function accepts(body: Uint8Array, dtype: Dtype): boolean {
  const before = held();
  const original = body.slice();
  try {
    const request = readTwice(body);
    const signature = makeSignature({ x: [dtype, null], y: [dtype, null] });
    disposeTensors(toTensors(request, signature, limits));
    return true;
  } catch (error) {
    if (!(error instanceof ServingError && error.code === 'INVALID_ARGUMENT')) throw error;
    expect(error.message).not.toBe('');
    return false;
  } finally {
    expect(held()).toEqual(before);
    expect(Buffer.compare(body, original), 'the body was changed').toBe(0);
  }
}

/** Read under limits that were used before, where it may be taken for one like an earlier one, and under new ones. */
function readTwice(body: Uint8Array): InferBody {
  const afresh = outcome(() => decodeInferRequest(body, { ...limits }));
  const again = outcome(() => decodeInferRequest(body, limits));
  expect(again).toEqual(afresh);
  if (again instanceof ServingError) throw again;
  return again;
}

function outcome(action: () => InferBody): InferBody | ServingError {
  try {
    return action();
  } catch (error) {
    if (error instanceof ServingError) return error;
    throw error;
  }
}

const seeds: readonly Uint8Array[] = [
  map({ x: list(ints(1, 2), endlessList(int(3), float64(0.5))), y: hex('f5') }),
  map({ inputs: map({ x: array([2, 2], 85, new Uint8Array(16)), y: tag(67, bytes(new Uint8Array(16))) }) }),
  map({
    inputs: map({ x: tag(1040, list(ints(2, 3), ints(1, 2, 3, 4, 5, 6))) }),
    signature: text('s'),
    outputs: list(text('y')),
  }),
  endlessMap({
    x: described('complex128', [1], bytes(new Uint8Array(16))),
    y: described('string', [2], list(text('a'), bytes(hex('ff')))),
  }),
  tag(
    55799,
    map({
      x: list(tag(64, bytes(hex('01'))), array([1], 64, hex('02'))),
      y: tag(41, list(tag(2, bytes(hex('ffff'))))),
    }),
  ),
  map({ x: list(text('\ufeffé'), bytes(hex('00ff'))), y: hex('f93c00') }),
];

describe('decoding gives tensors or a refusal for', () => {
  it('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...names), (body, dtype) => {
        accepts(body, dtype);
      }),
      { numRuns: 3000 },
    );
  });

  it('any bytes behind the key x', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(...names), (item, dtype) => {
        accepts(joined(hex('a1 6178'), item), dtype);
      }),
      { numRuns: 3000 },
    );
  });

  it('a request with bytes changed, put in, cut out and doubled', () => {
    const mutation = fc.record({
      kind: fc.constantFrom('change', 'insert', 'delete', 'double'),
      at: fc.nat(1000),
      length: fc.integer({ min: 1, max: 6 }),
      by: fc.uint8Array({ minLength: 1, maxLength: 6 }),
    });
    const body = fc.constantFrom(...seeds);
    fc.assert(
      fc.property(
        body,
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...names),
        (seed, mutations, dtype) => {
          let mutated = seed;
          for (const { kind, at, length, by } of mutations) {
            const from = at % (mutated.length + 1);
            const [before, after] = [mutated.subarray(0, from), mutated.subarray(from)];
            if (kind === 'change') mutated = joined(before, by, after.subarray(by.length));
            if (kind === 'insert') mutated = joined(before, by, after);
            if (kind === 'delete') mutated = joined(before, after.subarray(length));
            if (kind === 'double') mutated = joined(before, after.subarray(0, length), after);
          }
          accepts(mutated, dtype);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('any well-formed items, of all major types, tags and forms', () => {
    const { item } = fc.letrec<{ item: Uint8Array }>((tie) => ({
      item: fc.oneof(
        { maxDepth: 5, depthSize: 'medium' },
        fc.oneof(
          fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }).map((value) => int(value)),
          fc.integer({ min: -3, max: 300 }).map((value) => int(value)),
          fc.uint8Array({ maxLength: 24 }).map(bytes),
          fc.string({ unit: 'binary', maxLength: 8 }).map(text),
          fc.double().map(float64),
          fc
            .constantFrom('f4', 'f5', 'f6', 'f7', 'f93c00', 'f97e00', 'fa7f800000', 'e0', 'f820', 'ff')
            .map(hex),
        ),
        fc.array(tie('item'), { maxLength: 4 }).map((items) => list(...items)),
        fc.array(tie('item'), { maxLength: 4 }).map((items) => endlessList(...items)),
        fc
          .tuple(
            fc.constantFrom(2, 3, 40, 41, 1040, 55799, 64, 67, 69, 76, 80, 83, 85, 86, 87, 27, 258),
            tie('item'),
          )
          .map(([number, content]) => tag(number, content)),
        fc
          .tuple(
            fc.constantFrom(40, 1040),
            fc.array(fc.nat(4), { maxLength: 4 }),
            fc.constantFrom(64, 77, 84, 86),
            fc.uint8Array({ maxLength: 32 }),
          )
          .map(([outer, shape, inner, data]) => tag(outer, list(ints(...shape), tag(inner, bytes(data))))),
        fc
          .tuple(fc.constantFrom('dtype', 'x', 'inputs', '__proto__'), tie('item'))
          .map(([key, value]) => entries([key, value])),
        fc
          .tuple(fc.constantFrom(...names), fc.array(fc.nat(3), { maxLength: 3 }), tie('item'))
          .map(([dtype, shape, data]) => described(dtype, shape, data)),
      ),
    }));
    let requests = 0;
    fc.assert(
      fc.property(item, fc.boolean(), fc.constantFrom(...names), (x, isEnvelope, dtype) => {
        const inputs = entries(['x', x]);
        if (accepts(isEnvelope ? map({ inputs }) : inputs, dtype)) requests += 1;
      }),
      { numRuns: 5000 },
    );
    expect(requests, 'some of them must be requests').toBeGreaterThan(100);
  });
});

/** The bytes, or the strings, of any tensor: every bit pattern there is. */
const anyTensor = fc
  .tuple(fc.constantFrom(...names), fc.array(fc.constantFrom<number>(0, 1, 1, 2, 3, 7), { maxLength: 6 }))
  .chain(([dtype, shape]) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const size = { minLength: count, maxLength: count };
    const data: fc.Arbitrary<Uint8Array | Uint8Array[]> =
      dtype === 'string'
        ? fc.array(fc.uint8Array({ maxLength: 9 }), size)
        : fc.uint8Array({ minLength: count * dtypes[dtype].size, maxLength: count * dtypes[dtype].size });
    return fc.record({ dtype: fc.constant(dtype), shape: fc.constant(shape), data });
  });

/** The map of outputs, with which an answer ends. */
function outputsOf(answer: Uint8Array): Uint8Array {
  const key = text('outputs');
  return answer.subarray(Buffer.from(answer).indexOf(key) + key.length);
}

describe('any tensor', () => {
  it('is decoded from its answer as it was, bit for bit; and another decoder reads the same heads', () => {
    const reader = new Decoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false });
    fc.assert(
      fc.property(fc.array(anyTensor, { minLength: 1, maxLength: 3 }), (tensors) => {
        const before = held();
        const outputs = new Map<string, Tensor>(
          tensors.map(({ dtype, shape, data }, i) => [`t${i}`, createTensor(dtype, shape, data)]),
        );
        const { parts, byteLength } = wholeBody(
          encodeCborAnswer({ model: 'm', version: 3, generation: 2, outputs }),
        );
        const body = new Uint8Array(Buffer.concat(parts));
        expect(body).toHaveLength(byteLength);
        expect(reader.decode(body)).toMatchObject({ status: 'ok', model: 'm', version: 3, generation: 2 });

        const specs = Object.fromEntries(tensors.map(({ dtype }, i) => [`t${i}`, [dtype, null]] as const));
        const decoded = toTensors(decodeInferRequest(outputsOf(body), limits), makeSignature(specs), limits);
        for (const [i, { dtype, shape, data }] of tensors.entries()) {
          const view = viewTensor(decoded.get(`t${i}`) as Tensor);
          expect([view.dtype, view.shape]).toEqual([dtype, shape]);
          expect(hexOf(view.data)).toEqual(hexOf(data));
        }
        disposeTensors(decoded);
        disposeTensors(outputs);
        expect(held()).toEqual(before);
      }),
      { numRuns: 2000 },
    );
  });
});

function hexOf(data: TensorData): string | string[] {
  return data instanceof Uint8Array
    ? Buffer.from(data).toString('hex')
    : Array.from(data, (each) => Buffer.from(each).toString('hex'));
}

it('every integer there is comes through as itself, in every length of its head', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const argument = value < 0n ? -1n - value : value;
      const widths = [1, 2, 4, 8].filter((width) => argument < 1n << BigInt(8 * width));
      for (const width of widths) {
        const body = map({ x: head(value < 0n ? 1 : 0, argument, width) });
        const tensors = toTensors(
          decodeInferRequest(body, limits),
          makeSignature({ x: ['int64', []] }),
          limits,
        );
        const { data } = viewTensor(tensors.get('x') as Tensor);
        expect(Buffer.from(data as Uint8Array).readBigInt64LE()).toBe(value);
        disposeTensors(tensors);
      }
    }),
  );
});
