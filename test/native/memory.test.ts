/**
 * The memory of a session goes back to the system once it is closed. Memory that runs have freed goes back once there
 * are no runs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { idleCheck } from '../../src/engines/tensorflow/idle-memory.ts';
import type { Feed } from '../../src/engines/tensorflow/native.ts';
import { makeZeros, zerosBytes } from '../fixtures/zeros.ts';
import { bytesOf, float32, floatsOf, modelPath, nothingHeld, openAddon, until } from './addon.ts';

const addon = openAddon();
let root: string;
let model: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-memory-'));
  model = path.join(root, '1');
  await makeZeros(model);
});

afterAll(async () => {
  await rm(root, { recursive: true });
});

const load = () => addon.loadSession(model, ['serve'], new Uint8Array());

/** Bytes of this process that lie in memory. */
const resident = () => process.memoryUsage().rss;

test('the weights lie in our arena, once, and closing the session empties it', async () => {
  expect(addon.counters().arenaBytes).toBe(0);
  const session = await load();
  const { arenaBytes } = addon.counters();
  expect(arenaBytes).toBeGreaterThanOrEqual(zerosBytes);
  expect(arenaBytes).toBeLessThan(1.01 * zerosBytes);
  const call = addon.prepare(session, ['x:0'], ['y:0']);
  const [[y]] = await addon.run(session, call, [float32([2], [1, 2])], null);
  expect(floatsOf(y)).toEqual([1, 2]);
  await addon.releaseSession(session);
  expect(addon.counters()).toMatchObject({ ...nothingHeld, arenaBytes: 0 });
});

test('resident memory after a close is that before the load, time and again', async () => {
  await addon.releaseSession(await load());
  const before = resident();
  for (let round = 0; round < 5; round++) {
    const session = await load();
    expect(resident() - before).toBeGreaterThan(0.9 * zerosBytes);
    await addon.releaseSession(session);
    expect(resident() - before).toBeLessThan(0.1 * zerosBytes);
  }
});

test('one session keeps its weights while another is closed', async () => {
  const kept = await load();
  const call = addon.prepare(kept, ['x:0'], ['y:0']);
  await addon.releaseSession(await load());
  expect(addon.counters().arenaBytes).toBeLessThan(1.01 * zerosBytes);
  const [[y]] = await addon.run(kept, call, [float32([1], [3])], null);
  expect(floatsOf(y)).toEqual([3]);
  await addon.releaseSession(kept);
});

test('what runs have freed is the system’s again once they have ceased, with the model still open', async () => {
  const session = await addon.loadSession(modelPath('signatures'), ['serve'], new Uint8Array());
  const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
  const check = idleCheck(addon);
  check();
  const floats = 2 ** 24;
  const feed: Feed = [1, [floats], new Uint8Array(4 * floats)];
  const before = resident();
  const [outputs] = await addon.run(session, call, [feed], null);
  addon.free(bytesOf(outputs[0]).buffer);
  expect(resident() - before).toBeGreaterThan(4 * floats);
  // Something was freed since the last look.
  check();
  expect(resident() - before).toBeGreaterThan(4 * floats);
  check();
  await until(() => resident() - before < 0.2 * 4 * floats);
  await addon.releaseSession(session);
});
