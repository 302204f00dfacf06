/**
 * A process that ends in one of several ways with work of the addon under way.
 *
 *     node end.mjs ADDON MODELS HOW [RUNS]
 */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';

process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';

const [addonPath, models, how, runs] = process.argv.slice(2);
const addon = createRequire(import.meta.url)(addonPath);
addon.initialize(new Uint8Array(), 4);
const load = (model) => addon.loadSession(`${models}/${model}/1`, ['serve'], new Uint8Array());
const session = await load('slow');
const call = addon.prepare(
  session,
  ['serving_default_x', 'serving_default_steps'],
  ['StatefulPartitionedCall'],
);

/** Runs of this many steps; a million take a minute. */
function run(steps) {
  return addon.run(
    session,
    call,
    [
      [1, [1], new Uint8Array(Float32Array.of(1).buffer)],
      [3, [], new Uint8Array(Int32Array.of(steps).buffer)],
    ],
    null,
  );
}

async function underWay() {
  for (let i = 0; i < 20; i += 1) run(1_000_000).catch(() => {});
  while (addon.counters().runsInFlight < 4) await delay(1);
}

switch (how) {
  case 'exit':
    await underWay();
    process.exit(0);
    break;
  case 'exit in the first runs':
    // What TensorFlow sets up in these is what exit() takes down first.
    for (let i = 0; i < Number(runs); i += 1) run(3).catch(() => {});
    process.exit(0);
    break;
  case 'throw':
    await underWay();
    throw new Error('on purpose');
  case 'exit while loading':
    load('big_graph');
    while (addon.counters().loadsInFlight === 0) await delay(1);
    process.exit(0);
    break;
  case 'exit while a load never ends':
    load('../unsafe_models/endless');
    while (addon.counters().loadsInFlight === 0) await delay(1);
    process.exit(3);
    break;
  case 'exit while closing':
    await underWay();
    addon.releaseSession(session);
    while (addon.counters().closesInFlight === 0) await delay(1);
    process.exit(0);
    break;
  case 'exitNow':
    await underWay();
    addon.exitNow(7);
    break;
  case 'pending':
    // Nothing but the promise keeps the process alive.
    run(2_000).then(([outputs]) => console.log(new Float32Array(outputs[0][2].buffer)[0]));
    break;
  case 'idle':
    // An open session must not keep it alive.
    await run(1);
    break;
}
