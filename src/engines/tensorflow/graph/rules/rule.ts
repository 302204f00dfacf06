/**
 * How rules are listed: by the name of the operation, which may stand for several.
 */
import type { Rule } from '../operation.js';

export interface OperationRule {
  readonly rule: Rule;
  /** The names of its outputs, in their order, where it has several that differ. */
  readonly outputs?: readonly string[] | undefined;
  /** It treats slices along the first axis alike, in whatever order they are: see {@link Rows.dealt}. */
  readonly takesDealt?: true | undefined;
  /** The rank that it needs of an input, by the input's number. */
  readonly ranks?: Readonly<Record<number, number>> | undefined;
  /** Works element by element on its first input, whatever the rank. */
  readonly keepsShape?: true | undefined;
}

export type Rules = readonly (readonly [operations: string, rule: OperationRule])[];

/** @param rules operations as words separated by spaces */
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
