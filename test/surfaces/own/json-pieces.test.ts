/**
 * JSON that is made in pieces is the JSON that is made at once.
 */
import { expect, it } from 'vitest';
import { stringifyInTurns } from '../../../src/surfaces/own/json-pieces.ts';

const value = {
  text: 'a "b"',
  'a "key"': null,
  list: [1, { deep: [true, undefined] }],
  none: undefined,
  empty: {},
  inner: { a: { b: { c: { d: 1 } } }, none: undefined },
};

it.each([1, 2, 3, 9])('%i levels deep', async (levels) => {
  expect(await stringifyInTurns(value, levels)).toBe(JSON.stringify(value));
});
