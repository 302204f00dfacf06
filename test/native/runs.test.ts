/**
 * Runs: off the loop, first come first served, owning what they use and leaving nothing behind.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Feed, NativeBinding, SessionHandle } from '../../src/engines/tensorflow/native.ts';
import {
  bytesOf,
  codeOf,
  collect,
  float32,
  floatsOf,
  identityNames,
  load,
  modelPath,
  nothingHeld,
  openAddon,
  pattern,
  runThreads,
  slowCall,
  slowFeeds,
  stringDtype,
  until,
} from './addon.ts';

let addon: NativeBinding;
const sessions = new Map<string, SessionHandle>();

beforeAll(async () => {
  addon = openAddon();
  for (const model of ['identity', 'slow', 'failing', 'stateful', 'signatures', 'strings']) {
    sessions.set(model, await load(addon, model));
  }
});

afterAll(async () => {
  for (const session of sessions.values()) await addon.releaseSession(session);
  await collect();
  expect(addon.counters()).toMatchObject(nothingHeld);
});

function sessionOf(model: string): SessionHandle {
  const session = sessions.get(model);
  if (session === undefined) throw new Error(`${model} is not loaded`);
  return session;
}

/** RunOptions { timeout_in_ms } with a value below 128. */
const timeoutOf = (milliseconds: number) => Uint8Array.of(0x10, milliseconds);

describe('the loop is free', () => {
  test('while a run is under way', async () => {
    const session = sessionOf('slow');
    let done = false;
    const run = addon.run(session, slowCall(addon, session), slowFeeds(5_000), null).finally(() => {
      done = true;
    });
    let turns = 0;
    while (!done) {
      await turn();
      turns += 1;
    }
    expect(turns).toBeGreaterThan(100);
    expect(floatsOf((await run)[0][0])).toEqual([1 + (5_000 % 128)]);
  });

  test('while more runs are under way than there are threads, and they start in order', async () => {
    const session = sessionOf('slow');
    const call = slowCall(addon, session);
    const runs = Array.from({ length: 3 * runThreads }, () => addon.run(session, call, slowFeeds(300), null));
    await until(() => addon.counters().runsInFlight === runThreads);
    expect(addon.counters().runsQueued).toBeGreaterThan(0);
    const waits = (await Promise.all(runs)).map(([, queueMicros]) => queueMicros);
    // Of the runs that had to wait, a whole run lies between the starts of the first and the last.
    expect(waits[runThreads]).toBeLessThan(waits[3 * runThreads - 1] ?? 0);
    expect(addon.counters()).toMatchObject({ runsQueued: 0, runsInFlight: 0 });
  });
});

test('large feeds survive the collection of their buffers while the run waits', async () => {
  const slow = sessionOf('slow');
  const identity = sessionOf('identity');
  const { feed, fetch } = identityNames('uint8');
  const call = addon.prepare(identity, [feed], [fetch]);
  const size = 500_000;
  const busy = Array.from({ length: runThreads }, () =>
    addon.run(slow, slowCall(addon, slow), slowFeeds(20_000), null),
  );
  const runs = Array.from({ length: 20 }, (_, i) =>
    addon.run(identity, call, [[4, [size], new Uint8Array(size).fill(i)]], null),
  );
  // The collector frees buffers in the background, and is sure to have done so at its next turn.
  for (let i = 0; i < 3; i += 1) await collect();
  expect(addon.counters().runsQueued).toBe(20);
  // Whoever took freed memory would now read these.
  const others = Array.from({ length: 300 }, () => new Uint8Array(size).fill(255));
  for (const [i, [outputs]] of (await Promise.all(runs)).entries()) {
    const bytes = bytesOf(outputs[0]);
    expect(bytes.every((byte) => byte === i)).toBe(true);
    addon.free(bytes.buffer);
  }
  expect(others.every((other) => other[0] === 255)).toBe(true);
  await Promise.all(busy);
});

