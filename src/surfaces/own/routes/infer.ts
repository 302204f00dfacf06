/**
 * `POST /infer` and its siblings per model and version.
 */
import type { RouterContext } from '@koa/router';
import { invalidArgument, quoted } from '../../../errors.js';
import { inferThroughKoa } from '../../../http/koa-exit.js';
import type { Route } from '../../../http/route.js';
import type { Services } from '../../../http/services.js';
import type { Target } from '../../../serving/table.js';
import { greatestVersion, versionOf } from '../../../stores/version-name.js';
import { inferOperation, inferPaths } from '../openapi/infer-operation.js';
import { ownProtocol } from '../protocol.js';

export function inferRoutes(services: Services): Route[] {
  return inferPaths.map((path) => ({
    method: 'POST',
    path,
    scope: 'infer',
    operation: inferOperation(path),
    handle: (ctx) => inferThroughKoa(ctx, services, ownProtocol, () => readTarget(ctx)),
  }));
}

function readTarget({ params }: RouterContext): Target {
  const { model, version, label } = params;
  if (version === undefined) return { model, label };
  const number = versionOf(version);
  if (number === undefined)
    throw invalidArgument(
      `expected a version from 0 to ${greatestVersion} in the path, got ${quoted(version)}`,
    );
  return { model, version: number };
}
