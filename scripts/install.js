/**
 * `node scripts/install.js [--quiet]`: see install/install.js. This file is written so that any Node can read it, as
 * it is what tells that a Node is too old. With --quiet it says nothing when there is nothing to do.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > 20 || (major === 20 && minor >= 19)) {
  import('./install/command-line.js');
} else {
  console.error(
    `Node.js ${process.versions.node} is too old: tfjs-serving needs 20.19 or newer, from your package manager or with nvm.`,
  );
  process.exitCode = 1;
}
