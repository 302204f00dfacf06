/**
 * `node scripts/list-operations.js` writes the list of TensorFlow's own operations from the installed TensorFlow.
 * `inspect` reads the list, because it loads no TensorFlow. Run this after `make install` when the pinned version
 * changes.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { operationNames } from '#dist/engines/tensorflow/operations/operation-list.js';
import { layoutOf } from './install/layout.js';

/** The columns of a line in the list. */
const WIDTH = 118;

const { root, addon } = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const binding = createRequire(import.meta.url)(addon);
/** @type {string[]} */
const lines = [];
for (const name of [...operationNames(binding.operationList())].sort()) {
  const last = lines.at(-1);
  if (last !== undefined && last.length + 1 + name.length <= WIDTH)
    lines[lines.length - 1] = `${last} ${name}`;
  else lines.push(name);
}
fs.writeFileSync(
  path.join(root, 'src', 'engines', 'tensorflow', 'operations', 'built-in-operations.ts'),
  `/**
 * The operations that TensorFlow brings. \`node scripts/list-operations.js\` writes this file. \`inspect\` reads it, because
 * it loads no TensorFlow and works without one.
 */

/** The version of TensorFlow that the list comes from. */
export const builtInVersion = '${binding.tensorflowVersion}';

export const builtInOperations: ReadonlySet<string> = new Set(
  \`
${lines.join('\n')}
\`
    .trim()
    .split(/\\s+/),
);
`,
);
