/**
 * The rows that a version is tried with before it serves.
 */
import { expect, it } from 'vitest';
import { distinctRows, makeRow } from '../../../src/control/checks/made-up-runs.ts';
import type { Dtype, FixedDtype } from '../../../src/tensors/dtypes.ts';
import { fromBfloat16, fromFloat16, viewOf } from '../../../src/tensors/values.ts';
import { viewTensor } from '../../../src/tfjs/tensors.ts';
import { openRuntimeForTests } from '../../fixtures/runtime.ts';

openRuntimeForTests();

function makeRows(dtype: FixedDtype, toNumber: (value: number) => number = Number): number[][] {
  return Array.from({ length: distinctRows }, (_, place) => {
    const tensor = makeRow({ name: 'x', dtype, shape: [null, 4, 7], graphName: 'x:0' }, place);
    const { shape, data } = viewTensor(tensor);
    expect(shape).toEqual([1, 4, 7]);
    const values = Array.from<number | bigint, number>(viewOf(dtype, data as Uint8Array), (each) =>
      toNumber(Number(each)),
    );
    tensor.dispose();
    return values;
  });
}

it.each<[FixedDtype, ((value: number) => number) | undefined]>([
  ['float16', fromFloat16],
  ['bfloat16', fromBfloat16],
  ['float32', undefined],
  ['float64', undefined],
  ['complex64', undefined],
])('of %s are positive, negative, large, and with zeros', (dtype, toNumber) => {
  const [positive, negative, large, zeros] = makeRows(dtype, toNumber) as [
    number[],
    number[],
    number[],
    number[],
  ];
  expect(positive.every((value) => value >= 0 && value <= 1)).toBe(true);
  expect(negative.every((value) => value <= 0 && value >= -1)).toBe(true);
  expect(large.every((value) => value >= 2)).toBe(true);
  expect(Math.max(...large)).toBeGreaterThan(20);
  expect(zeros.filter((value) => value === 0).length).toBeGreaterThan(zeros.length / 4);
  expect(Math.min(...zeros)).toBeLessThan(0);
  expect(Math.max(...zeros)).toBeGreaterThan(0);
});

it.each<FixedDtype>(['uint8', 'int8', 'int16', 'int32', 'int64', 'uint16', 'uint32', 'uint64', 'bool'])(
  'of %s differ from each other in most elements',
  (dtype) => {
    const rows = makeRows(dtype);
    for (const [i, row] of rows.entries())
      for (const other of rows.slice(i + 1)) {
        const different = row.filter((value, at) => value !== other[at]).length;
        expect(different === 0 ? dtype : different).toSatisfy(
          (found: unknown) => found === 'bool' || (found as number) >= row.length / 2,
        );
      }
  },
);

it.each<FixedDtype>(['int32', 'int64'])(
  'of %s are 0, 1 and 2: an index of whatever there are three of',
  (dtype) => {
    const [first, ...others] = makeRows(dtype);
    expect(new Set(first)).toEqual(new Set([0]));
    for (const row of others) expect(new Set(row)).toEqual(new Set([0, 1, 2]));
  },
);

it('of bools hold both', () => {
  for (const row of makeRows('bool')) expect(new Set(row)).toEqual(new Set([0, 1]));
});

it('of strings have several lengths, and are empty first', () => {
  const lengths = Array.from({ length: distinctRows }, (_, place) => {
    const tensor = makeRow(
      { name: 'x', dtype: 'string' satisfies Dtype, shape: [null, 4], graphName: 'x:0' },
      place,
    );
    const { data } = viewTensor(tensor);
    tensor.dispose();
    return new Set((data as readonly Uint8Array[]).map(({ length }) => length)).size;
  });
  expect(lengths).toEqual([1, 4, 4, 4]);
});
