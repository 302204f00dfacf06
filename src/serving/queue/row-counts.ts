/**
 * Explains a run that failed although every input fits the signature: the inputs may have different numbers of rows.
 *
 * This is checked only after a failure, because some graphs accept such inputs: one row may stand for all.
 */

import { RunError } from '../../engines/run-error.js';
import type { Signature } from '../../engines/signature.js';
import type { NamedTensors } from '../../tfjs/tensors.js';
import { RefusedInputs } from '../refused-inputs.js';

/**
 * @param error of the run
 * @param inputs as the graph takes them
 * @returns INVALID_ARGUMENT with the rows of each input before the engine's own text, if the engine refused inputs with
 * different numbers of rows; any other error unchanged
 */
export function explainUnevenRows(error: unknown, signature: Signature, inputs: NamedTensors): unknown {
  if (!(error instanceof RunError) || error.code !== 'INVALID_ARGUMENT' || signature.composites) return error;
  const counts = countRows(signature, inputs);
  if (new Set(counts.values()).size < 2) return error;
  const rows = Array.from(
    counts,
    ([name, count]) => `\`${name}\` has ${count} ${count === 1 ? 'row' : 'rows'}`,
  );
  // The lines after the first say where in the graph.
  const [reason] = error.message.split('\n');
  return new RefusedInputs(
    error.code,
    `the inputs have different numbers of rows: ${rows.join(', ')}; ${error.engine} says: ${reason}`,
    signature,
  );
}

/** Counts the rows of the inputs that have one row for each sample. */
function countRows({ inputs: specs }: Signature, inputs: NamedTensors): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, shape } of specs.values()) {
    const rows = shape?.[0] === null ? inputs.get(name)?.shape[0] : undefined;
    if (rows !== undefined) counts.set(name, rows);
  }
  return counts;
}
