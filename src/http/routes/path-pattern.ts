/**
 * Finds paths that match the pattern of a route. In patterns of @koa/router, `:name` stands for one part of a path,
 * `*name` for one or more, and the parts in braces are optional.
 */

/** A value for any parameter. */
const anyPart = 'x';

const parameter = /[:*]\w+/g;

/**
 * Examples of paths that match. Parameters have a meaningless part, and also the part that another pattern has in the
 * same place, because there two patterns may mean the same path.
 */
export function examplesOf(pattern: string, others: readonly string[]): string[] {
  const examples = variantsOf(pattern).flatMap((parts) => [
    filled(parts, []),
    ...others.flatMap(variantsOf).map((other) => filled(parts, other)),
  ]);
  return [...new Set(examples)];
}

/** The parts of a pattern, with and without those in braces. */
function variantsOf(pattern: string): string[][] {
  const [group, inner = ''] = /\{([^{}]*)\}/.exec(pattern) ?? [];
  if (group === undefined) return [pattern.split('/').slice(1)];
  return [inner, ''].flatMap((text) => variantsOf(pattern.replace(group, text)));
}

function filled(parts: readonly string[], other: readonly string[]): string {
  const fill = (part: string, place: number) => {
    const there = other[place];
    const isTaken = there !== undefined && there !== '' && there.search(parameter) < 0;
    return part.replaceAll(parameter, isTaken ? there : anyPart);
  };
  return `/${parts.map(fill).join('/')}`;
}
