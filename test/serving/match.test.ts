/**
 * Inputs held against a signature: one sample told from a batch, and every mismatch told by name, with what was
 * expected, what came and the line that mends it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { InferenceModel } from '../../src/engines/inference-model.ts';
import type { Dim, Signature } from '../../src/engines/signature.ts';
import type { ServingError } from '../../src/errors.ts';
import { matchInputs, removeBatchDim } from '../../src/serving/match.ts';
import { helpfulMessage } from '../../src/surfaces/own/remedies.ts';
import { type Dtype, dtypes, elementCount } from '../../src/tensors/dtypes.ts';
import {
  createTensor,
  disposeTensors,
  type NamedTensors,
  type Tensor,
  viewTensor,
} from '../../src/tfjs/tensors.ts';
import { makeSignature, refusal, type Specs } from '../fixtures/codec.ts';
import { held, loadTestModel, openTestRuntime, signatureOf } from '../fixtures/runtime.ts';

type Came = Readonly<Record<string, readonly [dtype: Dtype, shape: readonly number[]]>>;

let mixed: InferenceModel;

beforeAll(async () => {
  mixed = await loadTestModel(openTestRuntime(), 'mixed');
});
afterAll(() => mixed.dispose());

let heldBefore: object;
let made: Tensor[] = [];
beforeEach(() => {
  heldBefore = held();
});
afterEach(() => {
  for (const tensor of made) tensor.dispose();
  made = [];
  expect(held()).toEqual(heldBefore);
});

function tensors(came: Came): Map<string, Tensor> {
  const named = new Map<string, Tensor>();
  for (const [name, [dtype, shape]] of Object.entries(came)) {
    const count = elementCount(shape);
    const data =
      dtype === 'string'
        ? new Array<Uint8Array>(count).fill(new Uint8Array())
        : new Uint8Array(count * dtypes[dtype].size);
    named.set(name, createTensor(dtype, shape, data));
  }
  made.push(...named.values());
  return named;
}

/** What the graph would get. */
function matched(
  signature: Signature,
  came: Came,
): { shapes: Record<string, readonly number[]>; single: boolean } {
  const inputs = tensors(came);
  const { inputs: result, single, dispose } = matchInputs('m', signature, inputs, inputs.keys());
  const shapes = Object.fromEntries(Array.from(result, ([name, tensor]) => [name, tensor.shape]));
  dispose();
  return { shapes, single };
}

function refused(signature: Signature, came: Came, given: Iterable<string> = Object.keys(came)): string {
  const inputs = tensors(came);
  return refusal(() => matchInputs('m', signature, inputs, given));
}

/** As a client of our own protocol reads it. */
function told(signature: Signature, came: Came): string {
  try {
    matchInputs('m', signature, tensors(came), Object.keys(came));
  } catch (error) {
    return helpfulMessage(error as ServingError);
  }
  throw new Error('nothing was refused');
}

const f = (...shape: number[]) => ['float32', shape] as const;

