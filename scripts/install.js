/**
 * `node scripts/install.js [--quiet] [--dist]`: see install/install.js. This file is written so that any Node can read
 * it, as it is what tells that a Node is too old. With --quiet it says nothing when there is nothing to do; with --dist
 * it makes only dist/, which needs neither TensorFlow nor a compiler.
 */
import { refusalOfNode } from './install/node-version.js';

const refusal = refusalOfNode(process.versions.node);
if (refusal === null) {
  import('./install/command-line.js');
} else {
  console.error(refusal);
  process.exitCode = 1;
}
