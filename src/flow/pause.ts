/**
 * Long work on the event loop that lets others have their turn.
 */
import { Turns } from './turns.js';

/** Gives a promise whenever others should have their turn first. */
export type Pause = () => Promise<void> | undefined;

export function pauser(): Pause {
  const turns = new Turns('at once');
  return () => turns.pause();
}
