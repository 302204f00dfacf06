/**
 * Long work on the event loop, cut into pieces between which everybody else has a turn.
 *
 * What may take long is a generator that yields after each bounded piece of work. Whoever runs it decides on the pauses.
 * Short work never pauses, and gives its value at once.
 */

import { nextTurn, pieceMilliseconds } from '../turns.js';
import type { Steps } from './steps.js';

/** Runs the work, and pauses whenever a piece has taken its time. Gives the value itself if no pause was needed. */
export function inPieces<Value>(steps: Steps<Value>): Value | Promise<Value> {
  const first = piece(steps);
  return first.done ? first.value : theRest(steps, first.value);
}

async function theRest<Value>(steps: Steps<Value>, other: Promise<void> | undefined): Promise<Value> {
  let waitsFor = other;
  for (;;) {
    await waitsFor;
    await nextTurn();
    const { done, value } = piece(steps);
    if (done) return value;
    waitsFor = value;
  }
}

function piece<Value>(steps: Steps<Value>): IteratorResult<Promise<void> | undefined, Value> {
  const end = performance.now() + pieceMilliseconds;
  for (;;) {
    const result = steps.next();
    if (result.done || result.value || performance.now() >= end) return result;
  }
}
