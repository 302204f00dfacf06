/** The form in which rules for StableHLO's operations are listed: by names, several of which may share one. */
import type { InstructionRule } from '../instruction.js';

/** @param rules have operation names, separated by spaces */
export function listInstructions(
  ...rules: readonly (readonly [operations: string, rule: InstructionRule])[]
): ReadonlyMap<string, InstructionRule> {
  return new Map(
    rules.flatMap(([names, rule]) =>
      names
        .trim()
        .split(/\s+/)
        .map((name) => [name, rule] as const),
    ),
  );
}
