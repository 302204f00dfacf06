/**
 * `--busy-poll-micros`: the loop does not wait for the next request in the kernel, and for no longer than it was told to.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { stayingAwake } from '../../src/http/busy-poll.ts';
import { map, text } from '../fixtures/cbor.ts';
import { TestServer } from '../fixtures/server.ts';

const request = [{}, {}] as unknown as Parameters<ReturnType<typeof stayingAwake>>;

/** Milliseconds that the loop slept while a timer ran. */
async function sleptDuring(milliseconds: number): Promise<number> {
  const before: EventLoopUtilization = performance.eventLoopUtilization();
  await delay(milliseconds);
  return performance.eventLoopUtilization(before).idle;
}

it('the loop does not sleep after a request, until its time is over', async () => {
  const listener = vi.fn();
  const awake = stayingAwake(listener, 60_000);
  expect(await sleptDuring(20)).toBeGreaterThan(0);
  vi.spyOn(performance, 'now');
  awake(...request);
  awake(...request);
  expect(listener).toHaveBeenCalledTimes(2);
  await delay(1);
  expect(await sleptDuring(50)).toBe(0);
  vi.mocked(performance.now).mockReturnValue(Number.MAX_SAFE_INTEGER);
  await delay(1);
  vi.restoreAllMocks();
  expect(await sleptDuring(20)).toBeGreaterThan(0);
});

it('a server that stays awake answers, goes to sleep again, and ends when it is told to', async () => {
  const server = await TestServer.start({ args: ['--busy-poll-micros', '300000'] });
  try {
    for (let i = 0; i < 3; i++) {
      const { status } = await server.infer('/models/half_plus_two/infer', map({ x: text('no number') }));
      expect(status).toBe(400);
    }
  } finally {
    expect(await server.stop()).toBe(0);
  }
});
