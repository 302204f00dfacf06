/** Runs a Python script of ours in an environment of its own, for the scripts that make models. */
import path from 'node:path';

import { layoutOf } from '../install/layout.js';
import { pythonEnvironment } from './python-environment.js';
import { run } from './run.js';

/**
 * Runs `scripts/NAME.py` with the packages of `scripts/NAME.requirements.txt`, which are fetched at the first run.
 *
 * @param {string} name
 * @param {readonly string[]} args
 * @returns {Promise<boolean>} whether it went well
 */
export async function runWithPython(name, args) {
  const { root, cache } = layoutOf(path.join(import.meta.dirname, '..', '..'), process.env);
  const environment = await pythonEnvironment(path.join(root, 'scripts', `${name}.requirements.txt`), cache);
  if (environment === null) {
    console.error('Python TensorFlow could not be installed: what pip printed is above.');
    return false;
  }
  const { python, env } = environment;
  return run(python, [`scripts/${name}.py`, ...args], { env, cwd: root });
}
