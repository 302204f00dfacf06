/**
 * Sparse and ragged tensors in and out of a real server, in every body that has a form for them.
 */
import { execFileSync } from 'node:child_process';
import type { Tag } from 'cbor-x';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.ts';
import { isRaggedTensor, isSparseTensor } from '../../src/client/composites.ts';
import { binaryToDict } from '../../src/client/decode.ts';
import { inferBody } from '../../src/client/encode.ts';
import { isTensor, tensor } from '../../src/client/tensor.ts';
import { array, bytes, ints, list, map, tag, text } from '../fixtures/cbor.ts';
import { goldenCases } from '../fixtures/golden.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { ask, errorOf, expectSame, outputsOf } from '../fixtures/same.ts';
import { TestServer } from '../fixtures/server.ts';

let repository: TestRepository;
let server: TestServer;

beforeAll(async () => {
  repository = await TestRepository.create('sparse', 'ragged', 'flattened', 'flattened_concrete');
  server = await TestServer.start({ args: ['--model-path', repository.root] });
});
afterAll(async () => {
  await server?.stop();
  await repository?.remove();
});

async function post(path: string, body: unknown): Promise<{ status: number; body: Answer }> {
  const response = await server.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

interface Answer {
  readonly outputs: Record<string, unknown>;
  readonly error: { readonly code: string; readonly message: string; readonly example: string };
}

const sparse = '/models/sparse/infer';
const ragged = '/models/ragged/infer';
const twoRows = {
  indices: [
    [0, 1],
    [1, 0],
    [1, 3],
  ],
  values: [1.5, 2, -4],
  dense_shape: [2, 4],
};

describe('CBOR is answered as TensorFlow for Python answers', () => {
  it.each(goldenCases().filter(({ model }) => ['sparse', 'ragged', 'flattened'].includes(model)))(
    '$name',
    async (golden) => {
      const answered = await ask(server, golden);
      expect(answered.status, JSON.stringify(errorOf(answered))).toBe(200);
      expectSame(golden.outputs, outputsOf(answered));
    },
  );
});

describe('JSON', () => {
  it('has the parts of a sparse tensor, in and out', async () => {
    const { body } = await post(sparse, { x: twoRows });
    expect(body.outputs).toEqual({
      total: [1.5, -2],
      twice: { indices: twoRows.indices, values: [3, 4, -8], dense_shape: [2, 4] },
    });
  });

  it('has the parts of a ragged one, nested as the dims are', async () => {
    const inner = {
      values: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      row_splits: [0, 1, 3, 3],
    };
    const { body } = await post(`${ragged}?signature=nested`, {
      x: { values: inner, row_splits: [0, 2, 2, 3] },
    });
    expect(body.outputs['twice']).toEqual({
      values: {
        values: [
          [2, 4],
          [6, 8],
          [10, 12],
        ],
        row_splits: [0, 1, 3, 3],
      },
      row_splits: [0, 2, 2, 3],
    });
  });

  it('takes uneven lists for a ragged one, empty ones too', async () => {
    const lists = [
      [
        [[1, 2]],
        [
          [3, 4],
          [5, 6],
        ],
      ],
      [],
      [[]],
    ];
    const { body } = await post(`${ragged}?signature=nested`, { x: lists });
    expect(body.outputs['twice']).toEqual({
      values: {
        values: [
          [2, 4],
          [6, 8],
          [10, 12],
        ],
        row_splits: [0, 1, 3, 3],
      },
      row_splits: [0, 2, 2, 3],
    });
    const empty = await post(`${ragged}?signature=nested`, { x: [[], [[]]] });
    expect(empty.body.outputs['twice']).toEqual({
      values: { values: [], row_splits: [0, 0] },
      row_splits: [0, 0, 1],
    });
    const words = await post(ragged, { words: [['größe'], [], ['a', '']] });
    expect(words.body.outputs).toEqual({
      count: [1, 0, 2],
      length: { values: [7, 1, 0], row_splits: [0, 1, 1, 3] },
    });
  });

  it('has a sparse tensor without values, as it gives one', async () => {
    const nothing = { indices: [], values: [], dense_shape: [3, 4] };
    const { body } = await post(sparse, { x: nothing });
    expect(body.outputs).toEqual({ total: [0, 0, 0], twice: nothing });
  });

  it('stands for row splits of either width', async () => {
    const { body } = await post(`${ragged}?signature=narrow`, {
      x: { values: [1, 2, 3], row_splits: [0, 1, 3] },
    });
    expect(body.outputs).toEqual({ y: { values: [2, 3, 4], row_splits: [0, 1, 3] } });
  });
});

describe('the TypeScript client', () => {
  it('sends and brings both, apart from other tensors', async () => {
    const client = new Client(server.url);
    const int64 = (...values: bigint[]) => tensor(BigInt64Array.from(values));
    const x = {
      indices: tensor(BigInt64Array.of(0n, 1n, 1n, 3n), [2, 2]),
      values: tensor(Float32Array.of(1.5, 2)),
      dense_shape: int64(2n, 4n),
    };
    const { outputs, composites } = await client.infer({ x }, { model: 'sparse' });
    expect(outputs['total']?.data).toEqual(Float32Array.of(1.5, 2));
    expect(isSparseTensor(composites['twice']) && composites['twice'].values.data).toEqual(
      Float32Array.of(3, 4),
    );
    const words = { values: tensor(['a', 'bcd']), row_splits: int64(0n, 2n) };
    const { composites: lengths } = await client.infer({ words }, { model: 'ragged', outputs: ['length'] });
    expect(isRaggedTensor(lengths['length']) && isTensor(lengths['length'].values)).toBe(true);
    expect(lengths['length']?.values).toMatchObject({ dtype: 'int32', data: Int32Array.of(1, 3) });
  });

  it('puts an input called inputs into an envelope, where a map of parts would be one', () => {
    const parts = { values: tensor(['a']), row_splits: tensor(BigInt64Array.of(0n, 1n)) };
    expect(Object.keys(binaryToDict(inferBody({ inputs: parts }))['inputs'] as object)).toEqual(['inputs']);
  });
});

describe('an output is chosen by its own name', () => {
  it('and comes with all of its parts', async () => {
    const { body } = await post(`${sparse}?outputs=twice`, { x: twoRows });
    expect(Object.keys(body.outputs)).toEqual(['twice']);
  });

  it('not by the name of a part', async () => {
    const { status, body } = await post(`${sparse}?outputs=twice/values`, { x: twoRows });
    expect([status, body.error.message]).toEqual([
      400,
      'no output `twice/values`; `serving_default` gives `total`, `twice`',
    ]);
  });
});

describe('CBOR takes more than the parts as plain arrays', () => {
  it('rows that are typed arrays of several lengths', async () => {
    const rows = list(
      typedFloats([[1, 2]]),
      typedFloats([
        [3, 4],
        [5, 6],
      ]),
    );
    const asked = {
      model: 'ragged',
      body: map({ inputs: map({ x: list(rows) }), signature: text('nested') }),
    };
    const twice = outputsOf(await ask(server, asked)).get('twice') as Map<string, unknown>;
    expect(elements(twice.get('row_splits'))).toEqual([0n, 2n]);
    expect(elements((twice.get('values') as Map<string, unknown>).get('row_splits'))).toEqual([0n, 1n, 3n]);
  });

  it('row splits and indices of any integer type', async () => {
    const splits = tag(64, bytes(Uint8Array.of(0, 1, 3)));
    const body = map({
      inputs: map({ x: map({ values: ints(1, 2, 3), row_splits: splits }) }),
      signature: text('narrow'),
    });
    const y = outputsOf(await ask(server, { model: 'ragged', body })).get('y') as Map<string, unknown>;
    expect(elements(y.get('values'))).toEqual([2, 3, 4]);
  });
});

describe('parts by their own names', () => {
  it('are taken from forms and .npz, and given in .npz', async () => {
    const form = new FormData();
    form.set('words/values', '["a", "bcd"]');
    form.set('words/row_splits', '[0, 2]');
    const response = await server.fetch(`${ragged}?outputs=length`, { method: 'POST', body: form });
    expect(await response.json()).toMatchObject({
      outputs: { length: { values: [1, 3], row_splits: [0, 2] } },
    });
    const npz = await server.fetch(`${ragged}?outputs=length`, {
      method: 'POST',
      headers: { accept: 'application/x-npz' },
      body: form,
    });
    const zip = Buffer.from(await npz.arrayBuffer()).toString('latin1');
    expect(zip).toContain('length/values.npy');
    expect(zip).toContain('length/row_splits.npy');
  });

  it('as one field of a form they are refused, with what to send', async () => {
    const form = new FormData();
    form.set('x', JSON.stringify(twoRows));
    const response = await server.fetch(sparse, { method: 'POST', body: form });
    const { error } = (await response.json()) as Answer;
    expect(error.message).toBe(
      'input `x`: expected sparse float32 [-1, 4], got a field of a form. Send {"indices", "values", "dense_shape"} as JSON or CBOR',
    );
  });
});

describe('what does not fit together never reaches TensorFlow', () => {
  const wrong: readonly [what: string, path: string, inputs: object, message: string | RegExp][] = [
    [
      'an index outside the shape',
      sparse,
      {
        x: {
          ...twoRows,
          indices: [
            [0, 1],
            [1, 0],
            [1, 4],
          ],
        },
      },
      'input `x`: index 2 is outside the dense shape: 4 in dim 1 of size 4',
    ],
    [
      'an index below 0',
      sparse,
      {
        x: {
          ...twoRows,
          indices: [
            [0, 1],
            [-1, 0],
            [1, 3],
          ],
        },
      },
      'input `x`: index 1 is outside the dense shape: -1 in dim 0 of size 2',
    ],
    [
      'more values than indices',
      sparse,
      { x: { ...twoRows, values: [1, 2, 3, 4] } },
      'input `x` has 3 indices and 4 values: each value takes one',
    ],
    [
      'a dense shape that the signature does not have',
      sparse,
      { x: { ...twoRows, dense_shape: [2, 5] } },
      'input `x`: expected sparse float32 [-1, 4], got a dense shape of [2, 5]',
    ],
    ['a dense shape below 0', sparse, { x: { indices: [], values: [], dense_shape: [-1, 4] } }, /-1/],
    [
      'another rank',
      sparse,
      { x: { ...twoRows, dense_shape: [2] } },
      'input `x/dense_shape`: expected int64 [2], got int64 [1]',
    ],
    [
      'ranks that differ',
      `${sparse}?signature=dense`,
      { x: { indices: [[0, 0]], values: ['a'], dense_shape: [2] } },
      'input `x`: expected the same rank for indices and dense shape, got 2 and 1',
    ],
    [
      'a size beyond all bounds',
      `${sparse}?signature=dense`,
      { x: { indices: [[0, 0]], values: ['a'], dense_shape: [2 ** 31, 2 ** 31] } },
      /more than 67108864 elements when it is written out/,
    ],
    [
      'indices in a row',
      sparse,
      { x: { ...twoRows, indices: [0, 1, 1] } },
      'input `x/indices`: expected int64 [-1, 2], got int64 [3]',
    ],
    [
      'row splits that do not begin with 0',
      ragged,
      { words: { values: ['a', 'b'], row_splits: [1, 2] } },
      'input `words`: its row_splits begin with 1 and not with 0',
    ],
    [
      'row splits that descend',
      ragged,
      { words: { values: ['a', 'b'], row_splits: [0, 2, 1, 2] } },
      'input `words`: its row_splits must ascend, and 1 follows 2',
    ],
    [
      'row splits that end elsewhere',
      ragged,
      { words: { values: ['a', 'b'], row_splits: [0, 3] } },
      'input `words`: its row_splits end with 3, and there are 2 values',
    ],
    ['no row splits', ragged, { words: { values: [], row_splits: [] } }, /got row_splits \[0\]/],
    [
      'row splits of an inner dim',
      `${ragged}?signature=nested`,
      { x: { values: { values: [[1, 2]], row_splits: [0, 1] }, row_splits: [0, 2] } },
      'input `x`: its row_splits of dim 1 end with 2, and there are 1 rows within',
    ],
    [
      'one level too few',
      `${ragged}?signature=nested`,
      { x: { values: [1, 2], row_splits: [0, 2] } },
      /takes ragged float32 \[-1, -1, -1, 2\]: row 0 of it is no list/,
    ],
    [
      'the parts of the other kind',
      ragged,
      { words: twoRows },
      /expected ragged string \[-1, -1\], got a sparse tensor/,
    ],
    [
      'a tensor for a sparse input',
      sparse,
      { x: [[0, 1, 2, 3]] },
      /expected sparse float32 \[-1, 4\], got something else/,
    ],
  ];
  it.each(wrong)('%s', async (_what, path, inputs, message) => {
    const { status, body } = await post(path, inputs);
    expect([status, body.error.code]).toEqual([400, 'INVALID_ARGUMENT']);
    if (typeof message === 'string') expect(body.error.message).toBe(message);
    else expect(body.error.message).toMatch(message);
  });

  it.each([
    ragged,
    `${ragged}?signature=nested`,
    `${ragged}?signature=both`,
    sparse,
    `${sparse}?signature=dense`,
  ])('and the line of shell in the answer of %s would be taken', async (path) => {
    const { body } = await post(path, {});
    const answer = execFileSync('sh', ['-c', `${body.error.example} -s`], { encoding: 'utf8' });
    expect(JSON.parse(answer)).toMatchObject({ status: 'ok' });
    expect(JSON.stringify(body.error.example)).not.toContain('\\"');
  });
});

describe('arguments that tf.saved_model.save flattened', () => {
  const path = '/models/flattened/infer?signature=nested';

  it('are one value again', async () => {
    const { body } = await server.get('/models/flattened');
    expect(body).toMatchObject({
      signatures: {
        serving_default: { inputs: { x: { kind: 'sparse', dtype: 'float32', shape: [-1, 4] } } },
        nested: {
          inputs: {
            bias: { dtype: 'float32' },
            x: { kind: 'ragged', shape: [-1, -1, -1, 2], ragged_rank: 2 },
          },
        },
      },
    });
    const answered = await post(path, { bias: [1], x: [[[[1, 2]], []], []] });
    expect(answered.body.outputs).toEqual({
      y: [4],
      twice: { values: { values: [[2, 4]], row_splits: [0, 1, 1] }, row_splits: [0, 2, 2] },
    });
  });

  it('and are still taken as the inputs that TensorFlow names, if they fit together', async () => {
    const x = { bias: [1], x: [[1, 2]], x_1: [0, 2, 2], x_2: [0, 1, 1] };
    expect((await post(path, x)).body.outputs['y']).toEqual([4]);
    const { status, body } = await post(path, { ...x, x_2: [0, 1, 5] });
    expect([status, body.error.message]).toEqual([
      400,
      'input `x`: its row_splits of dim 2 end with 5, and there are 1 values',
    ]);
  });
});

describe('arguments of a concrete function, of which another trace is described', () => {
  const path = '/models/flattened_concrete/infer';
  const sp = { indices: [[0, 1]], values: [1.5], dense_shape: [2, 4] };

  it('are one value again', async () => {
    const { body } = await server.get('/models/flattened_concrete');
    expect(body).toMatchObject({
      signatures: {
        serving_default: { inputs: { sp: { kind: 'sparse', shape: [-1, -1] }, bias: { dtype: 'float32' } } },
        nested: { inputs: { x: { shape: [-1] }, x_1: { kind: 'ragged', ragged_rank: 1 } } },
      },
    });
    expect((await post(path, { sp, bias: [1, 2] })).body.outputs).toEqual({ y: [4, 2] });
    const parts = { sp: sp.indices, sp_1: sp.values, sp_2: sp.dense_shape, bias: [1, 2] };
    expect((await post(path, parts)).body.outputs).toEqual({ y: [4, 2] });
    const nested = await post(`${path}?signature=nested`, { x: [1, 0], x_1: [[1, 2], [3]] });
    expect(nested.body.outputs).toEqual({ y: [7, 6] });
  });

  it('and stay parts where nothing describes them, which is told', async () => {
    const { status, body } = await post(`${path}?signature=untracked`, { sp });
    expect([status, body.error.message]).toEqual([
      400,
      'input `sp`: expected int64 [-1, 2], got a sparse tensor: the model does not tell which inputs are its parts. ' +
        'Send `indices`, `values`, `dense_shape` as inputs of their own, by the names `sp`, `sp_1`, `sp_2`',
    ]);
    const parts = { sp: sp.indices, sp_1: sp.values, sp_2: sp.dense_shape };
    expect((await post(`${path}?signature=untracked`, parts)).body.outputs).toEqual({ y: [1.5, 0] });
  });
});

it('signatures say which tensors are sparse and ragged, and that they run alone', async () => {
  const { body } = await server.get('/models/ragged');
  expect(body).toMatchObject({
    signatures: {
      nested: {
        inputs: { x: { kind: 'ragged', dtype: 'float32', shape: [-1, -1, -1, 2], ragged_rank: 2 } },
        outputs: { dense: { dtype: 'float32' }, twice: { kind: 'ragged' } },
      },
      both: { inputs: { x: { kind: 'sparse', dtype: 'float32', shape: [-1, 4] } } },
    },
    batching: { nested: { choice: 'alone: `x` is a ragged tensor' } },
  });
  expect(server.log).not.toContain('could not be warmed up');
});

function typedFloats(rows: readonly (readonly number[])[]): Uint8Array {
  const data = Float32Array.from(rows.flat());
  return array([rows.length, rows[0]?.length ?? 0], 85, new Uint8Array(data.buffer));
}

/** Of a tensor as cbor-x gives it. */
function elements(item: unknown): unknown[] {
  const [, values] = (item as Tag).value as [number[], ArrayLike<unknown>];
  return Array.from(values);
}
