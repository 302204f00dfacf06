/** Numbers that several event loops write and any of them reads. */
import { expect, it } from 'vitest';
import { SharedNumbers } from '../../src/flow/shared-numbers.ts';

const loop = (index: number) => ({ index, count: 3 });

it('any loop reads the sum of what each of them has written', () => {
  const first = SharedNumbers.make(loop(0), 2);
  const second = SharedNumbers.open(first.memory, loop(1));
  const third = SharedNumbers.open(first.memory, loop(2));
  first.mine[0] = 1;
  second.mine[0] = 20;
  third.mine[0] = 300;
  third.mine[1] = 4;
  for (const numbers of [first, second, third]) {
    expect([numbers.total(0), numbers.total(1), numbers.greatest(0)]).toEqual([321, 4, 300]);
  }
});

it('a loop that goes leaves nothing once its numbers are cleared, and its successor goes on from there', () => {
  const first = SharedNumbers.make(loop(0), 1);
  first.of(2)[0] = 7;
  expect(first.total(0)).toBe(7);
  first.of(2).fill(0);
  const successor = SharedNumbers.open(first.memory, loop(2));
  successor.mine[0] = 1;
  expect(first.total(0)).toBe(1);
});

it('numbers of a process with one loop are memory of that loop alone', () => {
  expect(SharedNumbers.make({ index: 0, count: 1 }, 1).memory).toBeInstanceOf(ArrayBuffer);
});