describe('a run on this thread', () => {
  test('gives what one in the pool gives, at once', async () => {
    const session = sessionOf('signatures');
    const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
    const feeds = [float32([3], [1, -2.5, 0])];
    const [outputs, queueMicros, runMicros] = addon.runHere(session, call, feeds);
    expect(floatsOf(outputs[0])).toEqual([2, -5, 0]);
    const inPool = await addon.run(session, call, feeds, null);
    expect(outputs).toEqual(inPool[0]);
    expect([queueMicros, runMicros].every((micros) => micros >= 0)).toBe(true);
    expect(addon.counters()).toMatchObject({ runsQueued: 0, runsInFlight: 0, tensors: 0 });
  });

  test('takes denormals for zero, as those in the pool do, and leaves them to JavaScript', async () => {
    const session = sessionOf('signatures');
    const call = addon.prepare(session, ['mul_a', 'mul_b'], ['PartitionedCall']);
    const feeds = [float32([1], [2 ** -140]), float32([1], [1])];
    const [outputs] = addon.runHere(session, call, feeds);
    expect(outputs).toEqual((await addon.run(session, call, feeds, null))[0]);
    expect(floatsOf(outputs[0])).toEqual([process.arch === 'x64' ? 0 : expect.any(Number)]);
    expect(Number.MIN_VALUE * 1).toBeGreaterThan(0);
  });

  test('throws what one in the pool rejects with', async () => {
    const session = sessionOf('failing');
    const call = addon.prepare(session, ['serving_default_x', 'serving_default_w'], ['PartitionedCall']);
    const feeds = [float32([1, 2], [1, 2]), float32([3, 1], [1, 2, 3])];
    for (const wrong of [feeds, [], [feeds[0] as Feed]]) {
      const rejected = await addon.run(session, call, wrong, null).catch((error: unknown) => error);
      expect(() => addon.runHere(session, call, wrong)).toThrow(rejected as Error);
      expect(await codeOf(() => addon.runHere(session, call, wrong))).toBe('INVALID_ARGUMENT');
    }
    expect(addon.counters()).toMatchObject({ runsInFlight: 0, tensors: 0 });
  });
});

describe('a run that fails', () => {
  test('rejects with the code and the words of TensorFlow', async () => {
    const session = sessionOf('failing');
    const call = addon.prepare(session, ['serving_default_x', 'serving_default_w'], ['PartitionedCall']);
    const feeds = [float32([1, 2], [1, 2]), float32([3, 1], [1, 2, 3])];
    await expect(addon.run(session, call, feeds, null)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/Matrix size-incompatible/),
    });
  });

  test('as does one with the wrong number of feeds, none to fetch, or run options that are none', async () => {
    const session = sessionOf('signatures');
    const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
    const feed = float32([1], [1]);
    expect(await codeOf(() => addon.run(session, call, [], null))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => addon.run(session, call, [feed, feed], null))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => addon.run(session, call, [feed], Uint8Array.of(255)))).toBe('INVALID_ARGUMENT');
    const nothing = addon.prepare(session, ['twice_a'], []);
    expect(await codeOf(() => addon.run(session, nothing, [feed], null))).toBe('INVALID_ARGUMENT');
  });

  test('as does one that outlives the timeout in its run options', async () => {
    const session = sessionOf('slow');
    const run = () => addon.run(session, slowCall(addon, session), slowFeeds(1_000_000), timeoutOf(20));
    expect(await codeOf(run)).toBe('DEADLINE_EXCEEDED');
    await until(() => addon.counters().runsInFlight === 0);
  });

  test('leaves nothing behind, 10,000 times', async () => {
    const session = sessionOf('failing');
    const call = addon.prepare(session, ['wrong_channels_image'], ['StatefulPartitionedCall_1']);
    // 256 KiB: leaked inputs would come to 2.4 GiB.
    const feed: Feed = [4, [1, 256, 256, 4], pattern(256 * 256 * 4)];
    const fail = async () => {
      const codes = await Promise.all(
        Array.from({ length: 10 }, () => codeOf(() => addon.run(session, call, [feed], null))),
      );
      expect(new Set(codes)).toEqual(new Set(['INVALID_ARGUMENT']));
    };
    for (let i = 0; i < 50; i += 1) await fail();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 950; i += 1) await fail();
    const after = process.memoryUsage.rss();
    console.log(`rss after 500 failed runs ${before >> 20} MiB, after 10,000 ${after >> 20} MiB`);
    expect(addon.counters()).toMatchObject({ runsQueued: 0, runsInFlight: 0, tensors: 0, tensorBytes: 0 });
    expect(after - before).toBeLessThan(64 << 20);
  });
});

test('strings of a megabyte leave nothing behind, 1,000 times', async () => {
  const session = sessionOf('strings');
  const call = addon.prepare(session, ['serving_default_text'], ['PartitionedCall:0']);
  const text = Buffer.alloc(1 << 20, 'a');
  const run = async () => {
    const [outputs] = await addon.run(session, call, [[stringDtype, [1], [text]]], null);
    expect(new Int32Array(bytesOf(outputs[0]).buffer)[0]).toBe(1 << 20);
  };
  for (let i = 0; i < 50; i += 1) await run();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 1_000; i += 1) await run();
  const after = process.memoryUsage.rss();
  console.log(`rss after 50 runs of 1 MiB strings ${before >> 20} MiB, after 1,050 ${after >> 20} MiB`);
  expect(addon.counters()).toMatchObject({ tensors: 0, tensorBytes: 0 });
  expect(after - before).toBeLessThan(64 << 20);
});

