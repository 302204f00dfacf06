/**
 * Terminates worker threads with 100 runs under way, at four different moments, again and again. Ends with 0 if the
 * process survives and the addon holds nothing afterwards.
 *
 *     node terminate.mjs ADDON MODELS ROUNDS with-main|without-main
 *
 * with-main: the main thread uses the addon too and shares a session with the workers. without-main: each worker is the
 * last to use the addon, so its end stops all threads, and Node would unload the library under TensorFlow.
 */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';

const [addonPath, models, rounds, mode] = process.argv.slice(2);
const moments = ['at once', 'first answer', 'load', 'copies'];
const openAddon = () => createRequire(import.meta.url)(addonPath);

let session = null;
if (mode === 'with-main') {
  openAddon().initialize(new Uint8Array(), 4);
  session = await openAddon().loadSession(`${models}/identity/1`, ['serve'], new Uint8Array());
}

for (let round = 0; round < Number(rounds); round += 1) {
  const workerData = { addonPath, models, session, moment: moments[round % moments.length] };
  const worker = new Worker(new URL('flood.mjs', import.meta.url), { workerData });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
}

const addon = openAddon();
if (session !== null) await addon.releaseSession(session);
const idle = () =>
  Object.entries(addon.counters()).every(([name, value]) => value === (name === 'environments' ? 1 : 0));
// The last thread to use the addon leaves nothing to wait for.
if (mode === 'without-main' && !idle()) throw new Error(JSON.stringify(addon.counters()));
// Else runs that TensorFlow had begun, and closes behind them, are still to end; the caller's timeout is the limit.
while (!idle()) await delay(10);
console.log(`${rounds} rounds ${mode}:`, JSON.stringify(addon.counters()));
