/** Sparse and ragged tensors in bodies: when a map is one, and what a few bytes may ask for. */
import { describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { inputNames, tensorsInSteps, toTensors } from '../../src/codec/infer-body.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import { findUnlike } from '../../src/codec/wire.ts';
import { componentsOf } from '../../src/engines/composite.ts';
import type { Dim, RaggedSpec, Signature, TensorSpec } from '../../src/engines/signature.ts';
import { toEnd } from '../../src/flow/steps.ts';
import type { Dtype } from '../../src/tensors/dtypes.ts';
import { viewOf } from '../../src/tensors/values.ts';
import { disposeTensors, viewTensor } from '../../src/tfjs/tensors.ts';
import { array, ints, list, map } from '../fixtures/cbor.ts';
import { limits, makeSignature, refusal } from '../fixtures/codec.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';

openTestRuntime();

const spec = (name: string, dtype: Dtype, shape: readonly Dim[]): TensorSpec => ({
  ...{ name, dtype, shape, graphName: `${name}:0` },
});

/** `x`, of which the components have the names that `tf.saved_model.save` gives them. */
const x: RaggedSpec = {
  ...{ kind: 'ragged', name: 'x', dtype: 'int32', shape: [null, null, null] },
  values: spec('x', 'int32', [null]),
  rowSplits: [spec('x_1', 'int64', [null]), spec('x_2', 'int64', [null])],
};
const signature: Signature = {
  name: 'serving_default',
  inputs: new Map(componentsOf(x).map((each) => [each.name, each])),
  outputs: new Map(),
  composites: { inputs: new Map([['x', x]]), outputs: new Map() },
};

const parse = (text: string) => decodeJsonRequest(Buffer.from(text), limits);

/** The integers of each tensor that a body becomes. */
function integers(body: string | Uint8Array, by = limits): Record<string, number[]> {
  const request = typeof body === 'string' ? parse(body) : decodeInferRequest(body, limits);
  const tensors = toTensors(request, signature, by);
  try {
    expect(new Set(inputNames(request, signature))).toEqual(new Set(tensors.keys()));
    return Object.fromEntries(
      Array.from(tensors, ([name, tensor]) => {
        const { dtype, data } = viewTensor(tensor);
        return [name, Array.from<number | bigint>(viewOf(dtype as 'int64', data as Uint8Array)).map(Number)];
      }),
    );
  } finally {
    disposeTensors(tensors);
  }
}

const parts = { x: [1, 2, 3], x_1: [0, 2, 2], x_2: [0, 1, 3] };

describe('a ragged input', () => {
  it('is a map of its parts, or lists', () => {
    expect(
      integers('{"x": {"values": {"values": [1, 2, 3], "row_splits": [0, 1, 3]}, "row_splits": [0, 2, 2]}}'),
    ).toEqual(parts);
    expect(integers('{"x": [[[1], [2, 3]], []]}')).toEqual(parts);
    expect(integers('{"x": {"values": [[1], [2, 3]], "row_splits": [0, 2, 2]}}')).toEqual(parts);
  });

  it('or its components, of which one may have its name', () => {
    expect(integers('{"x": [1, 2, 3], "x_1": [0, 2, 2], "x_2": [0, 1, 3]}')).toEqual(parts);
  });

  it('of equal rows may be one array', () => {
    const even = array([2, 1, 2], 78, new Uint8Array(Int32Array.of(1, 2, 3, 4).buffer));
    expect(integers(map({ x: even }))).toEqual({ x: [1, 2, 3, 4], x_1: [0, 1, 2], x_2: [0, 2, 4] });
  });

  it('of unequal rows may be a list of arrays, at every level', () => {
    const row = (...values: number[]) =>
      array([values.length], 78, new Uint8Array(Int32Array.from(values).buffer));
    expect(integers(map({ x: list(list(row(1), row(2, 3)), list(row())) }))).toEqual({
      x: [1, 2, 3],
      x_1: [0, 2, 3],
      x_2: [0, 1, 3, 3],
    });
  });
});

describe('a ragged input that a model may write out', () => {
  const by = (maxDenseElements: number) => ({ ...limits, maxDenseElements });
  // Three rows, of up to two rows, of up to three values.
  const uneven = '{"x": [[[1, 2, 3], [4]], [], [[]]]}';

  it('is refused if that is more than may be', () => {
    expect(integers(uneven, by(18))['x']).toEqual([1, 2, 3, 4]);
    expect(refusal(() => integers(uneven, by(17)))).toBe(
      'the dense shape of input `x` is [3, 2, 3], more than 17 elements when it is written out (--max-dense-elements)',
    );
  });

  it('also with splits of 32 bits, which matching refuses here later', () => {
    const splits = (...ends: number[]) =>
      array([ends.length], 78, new Uint8Array(Int32Array.from(ends).buffer));
    const body = map({ x: ints(1, 2, 3), x_1: splits(0, 0, 0, 3), x_2: splits(0, 3, 3, 3) });
    expect(refusal(() => integers(body, by(26)))).toContain('[3, 3, 3], more than 26');
  });

  it('not if it has no gaps: its values are there already', () => {
    expect(integers('{"x": [[[1, 2, 3]], [[4, 5, 6]]]}', by(1))['x']).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('splits that are none are refused as such, unless they say that it is large', () => {
    const body = (first: string, second: string) => `{"x": [1], "x_1": ${first}, "x_2": ${second}}`;
    expect(refusal(() => integers(body('[]', '[0]')))).toContain('got row_splits [0]');
    expect(refusal(() => integers(body('[0, -5]', '[9, 0]')))).toContain('must ascend, and -5 follows 0');
    expect(refusal(() => integers(body('[0, 1]', '[0, 9223372036854775807]')))).toContain(
      'when it is written out',
    );
  });
});

describe('a ragged input as lists of arrays and lists', () => {
  const int32 = (count: number) => new Uint8Array(4 * count);
  /** An array of so many rows of one value, beside a list of arrays of one value and two. */
  const beside = (rows: number) =>
    map({
      x: list(array([rows, 1], 78, int32(rows)), list(array([1], 78, int32(1)), array([2], 78, int32(2)))),
    });

  it('may have an array beside a list', () => {
    expect(integers(beside(2))).toEqual({ x: [0, 0, 0, 0, 0], x_1: [0, 2, 4], x_2: [0, 1, 2, 3, 5] });
  });

  it('becomes an object for each row: they are bounded, and claimed before', () => {
    const claims: number[] = [];
    const make = (rows: number) =>
      toEnd(
        tensorsInSteps(decodeInferRequest(beside(rows), limits), signature, limits, (bytes) => {
          claims.push(bytes);
        }),
      );
    disposeTensors(make(32_766));
    expect(Math.max(...claims)).toBe(32_766 * 512);
    claims.length = 0;
    for (const rows of [32_767, 4_000_000])
      expect(refusal(() => make(rows))).toBe(
        'input `x` has more than 32768 rows within rows: send {"values", "row_splits"}',
      );
    expect(claims).not.toContain(4_000_000 * 512);
  });

  it('pauses while rows of many dims are compared', () => {
    const row = { dtype: 'uint8', shape: new Array<number>(253).fill(1), data: int32(0) } as const;
    const steps = findUnlike(new Array<typeof row>(2000).fill(row));
    let pauses = 0;
    for (; !steps.next().done; ) pauses += 1;
    expect(pauses).toBeGreaterThan(20);
  });
});

describe('a map of parts is a tensor for such an input alone', () => {
  it('not for a dense one', () => {
    const request = parse('{"x": {"values": [1], "row_splits": [0, 1]}}');
    expect(refusal(() => toTensors(request, makeSignature({ x: ['int32', [null]] }), limits))).toBe(
      'input `x`: expected int32 [-1], got a ragged one',
    );
  });

  it('and never the envelope: its inputs may have those names', () => {
    const dense = makeSignature({ values: ['int32', [null]], row_splits: ['int32', [null]] });
    const names = (body: string | Uint8Array) => [
      ...(typeof body === 'string' ? parse(body) : decodeInferRequest(body, limits)).inputs.keys(),
    ];
    expect(names('{"values": [1], "row_splits": [0, 1]}')).toEqual(['values', 'row_splits']);
    expect(names('{"inputs": {"values": [1], "row_splits": [0, 1]}}')).toEqual(['values', 'row_splits']);
    expect(names(map({ inputs: map({ values: ints(1), row_splits: ints(0, 1) }) }))).toEqual([
      'values',
      'row_splits',
    ]);
    disposeTensors(toTensors(parse('{"inputs": {"values": [1], "row_splits": [0, 1]}}'), dense, limits));
    expect(names('{"inputs": {"inputs": {"values": [1], "row_splits": [0, 1]}}}')).toEqual(['inputs']);
  });
});

describe('what is no such tensor is refused', () => {
  it.each([
    ['{"x": {"values": [1]}}', /is an object, and no tensor/],
    ['{"x": {"values": [1], "row_splits": [0, 1], "more": 1}}', /is an object, and no tensor/],
    ['{"x": {"values": {"dtype": "int32"}, "row_splits": [0, 1]}}', /^`values` of input `x` is an object/],
    ['{"x": [1, 2]}', /row 0 of it is no list/],
    ['{"x": 3}', /got something else/],
    ['{"x": [[[1.5]]]}', /^input `x\/values` at \[0\]: expected int32, .*, got 1.5/],
    ['{"x": {"values": [[1]], "row_splits": [0.5, 1]}}', /^input `x\/row_splits` at \[0\]: expected int64/],
  ])('%s', (body, message) => {
    expect(refusal(() => integers(body))).toMatch(message);
  });

  it('more elements than are allowed', () => {
    expect(refusal(() => integers('{"x": [[[1, 2, 3]]]}', { ...limits, maxElements: 2 }))).toContain(
      '--max-elements',
    );
  });

  it('billions of rows without elements, before anything is made of them', () => {
    const endless = array([2 ** 31 - 1, 0, 1], 78, new Uint8Array());
    expect(refusal(() => integers(map({ x: endless })))).toContain('2147483647 rows without elements');
  });

  it('rows of several dtypes', () => {
    const rows = list(array([1, 1], 78, new Uint8Array(4)), array([2, 1], 79, new Uint8Array(16)));
    expect(refusal(() => integers(map({ x: rows })))).toContain(
      'row 1 is int64 [2, 1] where the first is int32 [1, 1]',
    );
  });
});
