#!/usr/bin/env node
/**
 * The program as npm links it: says what it lacks to run at all, else is `dist/main.js`. This file is written so that
 * any Node can read it, as it is what tells that a Node is too old.
 */
import fs from 'node:fs';

import { refusalOfNode } from '../scripts/install/node-version.js';

const main = new URL('../dist/main.js', import.meta.url);
const refusal = refusalOfNode(process.versions.node);

if (refusal !== null) {
  console.error(refusal);
  process.exitCode = 1;
} else if (!fs.existsSync(main)) {
  console.error(
    'tfjs-serving is not built: run `make build` in its checkout, and `make pack` to make a package of it.',
  );
  process.exitCode = 1;
} else {
  import(main.href);
}
