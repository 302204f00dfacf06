/**
 * A map of very many names behaves like one of few. None of its parts grows large, because V8 moves a whole Map at
 * once.
 */
import { expect, it } from 'vitest';
import { NameMap } from '../../../src/engines/tensorflow/graph/name-map.ts';

it.each([0, 1, 2 ** 14, 100_000])('holds %i names', (count) => {
  const map = new NameMap<number>();
  for (let i = 0; i < count; i++) map.set(`block/layer_${i}/add`, i);
  // A name that comes again has its new value, in the place of the old one.
  for (const i of [0, count - 1]) if (i >= 0 && i < count) map.set(`block/layer_${i}/add`, -i);
  expect(map.isEmpty).toBe(count === 0);
  expect([...map.values()]).toHaveLength(count);
  const places = Array.from({ length: count }, (_, i) => Math.abs(map.get(`block/layer_${i}/add`) ?? 0.5));
  expect(places).toEqual(Array.from({ length: count }, (_, i) => i));
  expect([map.has('layer'), map.get('layer')]).toEqual([false, undefined]);
  if (count > 1) expect(map.get(`block/layer_${count - 1}/add`)).toBe(1 - count);
});

it.each(['n_', 'block/layer_'])('deals numbered names out evenly: %s', (prefix) => {
  const map = new NameMap<number>();
  for (let i = 0; i < 200_000; i++) map.set(`${prefix}${i}`, i);
  expect(map.largestPart).toBeLessThan(2 ** 15);
});
