/** Permits bound the work that goes on at once. */
import { expect, it } from 'vitest';
import { Permits } from '../../src/flow/permits.ts';

it('no more goes on at once than there are permits, in the order of coming, whatever fails', async () => {
  const permits = new Permits(2);
  const begun: number[] = [];
  const ends: ((fails: boolean) => void)[] = [];
  const all = [0, 1, 2, 3, 4].map((i) =>
    permits.run(
      () =>
        new Promise<number>((resolve, reject) => {
          begun.push(i);
          ends[i] = (fails) => (fails ? reject(new Error(`${i}`)) : resolve(i));
        }),
    ),
  );
  const settled = Promise.allSettled(all);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(begun).toEqual([0, 1]);
  ends[1]?.(true);
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.(false);
  ends[2]?.(false);
  await turn();
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  ends[3]?.(true);
  ends[4]?.(false);
  expect((await settled).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  // All permits are back.
  const more: number[] = [];
  const kept = [0, 1, 2].map((i) => permits.run(() => new Promise<void>(() => more.push(i))));
  await turn();
  expect([kept.length, more]).toEqual([3, [0, 1]]);
});
