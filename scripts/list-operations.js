/**
 * `node scripts/list-operations.js`: writes the list of TensorFlow's own operations, which `inspect` reads as it loads no
 * TensorFlow, again from the TensorFlow that is installed. Run it when the pinned version changes, after `make install`.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { operationNames } from '#dist/engines/tensorflow/operations/operation-list.js';
import { layoutOf } from './install/layout.js';

/** Columns of a line in the list. */
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
  path.join(root, 'src', 'runtime', 'built-in-operations.ts'),
  `/**
 * The operations that TensorFlow brings, written by \`node scripts/list-operations.js\`. \`inspect\` reads them here, as it loads
 * no TensorFlow and works before one is installed.
 */

/** The version that was asked. */
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
