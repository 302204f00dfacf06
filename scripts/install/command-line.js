import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { explainError, InstallFailure } from './failure.js';
import { thisHost } from './host.js';
import { install } from './install.js';

const quiet = process.argv.includes('--quiet');
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
  const { done, libtensorflow, warning } = await install({
    root,
    host: thisHost(),
    signal: interrupted.signal,
    retryAddon: !quiet,
  });
  if (warning !== null) console.error(`[install] warning: ${warning}.`);
  if (!quiet || done.length > 0) {
    const steps = done.length === 0 ? 'nothing to do' : `done: ${done.join(', ')}`;
    console.error(`[install] ready, with ${libtensorflow}; ${steps}.`);
  }
} catch (thrown) {
  const error = explainError(interrupted.signal.aborted ? interrupted.signal.reason : thrown);
  if (!(error instanceof InstallFailure)) throw error;
  console.error(`[install] ${error.message}`);
  process.exitCode = error.exitCode;
}
