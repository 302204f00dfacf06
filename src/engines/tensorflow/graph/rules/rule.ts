/** The form in which rules are listed: by the name of an operation. Several operations may share a rule. */
import type { Rule } from '../operation.js';

export interface OperationRule {
  readonly rule: Rule;
  /** The names of the outputs, in order, if there are several different ones. */
  readonly outputs?: readonly string[] | undefined;
  /** True if the rule treats slices along the first axis alike, in any order: see `dealt` in value.ts. */
  readonly takesDealt?: true | undefined;
  /** The rank that each input must have, by the number of the input. */
  readonly ranks?: Readonly<Record<number, number>> | undefined;
  /** True if the operation works element by element on its first input, whatever the rank. */
  readonly keepsShape?: true | undefined;
}

export type Rules = readonly (readonly [operations: string, rule: OperationRule])[];

/** @param rules have operation names, separated by spaces */
export function listRules(...rules: Rules): ReadonlyMap<string, OperationRule> {
  return new Map(
    rules.flatMap(([names, rule]) =>
      names
        .trim()
        .split(/\s+/)
        .map((name) => [name, rule] as const),
    ),
  );
}
