/**
 * A worker to be terminated: puts 100 runs of every kind under way, says so, and goes on living.
 *
 * Kinds: small feeds copied at once and large ones still to be copied, strings, failures, outputs copied and exposed, runs
 * that are traced, and a load that is not over.
 */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const { addonPath, models, session: shared, moment } = workerData;
const addon = createRequire(import.meta.url)(addonPath);
addon.initialize(new Uint8Array(), 4);

const load = (model) => addon.loadSession(`${models}/${model}/1`, ['serve'], new Uint8Array());
const say = () => parentPort.postMessage('now');

const identity = shared ?? (await load('identity'));
if (shared !== null) addon.retainSession(shared);
const slow = await load('slow');

const int32 = (value) => new Uint8Array(Int32Array.of(value).buffer);
const float32 = (value) => new Uint8Array(Float32Array.of(value).buffer);
const bytes = addon.prepare(identity, ['uint8_x'], ['PartitionedCall_17']);
const strings = addon.prepare(identity, ['string_x'], ['PartitionedCall_13']);
const steps = addon.prepare(
  slow,
  ['serving_default_x', 'serving_default_steps'],
  ['StatefulPartitionedCall'],
);
const stepsFeeds = [
  [1, [1], float32(1)],
  [3, [], int32(200)],
];

function runOf(kind, size) {
  switch (kind) {
    case 0:
      return addon.run(identity, bytes, [[4, [size], new Uint8Array(size).fill(7)]], null);
    case 1: {
      const data = Array.from({ length: 3 }, () => new Uint8Array(size).fill(7));
      return addon.run(identity, strings, [[7, [3], data]], null);
    }
    case 2:
      return addon.run(identity, bytes, [[4, [size + 1], new Uint8Array(size)]], null);
    case 3:
      return addon.run(slow, steps, stepsFeeds, null);
    default:
      // RunOptions { trace_level: SOFTWARE_TRACE }
      return addon.runTraced(slow, steps, stepsFeeds, Uint8Array.of(0x08, 1), 1 << 24);
  }
}

const kept = [];
const keep = (result) => {
  kept.push(result);
  if (moment === 'first answer') say();
};
for (let i = 0; i < 100; i += 1) {
  runOf(i % 5, i % 10 < 5 ? 300 : 300_000).then(keep, keep);
}
if (moment === 'load') load('big_graph').then(keep, keep);
if (moment !== 'first answer') say();
// Large feeds again and again, so that the end comes in the middle of a copy.
if (moment === 'copies') for (;;) await runOf(0, 3_000_000).then(keep, keep);
setInterval(() => {}, 1_000);
