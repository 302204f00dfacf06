/**
 * `node scripts/digits.js` trains the digit classifiers of `examples/digits` again, with Python TensorFlow and
 * scikit-learn in an environment of its own.
 */
import { runWithPython } from './test/with-python.js';

process.exitCode = (await runWithPython('make_digits', process.argv.slice(2))) ? 0 : 1;
