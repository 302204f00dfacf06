import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { explainError, InstallFailure } from './failure.js';
import { thisHost } from './host.js';
import { install, installDist } from './install.js';

const quiet = process.argv.includes('--quiet');
const distOnly = process.argv.includes('--dist');
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

const interrupted = new AbortController();
for (const [signal, exitCode] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])) {
  process.once(signal, () => {
    const sentence = 'Interrupted: run the same command again to go on, finished steps are kept.';
    interrupted.abort(new InstallFailure(sentence, { exitCode }));
  });
}

try {
  const options = { root, host: thisHost(), signal: interrupted.signal };
  if (distOnly) report(await installDist(options), 'dist/');
  else {
    const { done, libtensorflow, warning } = await install({ ...options, retryAddon: !quiet });
    if (warning !== null) console.error(`[install] warning: ${warning}.`);
    report(done, libtensorflow);
  }
} catch (thrown) {
  const error = explainError(interrupted.signal.aborted ? interrupted.signal.reason : thrown);
  if (!(error instanceof InstallFailure)) throw error;
  console.error(`[install] ${error.message}`);
  process.exitCode = error.exitCode;
}

/**
 * @param {readonly string[]} done
 * @param {string} what is there now
 */
function report(done, what) {
  if (quiet && done.length === 0) return;
  const steps = done.length === 0 ? 'nothing to do' : `done: ${done.join(', ')}`;
  console.error(`[install] ready, with ${what}; ${steps}.`);
}
