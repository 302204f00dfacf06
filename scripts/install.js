/**
 * `node scripts/install.js [--quiet] [--dist]`: see install/install.js.
 *
 * Any Node can read this file, because it reports a Node that is too old. --quiet prints nothing if there is nothing to
 * do. --dist makes only dist/, which needs neither TensorFlow nor a compiler.
 */
import { refusalOfNode } from './install/node-version.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === null) {
  import('./install/command-line.js');
} else {
  console.error(refusal);
  process.exitCode = 1;
}
