/**
 * `POST /infer` and its siblings per model and version.
 */
import { invalidArgument, quoted } from '../../../errors.js';
import type { InferRoute } from '../../../http/surface.js';
import type { Target } from '../../../serving/table.js';
import { greatestVersion, versionOf } from '../../../stores/version-name.js';
import { inferOperation, inferPaths } from '../openapi/infer-operation.js';
import { ownProtocol } from '../protocol.js';

export function inferRoutes(): InferRoute[] {
  return inferPaths.map((path) => ({
    path,
    operation: inferOperation(path),
    protocol: ownProtocol,
    target: readTarget,
  }));
}

function readTarget({ model, version, label }: Readonly<Record<string, string>>): Target {
  if (version === undefined) return { model, label };
  const number = versionOf(version);
  if (number === undefined)
    throw invalidArgument(
      `expected a version from 0 to ${greatestVersion} in the path, got ${quoted(version)}`,
    );
  return { model, version: number };
}
