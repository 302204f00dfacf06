/**
 * Which requests may share a run.
 */
import { expect, it } from 'vitest';
import { QueueEntry } from '../../../src/serving/queue/queue-entry.ts';
import { createTensor, type Tensor } from '../../../src/tfjs/tensors.ts';
import { makeSignature } from '../../fixtures/codec.ts';
import { openRuntimeForTests } from '../../fixtures/runtime.ts';

openRuntimeForTests();

const signature = makeSignature({ a: ['uint8', [null, null]], b: ['uint8', [null, null]] });

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];

function entryOf(inputs: Shapes, outputs?: readonly string[]): Pick<QueueEntry, 'key' | 'rows' | 'alone'> {
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of inputs) {
    const count = shape.reduce((product, dim) => product * dim, 1);
    tensors.set(name, createTensor('uint8', shape, new Uint8Array(count)));
  }
  const request = {
    inputs: tensors,
    single: false,
    outputs,
    deadline: 0,
    succeeded: () => {},
    failed: () => {},
  };
  const { key, rows, alone } = new QueueEntry(request, signature);
  for (const tensor of tensors.values()) tensor.dispose();
  return { key, rows, alone };
}

it('the order in which a client writes its inputs makes no difference', () => {
  const one = entryOf([
    ['a', [1, 2]],
    ['b', [1, 3]],
  ]);
  expect(
    entryOf([
      ['b', [1, 3]],
      ['a', [1, 2]],
    ]),
  ).toEqual(one);
  // The same shapes in the same order, and not of the same inputs.
  expect(
    entryOf([
      ['b', [1, 2]],
      ['a', [1, 3]],
    ]).key,
  ).not.toBe(one.key);
});

it('rows are no part of the key, other dims and the outputs are', () => {
  const one = entryOf([
    ['a', [1, 2]],
    ['b', [1, 3]],
  ]);
  expect(
    entryOf([
      ['a', [5, 2]],
      ['b', [5, 3]],
    ]),
  ).toEqual({ ...one, rows: 5 });
  expect(
    entryOf([
      ['a', [1, 2]],
      ['b', [1, 4]],
    ]).key,
  ).not.toBe(one.key);
  expect(
    entryOf(
      [
        ['a', [1, 2]],
        ['b', [1, 3]],
      ],
      ['y'],
    ).key,
  ).not.toBe(one.key);
});

it.each<[what: string, inputs: Shapes]>([
  [
    'no rows',
    [
      ['a', [0, 2]],
      ['b', [0, 3]],
    ],
  ],
  [
    'rows that differ',
    [
      ['a', [2, 2]],
      ['b', [1, 3]],
    ],
  ],
])('%s: alone', (_, inputs) => {
  expect(entryOf(inputs).alone).toBe(true);
});
