/** docs/tensorflow-operations.md lists the rules. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { withRules } from '../../../scripts/docs/rule-list.js';
import { rules } from '../../../src/engines/tensorflow/graph/rules.ts';
import { moduleOperations } from '../../../src/engines/tensorflow/graph/stablehlo/module-walk.ts';

it('the document lists every operation that has a rule, and no other', async () => {
  const document = await readFile(new URL('../../../docs/tensorflow-operations.md', import.meta.url), 'utf8');
  expect(withRules(document, rules.keys(), moduleOperations)).toBe(document);
});
