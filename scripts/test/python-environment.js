import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { digest } from '../install/digest.js';
import { run } from './run.js';

const COMPLETE = 'complete';

/**
 * A Python with the packages of a requirements file, made once and kept in the cache.
 *
 * @param {string} requirements
 * @param {string} cache
 * @returns {Promise<{ python: string, env: NodeJS.ProcessEnv } | null>} how to run it; null if it could not be made
 */
export async function pythonEnvironment(requirements, cache) {
  const version = execFileSync('python3', ['-c', 'import sys; print(sys.version, sys.base_prefix)']);
  const key = digest([fs.readFileSync(requirements), version]);
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
  if (made && (await run(venvPython(folder), ['-m', 'pip', ...pipArgs(requirements)]))) return true;
  fs.rmSync(path.join(folder, 'venv'), { recursive: true, force: true });
  return false;
}

/**
 * For a Python whose distribution has taken venv out of it (python3 without python3-venv on Debian).
 * @param {string} folder
 * @param {string} requirements
 */
function installBeside(folder, requirements) {
  return run('python3', ['-m', 'pip', ...pipArgs(requirements), '--target', sitePackages(folder)]);
}

/** @param {string} requirements */
function pipArgs(requirements) {
  return ['install', '--quiet', '--disable-pip-version-check', '-r', requirements];
}

/** @param {string} folder */
function venvPython(folder) {
  return path.join(folder, 'venv', 'bin', 'python');
}

/** @param {string} folder */
function sitePackages(folder) {
  return path.join(folder, 'site-packages');
}
