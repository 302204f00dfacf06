/**
 * A process for operations that may end it: loads SavedModels and runs them as it is told over its channel. Each message is
 * answered with what came of it; one that is not answered has ended the process.
 */
import { createRequire } from 'node:module';

const [, , addonPath] = process.argv;
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
const addon = createRequire(import.meta.url)(addonPath);
addon.initialize(new Uint8Array(), 1);
addon.registerGuard();

let session;
let call;

process.on('disconnect', () => addon.exitNow(0));
process.on('message', (message) => {
  const work = message.kind === 'load' ? load(message) : run(message);
  work.then(
    (outputs) => process.send({ outputs }),
    (error) => process.send({ error: `${error.code}: ${error.message}` }),
  );
});

async function load({ directory, feeds, fetches }) {
  if (session !== undefined) await addon.releaseSession(session);
  session = undefined;
  session = await addon.loadSession(directory, ['serve'], new Uint8Array());
  call = addon.prepare(session, feeds, fetches);
}

async function run({ feeds, keeps = false }) {
  const [outputs] = await addon.run(session, call, feeds, null);
  return keeps ? outputs : undefined;
}