describe('one sample and a batch', () => {
  interface Row {
    readonly what: string;
    readonly spec: readonly Dim[] | null;
    readonly came: readonly number[];
    readonly becomes: readonly number[];
    readonly single: boolean;
  }
  const rows: readonly Row[] = [
    { what: 'a batch passes as it is', spec: [null, 6], came: [3, 6], becomes: [3, 6], single: false },
    { what: 'a batch of one is a batch', spec: [null, 6], came: [1, 6], becomes: [1, 6], single: false },
    { what: 'an empty batch is a batch', spec: [null, 6], came: [0, 6], becomes: [0, 6], single: false },
    { what: 'one rank below is one sample', spec: [null, 6], came: [6], becomes: [1, 6], single: true },
    { what: 'a scalar is one sample of a vector', spec: [null], came: [], becomes: [1], single: true },
    {
      what: 'an image is one sample',
      spec: [null, null, null, 3],
      came: [4, 5, 3],
      becomes: [1, 4, 5, 3],
      single: true,
    },
    { what: 'an empty image too', spec: [null, null, 3], came: [0, 3], becomes: [1, 0, 3], single: true },
    {
      what: 'a vector for an unknown dim is a batch, not a sample',
      spec: [null],
      came: [6],
      becomes: [6],
      single: false,
    },
    {
      what: 'a fixed first dim of 1 may be left out, which makes no sample',
      spec: [1, 4],
      came: [4],
      becomes: [1, 4],
      single: false,
    },
    {
      what: 'a fixed first dim of 1 may be there',
      spec: [1, 4],
      came: [1, 4],
      becomes: [1, 4],
      single: false,
    },
    { what: 'a vector of 1 may be a scalar', spec: [1], came: [], becomes: [1], single: false },
    { what: 'a scalar passes', spec: [], came: [], becomes: [], single: false },
    { what: 'a fixed shape passes', spec: [2, 2], came: [2, 2], becomes: [2, 2], single: false },
    { what: 'an unknown rank takes a scalar as it is', spec: null, came: [], becomes: [], single: false },
    {
      what: 'an unknown rank takes any rank as it is',
      spec: null,
      came: [2, 3, 4],
      becomes: [2, 3, 4],
      single: false,
    },
    {
      what: 'unknown dims within are no batch',
      spec: [2, null],
      came: [2, 9],
      becomes: [2, 9],
      single: false,
    },
  ];
  it.each(rows)('$what', ({ spec, came, becomes, single }) => {
    expect(matched(makeSignature({ x: ['float32', spec] }), { x: f(...came) })).toEqual({
      shapes: { x: becomes },
      single,
    });
  });

  it('inputs vote together, and side inputs have no vote', () => {
    const signature = makeSignature({
      state: ['float32', [null, 6]],
      image: ['uint8', [null, 4, 4, 3]],
      temperature: ['float32', []],
      table: ['float32', [2, 2]],
      mask: ['bool', [1, 3]],
      any: ['int64', null],
    });
    const sides = { temperature: f(), table: f(2, 2), mask: ['bool', [3]], any: ['int64', [5]] } as const;
    const kept = { temperature: [], table: [2, 2], mask: [1, 3], any: [5] };
    expect(matched(signature, { state: f(6), image: ['uint8', [4, 4, 3]], ...sides })).toEqual({
      shapes: { state: [1, 6], image: [1, 4, 4, 3], ...kept },
      single: true,
    });
    expect(matched(signature, { state: f(2, 6), image: ['uint8', [2, 4, 4, 3]], ...sides })).toEqual({
      shapes: { state: [2, 6], image: [2, 4, 4, 3], ...kept },
      single: false,
    });
    const message = refused(signature, { state: f(6), image: ['uint8', [1, 4, 4, 3]], ...sides });
    expect(message).toBe(
      'one sample and a batch are mixed: `state` [6] where a batch is [-1, 6] is one sample, `image` [1, 4, 4, 3] where a batch is [-1, 4, 4, 3] is a batch; give all inputs the batch dim, or none',
    );
    expect(refused(signature, { state: f(1, 6), image: ['uint8', [4, 4, 3]], ...sides })).toContain(
      '`image` [4, 4, 3] where a batch is [-1, 4, 4, 3] is one sample',
    );
  });

  it('shapes that fit both ways are a batch: a matrix for two unknown dims', () => {
    const both = makeSignature({ x: ['float32', [null, null]] });
    expect(matched(both, { x: f(3, 3) }).single).toBe(false);
    expect(matched(both, { x: f(3) })).toEqual({ shapes: { x: [1, 3] }, single: true });
  });
});

describe('a mismatch is refused', () => {
  const signature = makeSignature({ state: ['float32', [null, 6]], flag: ['bool', []] });
  const good: Came = { state: f(2, 6), flag: ['bool', []] };

  it.each([
    [
      'a missing input',
      { state: f(2, 6) },
      'input `flag` is missing: `serving_default` of `m` takes `state` float32 [-1, 6] and `flag` bool []',
    ],
    ['no inputs at all', {}, 'input `state` is missing: `serving_default` of `m` takes'],
    [
      'a wrong dim',
      { ...good, state: f(2, 7) },
      'input `state`: expected float32 [-1, 6], or [6] for one sample, got float32 [2, 7]',
    ],
    ['a wrong rank', { ...good, state: f(2, 6, 1) }, 'or [6] for one sample, got float32 [2, 6, 1]'],
    ['a scalar for a matrix', { ...good, state: f() }, 'got float32 []'],
    [
      'a vector for a scalar',
      { ...good, flag: ['bool', [1]] },
      'input `flag`: expected bool [], got bool [1]',
    ],
    [
      'float64 for float32',
      { ...good, state: ['float64', [2, 6]] },
      'input `state`: expected float32 [-1, 6], got float64: send x.astype(np.float32)',
    ],
    ['uint8 for bool', { ...good, flag: ['uint8', []] }, 'input `flag`: expected bool [], got uint8'],
  ] as readonly (readonly [string, Came, string])[])('%s', (_, came, message) => {
    expect(refused(signature, came)).toContain(message);
  });

  it('an unknown name, before a missing one: it is likely the same input misspelt', () => {
    expect(refused(signature, { flag: ['bool', []] }, ['flag', 'State'])).toContain(
      'no input `State`: `serving_default` of `m` takes `state`',
    );
    expect(refused(signature, good, ['state', 'flag', '__proto__'])).toContain('no input `__proto__`');
    expect(refused(makeSignature({}), {}, ['x'])).toContain(
      'no input `x`: `serving_default` of `m` takes no inputs',
    );
    expect(refused(signature, good, ['n'.repeat(100_000)]).length).toBeLessThan(500);
  });

  it('a fixed first dim that is not 1 may not be left out', () => {
    const fixed = makeSignature({ x: ['float32', [2, 3]] });
    expect(refused(fixed, { x: f(3) })).toBe('input `x`: expected float32 [2, 3], got float32 [3]');
    expect(refused(fixed, { x: f(1, 3) })).toContain('expected float32 [2, 3], got float32 [1, 3]');
    expect(refused(makeSignature({ x: ['float32', [1, 3]] }), { x: f(2, 3) })).toContain(
      'expected float32 [1, 3], or [3] for one sample',
    );
  });

  it.each(Object.keys(dtypes) as Dtype[])('another dtype for %s, with the line that mends it', (dtype) => {
    const other = dtype === 'int32' ? 'int64' : 'int32';
    const message = told(makeSignature({ x: [dtype, null] }), { x: [other, [2]] });
    expect(message).toContain(`input \`x\`: expected ${dtype} unknown rank, got ${other}: `);
    const mends: Partial<Record<Dtype, string>> = {
      string: 'send text or byte strings',
      bool: 'x.astype(np.bool_).tobytes()',
      bfloat16: 'x.astype(ml_dtypes.bfloat16).tobytes()',
      complex64: '"dtype": "complex64", "shape": x.shape, "data": x.astype(np.complex64).tobytes()',
      complex128: '"dtype": "complex128", "shape": x.shape, "data": x.astype(np.complex128).tobytes()',
    };
    expect(message).toContain(mends[dtype] ?? `send x.astype(np.${dtype})`);
    const arrays = { int8: 'Int8Array.from(x, Number)', uint64: 'BigUint64Array.from(x, BigInt)' };
    if (dtype in arrays) expect(message).toContain(`in JavaScript ${arrays[dtype as keyof typeof arrays]}`);
  });
});

