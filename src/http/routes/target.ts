/** Finds the model that the path of a route means. */
import { invalidArgument, quoted } from '../../errors.js';
import type { Target } from '../../serving/table.js';
import { greatestVersion, versionOf } from '../../stores/version-name.js';

/**
 * @param params of the path: `model`, `version` and `label`, each of which may be missing
 * @throws ServingError INVALID_ARGUMENT for a version that is no number
 */
export function targetOf({ model, version, label }: Readonly<Record<string, string | undefined>>): Target {
  if (version === undefined) return { model, label };
  const number = versionOf(version);
  if (number === undefined)
    throw invalidArgument(
      `expected a version from 0 to ${greatestVersion} in the path, got ${quoted(version)}`,
    );
  return { model, version: number };
}
