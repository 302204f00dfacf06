/**
 * A map that keeps its newest entries.
 */
import { expect, it } from 'vitest';
import { Newest } from '../../src/flow/newest.ts';

it('forgets the entry that was set the longest ago', () => {
  const newest = new Newest<string, number>(2);
  newest.set('a', 1);
  newest.set('b', 2);
  newest.set('a', 3);
  newest.set('c', 4);
  expect(['a', 'b', 'c'].map((key) => newest.get(key))).toEqual([3, undefined, 4]);
});

it('has room again for each entry that is deleted', () => {
  const newest = new Newest<string, number>(2);
  newest.set('a', 1);
  newest.set('b', 2);
  newest.delete('b');
  newest.set('c', 3);
  expect(['a', 'b', 'c'].map((key) => newest.get(key))).toEqual([1, undefined, 3]);
});
