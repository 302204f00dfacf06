/**
 * Calls of the file system that never end: told after a while, and never so many that nobody can read a file.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { StorageCalls } from '../../src/files/storage-call.ts';
import { isStorageFailure } from '../../src/files/storage-failure.ts';

/** A call that the test ends. */
function hanging() {
  let end = () => {};
  const call = new Promise<string>((resolve) => {
    end = () => resolve('late');
  });
  return { call, end };
}

it('gives what a call gives, and throws what it throws', async () => {
  const calls = new StorageCalls(60);
  expect(await calls.make(async () => 7)).toBe(7);
  await expect(calls.make(() => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
});

it('a call that hangs is the storage’s failure; while two hang no third is begun', async () => {
  const calls = new StorageCalls(0.01);
  const stuck = [hanging(), hanging()];
  for (const { call } of stuck) {
    const error: unknown = await calls.make(() => call).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringContaining('took more than 0.01 s') });
    expect(isStorageFailure(error)).toBe(true);
  }
  let begun = false;
  const third = calls.make(async () => {
    begun = true;
  });
  await expect(third).rejects.toThrow('2 earlier calls of the file system still hang');
  expect(begun).toBe(false);
  stuck[0]?.end();
  while (calls.stuck === 2) await delay(1);
  expect(await calls.make(async () => 'again')).toBe('again');
});
