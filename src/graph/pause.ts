/**
 * Long work on the event loop that lets others have their turn.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Gives a promise whenever others should have their turn first. */
export type Pause = () => Promise<void> | undefined;

/** Milliseconds of work between two turns of others. */
const patience = 5;

export function pauser(): Pause {
  let started = performance.now();
  return () => {
    if (performance.now() - started < patience) return undefined;
    return nextTurn().then(() => {
      started = performance.now();
    });
  };
}