describe('the batch dim comes off the outputs of one sample', () => {
  const outputs: Specs = {
    batched: ['float32', [null, 7]],
    fixed: ['float32', [1, 7]],
    side: ['float32', [2, 2]],
    total: ['float32', []],
    any: ['float32', null],
    vector: ['string', [null]],
  };

  it('only where the first dim of the spec is unknown', () => {
    const came = tensors({
      batched: f(1, 7),
      fixed: f(1, 7),
      side: f(2, 2),
      total: f(),
      any: f(1, 3),
      vector: ['string', [1]],
    });
    const removed = removeBatchDim(makeSignature({}, outputs), came);
    made.push(...removed.values());
    expect(Object.fromEntries(Array.from(removed, ([name, tensor]) => [name, tensor.shape]))).toEqual({
      batched: [7],
      fixed: [1, 7],
      side: [2, 2],
      total: [],
      any: [1, 3],
      vector: [],
    });
    expect(viewTensor(removed.get('vector') as Tensor).dtype).toBe('string');
  });

  it('and not where the model gave another number of rows than one', () => {
    const removed = removeBatchDim(
      makeSignature({}, outputs),
      tensors({ batched: f(3, 7), vector: ['string', [0]] }),
    );
    expect(Array.from(removed.values(), ({ shape }) => shape)).toEqual([[3, 7], [0]]);
  });
});

describe('the `mixed` model', () => {
  const floats = (shape: readonly number[], ...values: number[]) =>
    createTensor('float32', shape, new Uint8Array(Float32Array.from(values).buffer));

  async function run(
    x: Tensor,
    training: boolean,
  ): Promise<Record<string, { shape: readonly number[]; values: number[] }>> {
    const signature = signatureOf(mixed, 'serving_default');
    const inputs: NamedTensors = new Map([
      ['x', x],
      ['temperature', floats([], 2)],
      ['training', createTensor('bool', [], Uint8Array.of(training ? 1 : 0))],
      ['table', floats([2, 2], 1, 2, 3, 4)],
    ]);
    const match = matchInputs('mixed', signature, inputs, inputs.keys());
    const { outputs } = await mixed.predict(signature, [match.inputs]);
    match.dispose();
    disposeTensors(inputs);
    const given = match.single ? removeBatchDim(signature, outputs) : outputs;
    const result = Object.fromEntries(
      Array.from(given, ([name, tensor]) => [name, { shape: tensor.shape, values: [...tensor.dataSync()] }]),
    );
    disposeTensors(given);
    return result;
  }

  it('gives one sample its row without the batch dim, and side outputs as they are', async () => {
    expect(await run(floats([3], 1, 2, 3), false)).toEqual({
      y: { shape: [3], values: [2, 4, 6] },
      // x + temperature + training + table
      total: { shape: [], values: [6 + 2 + 0 + 10] },
      side: { shape: [2, 2], values: [1, 2, 3, 4] },
    });
  });

  it('gives a batch of the same sample the same row with the batch dim', async () => {
    expect(await run(floats([1, 3], 1, 2, 3), true)).toEqual({
      y: { shape: [1, 3], values: [3, 5, 7] },
      total: { shape: [], values: [6 + 2 + 1 + 10] },
      side: { shape: [2, 2], values: [1, 2, 3, 4] },
    });
  });
});
