/** The table of all rules for StableHLO's operations, by name. */
import type { InstructionRule } from './instruction.js';
import { elementInstructions } from './rules/elements.js';
import { gatherInstructions } from './rules/gathers.js';
import { partInstructions } from './rules/parts.js';
import { productInstructions } from './rules/products.js';
import { reductionInstructions } from './rules/reductions.js';
import { shapeInstructions } from './rules/shapes.js';

export const instructions: ReadonlyMap<string, InstructionRule> = new Map([
  ...elementInstructions,
  ...shapeInstructions,
  ...partInstructions,
  ...gatherInstructions,
  ...productInstructions,
  ...reductionInstructions,
]);
