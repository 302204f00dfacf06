/** With `--busy-poll-micros`, the event loop stays awake for the next request, and no longer than it was told to. */
import path from 'node:path';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createServer, type Server } from '#dist/index.js';
import { stayingAwake } from '../../src/http/connection/busy-poll.ts';
import { testModels } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

const request = [{}, {}] as unknown as Parameters<ReturnType<typeof stayingAwake>>;

/** Milliseconds that the loop slept while a timer ran. */
async function sleptDuring(milliseconds: number): Promise<number> {
  const before: EventLoopUtilization = performance.eventLoopUtilization();
  await delay(milliseconds);
  return performance.eventLoopUtilization(before).idle;
}

/** Waits until it does: a machine that is busy may hold it up for longer than a timer runs. */
function sleeps(): Promise<boolean> {
  return until(async () => (await sleptDuring(20)) > 0, 'the loop to sleep');
}

it('the loop does not sleep after a request, until its time is over', async () => {
  const listener = vi.fn();
  const awake = stayingAwake(listener, 60_000);
  await sleeps();
  vi.spyOn(performance, 'now');
  awake(...request);
  awake(...request);
  expect(listener).toHaveBeenCalledTimes(2);
  await delay(1);
  expect(await sleptDuring(50)).toBe(0);
  vi.mocked(performance.now).mockReturnValue(Number.MAX_SAFE_INTEGER);
  await delay(1);
  vi.restoreAllMocks();
  await sleeps();
});

describe('a server', () => {
  let server: Server;
  afterEach(() => server.close());

  async function start(busyPollMicros: number): Promise<void> {
    const modelPath = path.join(testModels, 'identity');
    server = createServer({ port: 0, modelPath, logLevel: 'silent', busyPollMicros });
    await server.start();
  }

  it('sleeps between requests', async () => {
    await start(0);
    await fetch(`${server.address}/health`);
    await sleeps();
  });

  it('that was told to does not', async () => {
    await start(1_000_000);
    const slept: number[] = [];
    // Where the machine is held up for a second, the loop has gone to sleep again: one of three is enough.
    for (let i = 0; i < 3; i++) {
      await fetch(`${server.address}/health`);
      slept.push(await sleptDuring(200));
    }
    expect(slept).toContain(0);
  });
});
