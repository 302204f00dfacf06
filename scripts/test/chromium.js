import { spawnSync } from 'node:child_process';

import { run } from './run.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * Finds a Chromium: the one that CHROMIUM names, or an installed one. If there is none, it is installed on a Debian
 * where we are root.
 *
 * @returns {Promise<string>} the command
 */
export async function chromium() {
  const named = process.env['CHROMIUM'];
  if (named) return named;
  const found = NAMES.find(runs);
  if (found) return found;
  if (process.getuid?.() === 0 && runs('apt-get')) {
    console.log('installing chromium');
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const install = ['install', '-y', '-qq', '--no-install-recommends', 'chromium'];
    await run('apt-get', ['update', '-qq'], { env });
    if ((await run('apt-get', install, { env })) && runs('chromium')) return 'chromium';
  }
  throw new Error(
    'no Chromium: install the package chromium (apt-get install chromium), or name one in CHROMIUM',
  );
}

/** @param {string} command */
function runs(command) {
  return spawnSync(command, ['--version']).status === 0;
}
