/**
 * Gives the event loop back: long work is done in turns of a few milliseconds, between which everybody else has the loop.
 *
 * All long work of the process shares one turn in each round of the loop, however many requests want some. So short requests
 * never wait for the sum. Short work never pauses.
 *
 * - Work in steps (`steps.ts`) is run by {@link runInTurns}.
 * - An async function asks its {@link Turns} after each bounded piece: `const pausing = turns.pause(); if (pausing) await pausing;`.
 * - Pieces of an answer are made by {@link piecesInTurns}.
 */
import { setImmediate as roundOfLoop } from 'node:timers/promises';
import type { Steps } from './steps.js';

/** Milliseconds of work in one turn. */
const turnMilliseconds = 5;

let last: Promise<unknown> = Promise.resolve();

/** Resolves in a round of the loop that no other caller has; callers are served in their order. */
export function nextTurn(): Promise<unknown> {
  last = last.then(() => roundOfLoop());
  return last;
}

/** One caller's long work: says when it is time to let others have their turn. */
export class Turns {
  private end: number;

  /** @param first whether the first turn is where the caller is, or is waited for like all others */
  constructor(first: 'at once' | 'in its turn' = 'at once') {
    this.end = first === 'at once' ? performance.now() + turnMilliseconds : 0;
  }

  /** This turn has taken its time. */
  get isOver(): boolean {
    return performance.now() >= this.end;
  }

  /** Resolves in the caller's next turn. Gives no promise while this one lasts: to await nothing takes time as well. */
  pause(): Promise<void> | undefined {
    return this.isOver ? this.next() : undefined;
  }

  /** Resolves in the caller's next turn. */
  async next(): Promise<void> {
    await nextTurn();
    this.end = performance.now() + turnMilliseconds;
  }
}

/** Runs the work, and pauses wherever it yields and its turn is over. Gives the value itself if no pause was needed. */
export function runInTurns<Value>(steps: Steps<Value>): Value | Promise<Value> {
  const turns = new Turns();
  const first = runTurn(steps, turns);
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
    const { done, value } = runTurn(steps, turns);
    if (done) return value;
    waitsFor = value;
  }
}

function runTurn<Value>(steps: Steps<Value>, turns: Turns): IteratorResult<Promise<void> | undefined, Value> {
  for (;;) {
    const result = steps.next();
    if (result.done || result.value || turns.isOver) return result;
  }
}

/**
 * Makes the pieces in turns, and gives those that are not empty.
 *
 * @param pieces short work each
 * @param isWanted asked after every pause. After the first false nothing is made, so that `pieces` may read memory which goes
 * at that moment
 */
export async function* piecesInTurns(
  pieces: Iterable<Uint8Array>,
  isWanted: () => boolean,
): AsyncGenerator<Uint8Array, void, void> {
  const iterator = pieces[Symbol.iterator]();
  const turns = new Turns('in its turn');
  for (;;) {
    const pausing = turns.pause();
    if (pausing) await pausing;
    if (!isWanted()) return;
    const next = iterator.next();
    if (next.done) return;
    if (next.value.length > 0) yield next.value;
  }
}
