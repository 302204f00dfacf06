/**
 * The rows that a version is tried with before it serves.
 */
import { expect, it } from 'vitest';
import type { Dtype, FixedDtype } from '../../src/runtime/dtypes.ts';
import { viewTensor } from '../../src/runtime/tensors.ts';
import { fromBfloat16, fromFloat16, viewOf } from '../../src/runtime/values.ts';
import { distinctRows, makeRow } from '../../src/serving/beforehand.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

it.each<[Dtype, number, (value: number) => number]>([
  ['uint8', 32, Number],
  ['float16', 0.12, fromFloat16],
  ['bfloat16', 0.12, fromBfloat16],
  ['float32', 0.124, Number],
  ['float64', 0.124, Number],
])('of %s differ in each element', (dtype, least, toNumber) => {
  const rows = Array.from({ length: distinctRows }, (_, place) => {
    const tensor = makeRow({ name: 'x', dtype, shape: [null, 3, 7], graphName: 'x:0' }, place);
    const { shape, data } = viewTensor(tensor);
    expect(shape).toEqual([1, 3, 7]);
    const values = Array.from<number | bigint, number>(
      viewOf(dtype as FixedDtype, data as Uint8Array),
      (each) => toNumber(Number(each)),
    );
    tensor.dispose();
    return values;
  });
  for (const [i, row] of rows.entries())
    for (const other of rows.slice(i + 1))
      for (const [at, value] of row.entries())
        expect(Math.abs(value - (other[at] as number))).toBeGreaterThanOrEqual(least);
});