describe('a traced run', () => {
  /** RunOptions { trace_level: SOFTWARE_TRACE } */
  const softwareTrace = Uint8Array.of(0x08, 1);

  test('gives the same outputs, and what TensorFlow recorded of its operations', async () => {
    const session = sessionOf('slow');
    const call = slowCall(addon, session);
    const [[outputs], metadata] = await addon.runTraced(session, call, slowFeeds(3), softwareTrace, 1 << 20);
    expect(floatsOf(outputs[0])).toEqual([1 + 3]);
    // oneDNN has a MatMul of its own.
    const products = Buffer.from(metadata ?? [])
      .toString('latin1')
      .match(/= (_Mkl)?MatMul\(/g);
    expect(products).toHaveLength(3);
  });

  test('gives nothing if that is larger than allowed, and little if nothing was asked for', async () => {
    const session = sessionOf('slow');
    const call = slowCall(addon, session);
    const [[outputs], metadata] = await addon.runTraced(session, call, slowFeeds(3), softwareTrace, 1000);
    expect([floatsOf(outputs[0]), metadata]).toEqual([[1 + 3], null]);
    expect((await addon.runTraced(session, call, slowFeeds(3), null, 0))[1]).toHaveLength(0);
  });

  test('that fails rejects as any other', async () => {
    const session = sessionOf('failing');
    const call = addon.prepare(session, ['serving_default_x', 'serving_default_w'], ['PartitionedCall']);
    const feeds = [float32([1, 2], [1, 2]), float32([3, 1], [1, 2, 3])];
    const run = () => addon.runTraced(session, call, feeds, softwareTrace, 1 << 20);
    expect(await codeOf(run)).toBe('INVALID_ARGUMENT');
    expect(addon.counters()).toMatchObject({ runsInFlight: 0, tensors: 0, tensorBytes: 0 });
  });
});

describe('an output', () => {
  test('that is large is given back at once by free(), which detaches its buffer', async () => {
    const session = sessionOf('identity');
    const { feed, fetch } = identityNames('uint8');
    const call = addon.prepare(session, [feed], [fetch]);
    const data = pattern(1 << 20);
    const [outputs] = await addon.run(session, call, [[4, [1 << 20], data]], null);
    const bytes = bytesOf(outputs[0]);
    expect(Buffer.compare(bytes, data)).toBe(0);
    expect(addon.counters()).toMatchObject({ tensors: 1, tensorBytes: 1 << 20 });
    const { buffer } = bytes;
    addon.free(buffer);
    expect(addon.counters()).toMatchObject({ tensors: 0, tensorBytes: 0 });
    expect([buffer.byteLength, bytes.length]).toEqual([0, 0]);
    addon.free(buffer);
  });

  test('that nobody frees is freed by the collector', async () => {
    const session = sessionOf('identity');
    const { feed, fetch } = identityNames('uint8');
    const call = addon.prepare(session, [feed], [fetch]);
    await addon.run(session, call, [[4, [1 << 20], pattern(1 << 20)]], null);
    expect(addon.counters().tensors).toBe(1);
    while (addon.counters().tensors > 0) await collect();
    expect(addon.counters().tensorBytes).toBe(0);
  });

  test('that is small holds no tensor and has a buffer of its own', async () => {
    const session = sessionOf('signatures');
    const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
    const { tensors } = addon.counters();
    const [outputs] = await addon.run(session, call, [float32([2], [1, 2])], null);
    expect(addon.counters().tensors).toBe(tensors);
    expect(bytesOf(outputs[0]).buffer.byteLength).toBe(8);
  });

  test("that is a variable's memory is a copy: writing to it does not change the model", async () => {
    const session = sessionOf('stateful');
    const call = addon.prepare(session, [], ['StatefulPartitionedCall']);
    const read = async () => bytesOf((await addon.run(session, call, [], null))[0][0]);
    const first = await read();
    const weights = first.slice();
    first.fill(255);
    const second = await read();
    expect(second).toEqual(weights);
    addon.free(first.buffer);
    addon.free(second.buffer);
  });

  test('that is the feed passed through, fetched twice, is two memories', async () => {
    const session = sessionOf('identity');
    const { feed, fetch } = identityNames('uint8');
    const call = addon.prepare(session, [feed], [fetch, fetch]);
    const data = pattern(1 << 16);
    const [outputs] = await addon.run(session, call, [[4, [1 << 16], data]], null);
    const [one, other] = outputs.map(bytesOf);
    one?.fill(0);
    expect(other).toEqual(data);
    expect(data).toEqual(pattern(1 << 16));
    for (const output of outputs) addon.free(bytesOf(output).buffer);
  });
});

test('denormals are flushed on the run threads as on those of TensorFlow', async () => {
  // ConfigProto { inter_op_parallelism_threads: -1 }: kernels run on our own thread.
  const callerThread = Uint8Array.of(0x28, ...Array(9).fill(0xff), 0x01);
  const session = await addon.loadSession(modelPath('signatures'), ['serve'], callerThread);
  const call = addon.prepare(session, ['mul_a', 'mul_b'], ['PartitionedCall']);
  const [outputs] = await addon.run(session, call, [float32([1], [1e-20]), float32([1], [1e-20])], null);
  expect(floatsOf(outputs[0])).toEqual([0]);
  await addon.releaseSession(session);
});
