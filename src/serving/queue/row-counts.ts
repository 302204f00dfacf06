/**
 * A run that failed although every input was as the signature says: perhaps because the inputs have different numbers of rows.
 *
 * That is looked at afterwards only, as some graphs take such inputs: one row may stand for all.
 */

import { RunError } from '../../engines/run-error.js';
import type { Signature } from '../../engines/signature.js';
import type { NamedTensors } from '../../tfjs/tensors.js';
import { RefusedInputs } from '../refused-inputs.js';

/**
 * @param error of the run
 * @param inputs as the graph takes them
 * @returns INVALID_ARGUMENT with the rows of each input before the engine's own text, if that refused inputs whose rows differ;
 * any other error as it is
 */
export function withRows(error: unknown, signature: Signature, inputs: NamedTensors): unknown {
  if (!(error instanceof RunError) || error.code !== 'INVALID_ARGUMENT' || signature.composites) return error;
  const counts = countRows(signature, inputs);
  if (new Set(counts.values()).size < 2) return error;
  const rows = Array.from(
    counts,
    ([name, count]) => `\`${name}\` has ${count} ${count === 1 ? 'row' : 'rows'}`,
  );
  // The lines behind the first say where in the graph.
  const [reason] = error.message.split('\n');
  return new RefusedInputs(
    error.code,
    `the inputs have different numbers of rows: ${rows.join(', ')}; ${error.engine} says: ${reason}`,
    signature,
  );
}

/** Of the inputs that have one row for each sample. */
function countRows({ inputs: specs }: Signature, inputs: NamedTensors): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, shape } of specs.values()) {
    const rows = shape?.[0] === null ? inputs.get(name)?.shape[0] : undefined;
    if (rows !== undefined) counts.set(name, rows);
  }
  return counts;
}
