import fs from 'node:fs';
import path from 'node:path';

import { run } from './command.js';
import { digest } from './digest.js';
import { explainFailure, InstallFailure } from './failure.js';

const STEP = 'npm packages';

/**
 * True if node_modules agrees with package-lock.json. It is also true without a lock file: in an installed package, npm
 * has done this.
 *
 * @param {import('./context.js').Context} context
 */
export function npmPackagesAreCurrent({ layout, stamps, host }) {
  const lock = path.join(layout.root, 'package-lock.json');
  if (!fs.existsSync(lock)) return true;
  const installed = path.join(layout.root, 'node_modules', '.package-lock.json');
  if (!fs.existsSync(installed)) return false;
  const key = keyOf(lock, host);
  if (stamps.key(STEP) === key) return true;
  if (!holdsAllOf(lock, installed)) return false;
  stamps.setKey(STEP, key); // somebody ran npm ci by hand
  return true;
}

/** @param {import('./context.js').Context} context */
export async function installNpmPackages({ host, layout, progress, signal, stamps }) {
  await progress.step(STEP, async () => {
    const log = path.join(layout.logs, 'npm.log');
    // Compiling needs the development packages, whatever NODE_ENV is.
    const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
    const { code, output } = await run('npm', args, { env: host.env, cwd: layout.root, signal, log });
    if (code === null)
      throw new InstallFailure('There is no npm beside node: install it (it comes with Node.js).');
    if (code !== 0) {
      throw explainFailure({ what: 'npm could not install the packages', output, log, folder: layout.root });
    }
    stamps.setKey(STEP, keyOf(path.join(layout.root, 'package-lock.json'), host));
  });
}

/**
 * @param {string} lock
 * @param {import('./host.js').Host} host
 */
function keyOf(lock, { platform, arch }) {
  return digest([fs.readFileSync(lock), platform, arch]);
}

/**
 * Compares the lock file with the one npm leaves in node_modules when it has finished.
 * @param {string} lock
 * @param {string} installed
 */
function holdsAllOf(lock, installed) {
  const wanted = packagesOf(lock);
  const present = packagesOf(installed);
  return Object.entries(wanted).every(
    ([name, { version, optional }]) =>
      name === '' || (optional && present[name] === undefined) || present[name]?.version === version,
  );
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packagesOf(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}
