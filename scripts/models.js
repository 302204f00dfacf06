/**
 * `node scripts/models.js`: makes the demo and test models and their golden answers again, with Python TensorFlow in
 * an environment of its own.
 */
import path from 'node:path';

import { layoutOf } from './install/layout.js';
import { pythonEnvironment } from './test/python-environment.js';
import { run } from './test/run.js';

const { root, cache } = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const environment = await pythonEnvironment(
  path.join(root, 'scripts', 'make_models.requirements.txt'),
  cache,
);
if (environment === null) {
  console.error('Python TensorFlow could not be installed: what pip printed is above.');
  process.exit(1);
}
const { python, env } = environment;
process.exitCode = (await run(python, ['scripts/make_models.py', ...process.argv.slice(2)], {
  env,
  cwd: root,
}))
  ? 0
  : 1;
