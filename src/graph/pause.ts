/**
 * Long work on the event loop that lets others have their turn.
 */
import { nextTurn, pieceMilliseconds } from '../turns.js';

/** Gives a promise whenever others should have their turn first. */
export type Pause = () => Promise<void> | undefined;

export function pauser(): Pause {
  let started = performance.now();
  return () => {
    if (performance.now() - started < pieceMilliseconds) return undefined;
    return nextTurn().then(() => {
      started = performance.now();
    });
  };
}
