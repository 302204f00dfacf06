/**
 * Operations that no model is served with: what they do to the process or its memory cannot be undone, and no answer
 * needs it.
 */
import { ServingError } from '../../../errors.js';

const effects: ReadonlyMap<string, string> = new Map([
  ['Abort', 'ends the process'],
  ['GetSessionHandle', 'keeps a tensor of each request for ever'],
  ['GetSessionHandleV2', 'keeps a tensor of each request for ever'],
]);

/**
 * @param used are the operations behind the graph's own nodes
 * @throws ServingError FAILED_PRECONDITION naming the first of them
 */
export function refuseOperations(used: ReadonlySet<string>): void {
  for (const [operation, effect] of effects)
    if (used.has(operation))
      throw new ServingError(
        'FAILED_PRECONDITION',
        `it has the operation \`${operation}\`, which ${effect}: export it without`,
      );
}
