/**
 * Which model a path of the protocol means.
 */
import type { RouterContext } from '@koa/router';
import { invalidArgument, quoted } from '../../errors.js';
import type { Target } from '../../serving/table.js';
import { greatestVersion, versionOf } from '../../stores/version-name.js';

/** @throws ServingError INVALID_ARGUMENT for a version that is none */
export function targetOf({ params }: Pick<RouterContext, 'params'>): Target {
  const { model, version } = params;
  if (version === undefined) return { model };
  const number = versionOf(version);
  if (number === undefined)
    throw invalidArgument(
      `expected a version from 0 to ${greatestVersion} in the path, got ${quoted(version)}`,
    );
  return { model, version: number };
}
