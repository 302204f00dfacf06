/**
 * The table of all rules, by the name of the operation.
 */
import { elementRules } from './rules/elements.js';
import { linearRules } from './rules/linear.js';
import { listRulesTable } from './rules/lists.js';
import { reductionRules } from './rules/reductions.js';
import type { OperationRule } from './rules/rule.js';
import { shapeRules } from './rules/shapes.js';
import { sliceRules } from './rules/slices.js';
import { stateRules } from './rules/state.js';
import { textRules } from './rules/text.js';

export const rules: ReadonlyMap<string, OperationRule> = new Map([
  ...stateRules,
  ...elementRules,
  ...shapeRules,
  ...sliceRules,
  ...linearRules,
  ...reductionRules,
  ...textRules,
  ...listRulesTable,
]);
