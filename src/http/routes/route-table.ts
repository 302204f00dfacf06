/** The route table of all surfaces. Each path belongs to one surface. */
import { invalidArgument } from '../../errors.js';
import { exitOf } from '../answer/koa-exit.js';
import { InferenceRequest } from '../request/inference-request.js';
import type { InferenceServices, Services } from '../services.js';
import type { InferRoute, Surface } from '../surface.js';
import { examplesOf } from './path-pattern.js';
import type { TableRoute } from './route.js';
import { targetOf } from './target.js';

/**
 * @param surfaces of which the last one owns all paths that no other does
 * @throws ServingError INVALID_ARGUMENT naming a path that two of them claim, or a route whose path is not its
 * surface's own
 */
export function routeTable(surfaces: readonly Surface[], services: Services): TableRoute[] {
  const tables = surfaces.map((surface) => {
    const routes = surface.routes(services).map((route) => rowOf(route, services));
    const paths = [...new Set([...routes.map((each) => each.path), ...commonPaths(surface)])];
    return { surface, routes, paths };
  });
  for (const { surface, paths } of tables) {
    const others = tables.flatMap((each) => (each.surface === surface ? [] : each.paths));
    for (const path of paths)
      for (const example of examplesOf(path, others)) checkOwner(path, example, surface, surfaces);
  }
  return tables.flatMap(({ routes }) => routes);
}

/** The row of the table for a route of a surface. */
export function rowOf(route: TableRoute | InferRoute, services: InferenceServices): TableRoute {
  if (!('protocol' in route)) return route;
  const { protocol, target = targetOf, ...place } = route;
  return {
    ...place,
    method: 'POST',
    scope: 'infer',
    handle: (ctx) => {
      const exit = exitOf(ctx);
      new InferenceRequest(exit, services, { protocol, target: () => target(ctx.params) }).start();
      return exit.isDone;
    },
  };
}

/** The paths that are served without the router. */
function commonPaths({ common }: Surface): string[] {
  if (!common) return [];
  const { defaultPath } = common;
  return [common.path('x'), ...(defaultPath === undefined ? [] : [defaultPath])];
}

/** @param example is a path that matches the route */
function checkOwner(path: string, example: string, surface: Surface, surfaces: readonly Surface[]): void {
  const isLast = surface === surfaces.at(-1);
  const owners = surfaces.slice(0, -1).filter((each) => each.owns(example));
  if (!isLast && !owners.includes(surface))
    throw invalidArgument(
      `expected each surface to own its paths: \`${surface.name}\` has a route at \`${path}\`, but \`owns('${example}')\` returned false`,
    );
  const [first, second] = isLast ? [surface, ...owners] : owners;
  if (first && second)
    throw invalidArgument(
      `expected one surface for each path: \`${first.name}\` and \`${second.name}\` both claim \`${path}\`, for example \`${example}\``,
    );
}
