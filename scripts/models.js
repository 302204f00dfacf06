/**
 * `node scripts/models.js` makes the demo and test models and their golden answers again, with Python TensorFlow in
 * four environments: one for most models, one with the packages of custom operations, and two with versions of JAX.
 */
import { runWithPython } from './test/with-python.js';

const made =
  (await runWithPython('make_models', process.argv.slice(2))) &&
  (await runWithPython('make_custom_models', [])) &&
  (await runWithPython('make_jax_models', [])) &&
  (await runWithPython('make_jax_graph_models', []));
process.exitCode = made ? 0 : 1;
