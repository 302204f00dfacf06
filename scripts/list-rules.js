/**
 * `node scripts/list-rules.js` writes the operations that have a rule in the proof of batching into docs/tensorflow-operations.md.
 * The sources must be compiled (`make install`).
 */
import fs from 'node:fs';
import path from 'node:path';

import { rules } from '#dist/engines/tensorflow/graph/rules.js';
import { moduleOperations } from '#dist/engines/tensorflow/graph/stablehlo/module-walk.js';

import { withRules } from './docs/rule-list.js';

const file = path.join(import.meta.dirname, '..', 'docs', 'tensorflow-operations.md');
fs.writeFileSync(file, withRules(fs.readFileSync(file, 'utf8'), rules.keys(), moduleOperations));
