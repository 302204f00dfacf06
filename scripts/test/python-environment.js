import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { digest } from '../install/digest.js';
import { run } from './run.js';

const COMPLETE = 'complete';

/**
 * A Python with the packages of a requirements file, made once and kept in the cache. Those of a file beside it that is named
 * `.no-deps.txt` in place of `.txt` are added without the packages that they depend on.
 *
 * @param {string} requirements
 * @param {string} cache
 * @returns {Promise<{ python: string, env: NodeJS.ProcessEnv } | null>} how to run it; null if it could not be made
 */
export async function pythonEnvironment(requirements, cache) {
  const version = execFileSync('python3', ['-c', 'import sys; print(sys.version, sys.base_prefix)']);
  const key = digest([...lists(requirements).map(({ file }) => fs.readFileSync(file)), version]);
  const folder = path.join(cache, 'python', key);
  if (!fs.existsSync(path.join(folder, COMPLETE))) {
    console.log(`installing the Python packages of ${requirements}`);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    if (!(await makeVenv(folder, requirements)) && !(await installBeside(folder, requirements))) return null;
    fs.writeFileSync(path.join(folder, COMPLETE), '');
  }
  const venv = venvPython(folder);
  return fs.existsSync(venv)
    ? { python: venv, env: {} }
    : { python: 'python3', env: { PYTHONPATH: sitePackages(folder) } };
}

/**
 * @param {string} folder
 * @param {string} requirements
 */
async function makeVenv(folder, requirements) {
  const made = await run('python3', ['-m', 'venv', path.join(folder, 'venv')]);
  if (made && (await install(venvPython(folder), requirements))) return true;
  fs.rmSync(path.join(folder, 'venv'), { recursive: true, force: true });
  return false;
}

/**
 * Installs packages without venv, for a distribution that ships Python without it (python3 without python3-venv on
 * Debian).
 * @param {string} folder
 * @param {string} requirements
 */
function installBeside(folder, requirements) {
  return install('python3', requirements, ['--target', sitePackages(folder)]);
}

/**
 * @param {string} python
 * @param {string} requirements
 * @param {readonly string[]} [where]
 */
async function install(python, requirements, where = []) {
  for (const { file, flags } of lists(requirements)) {
    const args = ['install', '--quiet', '--disable-pip-version-check', ...flags, '-r', file, ...where];
    if (!(await run(python, ['-m', 'pip', ...args]))) return false;
  }
  return true;
}

/**
 * @param {string} requirements
 * @returns {{ file: string, flags: string[] }[]}
 */
function lists(requirements) {
  const bare = requirements.replace(/\.txt$/, '.no-deps.txt');
  const list = { file: requirements, flags: [] };
  return fs.existsSync(bare) ? [list, { file: bare, flags: ['--no-deps'] }] : [list];
}

/** @param {string} folder */
function venvPython(folder) {
  return path.join(folder, 'venv', 'bin', 'python');
}

/** @param {string} folder */
function sitePackages(folder) {
  return path.join(folder, 'site-packages');
}
