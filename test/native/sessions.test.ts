/**
 * Sessions belong to the process: counted by reference, found by handle, closed when the last reference goes.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { NativeBinding, SessionHandle } from '../../src/engines/tensorflow/native.ts';
import { loadBinding } from '../../src/engines/tensorflow/native.ts';
import {
  addonPath,
  codeOf,
  collect,
  float32,
  floatsOf,
  load,
  modelPath,
  nothingHeld,
  openAddon,
  slowCall,
  slowFeeds,
  until,
} from './addon.ts';

let addon: NativeBinding;

beforeAll(async () => {
  const uninitialized = loadBinding(addonPath);
  expect(await codeOf(() => load(uninitialized, 'identity'))).toBe('FAILED_PRECONDITION');
  addon = openAddon();
});

test('initialize names the devices, the same ones each time, and ignores a later config', () => {
  const devices = addon.initialize(new Uint8Array(), 1);
  expect(devices).toContainEqual(expect.objectContaining({ type: 'CPU' }));
  expect(addon.initialize(Uint8Array.of(255), 2)).toEqual(devices);
  expect(addon.tensorflowVersion).toMatch(/^\d+\.\d+\.\d+/);
});

test.each<[code: string, directory: string, tags: string[], config: Uint8Array]>([
  ['NOT_FOUND', modelPath('no-such-model'), ['serve'], new Uint8Array()],
  ['NOT_FOUND', modelPath('identity'), ['no-such-tag'], new Uint8Array()],
  ['INVALID_ARGUMENT', modelPath('identity'), ['serve'], Uint8Array.of(255)],
])('a load that fails rejects with %s and leaves nothing behind', async (code, directory, tags, config) => {
  expect(await codeOf(() => addon.loadSession(directory, tags, config))).toBe(code);
  expect(addon.counters()).toMatchObject(nothingHeld);
});

test('a session is open until its last reference goes, and its handle is never used again', async () => {
  const session = await load(addon, 'signatures');
  addon.retainSession(session);
  const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
  await addon.releaseSession(session);
  const [outputs] = await addon.run(session, call, [float32([2], [1, 4])], null);
  expect(floatsOf(outputs[0])).toEqual([2, 8]);
  await addon.releaseSession(session);
  expect(addon.counters()).toMatchObject(nothingHeld);

  expect(await codeOf(() => addon.run(session, call, [float32([1], [1])], null))).toBe('FAILED_PRECONDITION');
  expect(await codeOf(() => addon.prepare(session, [], []))).toBe('FAILED_PRECONDITION');
  expect(await codeOf(() => addon.releaseSession(session))).toBe('FAILED_PRECONDITION');
  expect(await codeOf(() => addon.retainSession(session))).toBe('NOT_FOUND');
  const next = await load(addon, 'signatures');
  expect(next).not.toBe(session);
  await addon.releaseSession(next);
});

test('a call is refused under another session than its own', async () => {
  const [one, other] = [await load(addon, 'signatures'), await load(addon, 'signatures')];
  const call = addon.prepare(one, ['twice_a'], ['PartitionedCall_2']);
  expect(await codeOf(() => addon.run(other, call, [float32([1], [1])], null))).toBe('FAILED_PRECONDITION');
  await Promise.all([addon.releaseSession(one), addon.releaseSession(other)]);
});

test.each<[code: string, feeds: string[], fetches: string[]]>([
  ['NOT_FOUND', ['no_such_op:0'], ['PartitionedCall_2:0']],
  ['NOT_FOUND', ['twice_a:0'], ['PartitionedCall_2:1']],
  ['NOT_FOUND', ['twice_a:0'], ['PartitionedCall_2:-1']],
  ['NOT_FOUND', ['twice_a:0'], ['PartitionedCall_2:99999999999999999999']],
  ['NOT_FOUND', [''], [':0']],
])('prepare throws %s for %j → %j', async (code, feeds, fetches) => {
  const session = await load(addon, 'signatures');
  expect(await codeOf(() => addon.prepare(session, feeds, fetches))).toBe(code);
  await addon.releaseSession(session);
});

test('prepare throws UNIMPLEMENTED for a tensor that is no plain bytes', async () => {
  const session = await load(addon, 'stateful');
  expect(await codeOf(() => addon.prepare(session, [], ['Variable']))).toBe('UNIMPLEMENTED');
  expect(await codeOf(() => addon.prepare(session, ['Variable'], []))).toBe('UNIMPLEMENTED');
  await addon.releaseSession(session);
});

test('closing waits for the runs under way, which end well', async () => {
  const session = await load(addon, 'slow');
  const run = addon.run(session, slowCall(addon, session), slowFeeds(2_000), null);
  await until(() => addon.counters().runsInFlight === 1);
  const order: string[] = [];
  await Promise.all([
    addon.releaseSession(session).then(() => order.push('closed')),
    run.then(([outputs]) => order.push(`ran ${floatsOf(outputs[0])[0]}`)),
  ]);
  // Both end at once; what must not be is a run that failed or a session that is left.
  expect(order.sort()).toEqual(['closed', `ran ${1 + (2_000 % 128)}`]);
  expect(addon.counters()).toMatchObject(nothingHeld);
});

test('the loop turns while a model loads', async () => {
  let turns = 0;
  let loaded: SessionHandle | undefined;
  const loading = load(addon, 'big_graph').then((session) => {
    loaded = session;
  });
  while (loaded === undefined) {
    await turn();
    turns += 1;
  }
  await loading;
  // A load on the loop itself would leave a turn or two.
  expect(turns).toBeGreaterThan(100);
  await addon.releaseSession(loaded);
});

test('200 loads and unloads need no more memory than 10', async () => {
  const cycle = async () => {
    const session = await load(addon, 'signatures');
    const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
    await addon.run(session, call, [float32([1], [1])], null);
    await addon.releaseSession(session);
  };
  for (let i = 0; i < 10; i += 1) await cycle();
  await collect();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 190; i += 1) await cycle();
  await collect();
  const after = process.memoryUsage.rss();
  console.log(`rss after 10 cycles ${before >> 20} MiB, after 200 ${after >> 20} MiB`);
  expect(addon.counters()).toMatchObject(nothingHeld);
  expect(after).toBeLessThan(before * 1.05);
});
