/** The kinds of values that settings have, as texts and as values of their own. */
import { z } from 'zod';
import type { Seconds } from '../time.js';

const decimal = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i;

/** A number. It comes as a decimal text from the command line and the environment, and an empty text is not 0. */
export function number<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess(
    (value) => (typeof value === 'string' && decimal.test(value) ? Number(value) : value),
    schema,
  );
}

/** A timer of Node fires at once beyond 2^31 milliseconds. */
const longest = 2_000_000;
export const seconds: z.ZodType<Seconds> = number(z.number().nonnegative().max(longest));
export const someSeconds: z.ZodType<Seconds> = number(z.number().positive().max(longest));

export function count(max: number) {
  return number(z.number().int().positive().max(max));
}

export const flag = z.union([z.boolean(), z.stringbool()]);

const units: Record<string, number> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** Turns `64 MiB`, `1GiB` or `65536` into bytes. */
export function bytes(max: number) {
  return z.union([z.number(), z.string()]).transform((value, ctx) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(value)) ?? [];
    const size = Math.floor(Number(digits) * (units[unit?.toLowerCase() ?? ''] ?? Number.NaN));
    if (size >= 1 && size <= max) return size;
    ctx.addIssue(`a size in bytes, KiB, MiB or GiB, for example 64MiB, up to ${max} bytes`);
    return z.NEVER;
  });
}

/** An empty item is a mistake. As a path it would mean the working directory. */
export const list = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(','))])
  .pipe(z.array(z.string().trim().min(1)));

export function parseJson(text: string, ctx: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    ctx.addIssue('a JSON object, for example {"max_batch_size": 16}');
    return z.NEVER;
  }
}
