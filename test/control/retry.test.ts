/**
 * When a version that could not be loaded is tried again.
 */
import { expect, it } from 'vitest';
import { isPassing, nextTryAfter } from '../../src/control/retry.ts';

/** Milliseconds from now. */
function pause(failures: number): number {
  const before = performance.now();
  return nextTryAfter(failures).due - before;
}

it('waits about a second at first, longer after each failure, and never much longer than five minutes', () => {
  const pauses = Array.from({ length: 12 }, (_, i) => pause(i + 1));
  expect(pauses[0]).toBeGreaterThanOrEqual(800);
  for (let i = 1; i <= 8; i++) expect(pauses[i]).toBeGreaterThan(pauses[i - 1] as number);
  expect(Math.max(...pauses, pause(5000))).toBeLessThan(361_000);
});

it('says the same moment for people', () => {
  const { due, at } = nextTryAfter(3);
  const fromNow = at.getTime() - Date.now();
  expect(Math.abs(fromNow - (due - performance.now()))).toBeLessThan(1000);
});

it('does not come back at the same moment on every server', () => {
  expect(new Set(Array.from({ length: 20 }, () => Math.round(pause(9)))).size).toBeGreaterThan(1);
});

it('is for failures that pass by themselves', () => {
  expect(isPassing('UNAVAILABLE') && isPassing('RESOURCE_EXHAUSTED') && isPassing('DEADLINE_EXCEEDED')).toBe(
    true,
  );
  expect(isPassing('DATA_LOSS') || isPassing('NOT_FOUND') || isPassing('FAILED_PRECONDITION')).toBe(false);
});
