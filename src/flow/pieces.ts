/**
 * Long work on the event loop, cut into pieces between which everybody else has a turn.
 *
 * What may take long is a generator that yields after each bounded piece of work. Whoever runs it decides on the pauses.
 * Short work never pauses, and gives its value at once.
 */

import type { Steps } from './claimed-steps.js';
import { Turns } from './turns.js';

/** Runs the work, and pauses whenever a piece has taken its time. Gives the value itself if no pause was needed. */
export function inPieces<Value>(steps: Steps<Value>): Value | Promise<Value> {
  const turns = new Turns('at once');
  const first = piece(steps, turns);
  return first.done ? first.value : theRest(steps, first.value, turns);
}

async function theRest<Value>(
  steps: Steps<Value>,
  other: Promise<void> | undefined,
  turns: Turns,
): Promise<Value> {
  let waitsFor = other;
  for (;;) {
    await waitsFor;
    await turns.next();
    const { done, value } = piece(steps, turns);
    if (done) return value;
    waitsFor = value;
  }
}

function piece<Value>(steps: Steps<Value>, turns: Turns): IteratorResult<Promise<void> | undefined, Value> {
  for (;;) {
    const result = steps.next();
    if (result.done || result.value || turns.isOver) return result;
  }
}
