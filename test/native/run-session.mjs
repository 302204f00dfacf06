/**
 * A worker that runs a session of the main thread `runs` times, then gives it back. Reports the sum of the answers and
 * how many sessions the process had.
 */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const { addonPath, session, runs } = workerData;
const addon = createRequire(import.meta.url)(addonPath);
addon.initialize(new Uint8Array(), 1);
addon.retainSession(session);
const call = addon.prepare(session, ['twice_a'], ['PartitionedCall_2']);
let sum = 0;
for (let i = 0; i < runs; i += 1) {
  const data = new Uint8Array(Float32Array.of(i).buffer);
  const [outputs] = await addon.run(session, call, [[1, [1], data]], null);
  sum += new Float32Array(outputs[0][2].buffer)[0];
}
const { sessions } = addon.counters();
await addon.releaseSession(session);
parentPort.postMessage({ sum, sessions });
