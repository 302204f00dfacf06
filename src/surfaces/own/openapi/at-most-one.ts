import type { ZodObject, z } from 'zod';

/**
 * An object that has at most one of some keys. The rule is part of its JSON Schema, which a refinement alone would not
 * change.
 */
export function atMostOneOf<Schema extends ZodObject>(
  schema: Schema,
  names: readonly (keyof z.output<Schema> & string)[],
): Schema {
  const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  const pairs = names.flatMap((name, i) => names.slice(i + 1).map((other) => ({ required: [name, other] })));
  return schema
    .refine(
      (value: Record<string, unknown>) => names.filter((name) => value[name] !== undefined).length <= 1,
      {
        message: `give one of ${list}`,
      },
    )
    .meta({ not: { anyOf: pairs } });
}
