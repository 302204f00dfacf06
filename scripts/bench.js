/**
 * `node scripts/bench.js NAME [ARGUMENTS]`: runs bench/NAME.ts over the models of bench/make_models.py, which are made
 * once, with Python TensorFlow in an environment of its own, and kept in the cache.
 */
import path from 'node:path';

import { layoutOf } from './install/layout.js';
import { pythonEnvironment } from './test/python-environment.js';
import { run } from './test/run.js';

const { root, cache } = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const models = path.join(cache, 'bench-models');
const [name, ...args] = process.argv.slice(2);

/** @returns {Promise<boolean>} */
async function makeModels() {
  const environment = await pythonEnvironment('scripts/make_models.requirements.txt', cache);
  if (environment === null) return false;
  return run(environment.python, ['bench/make_models.py', '--out', models], { env: environment.env });
}

process.chdir(root);
const done =
  (await makeModels()) &&
  (await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.bench.json'])) &&
  (await run(process.execPath, [`build/bench/${name}.js`, models, ...args]));
process.exitCode = done ? 0 : 1;
