/**
 * The table of all rules, by the name of the operation.
 */
import { elementRules } from './rules/elements.js';
import { gatherRules } from './rules/gathers.js';
import { imageRules } from './rules/images.js';
import { joiningRules } from './rules/joining.js';
import { linearRules } from './rules/linear.js';
import { listRulesTable } from './rules/lists.js';
import { orderingRules } from './rules/ordering.js';
import { reductionRules } from './rules/reductions.js';
import { repeatingRules } from './rules/repeating.js';
import { reshapingRules } from './rules/reshaping.js';
import type { OperationRule } from './rules/rule.js';
import { shapeRules } from './rules/shapes.js';
import { sliceRules } from './rules/slices.js';
import { stateRules } from './rules/state.js';
import { textRules } from './rules/text.js';
import { xlaRules } from './rules/xla.js';

export const rules: ReadonlyMap<string, OperationRule> = new Map([
  ...stateRules,
  ...elementRules,
  ...shapeRules,
  ...reshapingRules,
  ...repeatingRules,
  ...joiningRules,
  ...sliceRules,
  ...gatherRules,
  ...orderingRules,
  ...linearRules,
  ...imageRules,
  ...reductionRules,
  ...textRules,
  ...listRulesTable,
  ...xlaRules,
]);
