/**
 * `node scripts/models.js`: makes the demo and test models and their golden answers again, with Python TensorFlow in
 * an environment of its own.
 */
import { runWithPython } from './test/with-python.js';

process.exitCode = (await runWithPython('make_models', process.argv.slice(2))) ? 0 : 1;
