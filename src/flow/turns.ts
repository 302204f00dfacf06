/**
 * Gives the event loop back during long work. Such work is done in turns of a few milliseconds, and everything else
 * runs between them.
 *
 * All long work of the process shares one turn in each round of the event loop, however many requests have such work.
 * So short requests never wait for the sum. Short work never pauses.
 *
 * - {@link runInTurns} runs work in steps (`steps.ts`).
 * - An async function asks its {@link Turns} after each bounded piece: `const pausing = turns.pause(); if (pausing)
 *   await pausing;`.
 * - {@link piecesInTurns} makes the pieces of an answer.
 */
import { setImmediate as roundOfLoop } from 'node:timers/promises';
import { type Milliseconds, type Moment, now } from '../time.js';
import type { Steps } from './steps.js';

/** The milliseconds of work in one turn. */
const turnTime: Milliseconds = 5;

/** The last turn of the process, which has one event loop. */
let last: Promise<unknown> = Promise.resolve();

/** Resolves in a round of the event loop that no other caller has. Callers are served in order. */
export function nextTurn(): Promise<unknown> {
  last = last.then(() => roundOfLoop());
  return last;
}

/** The turns of one caller's long work. It says when others must have theirs. */
export class Turns {
  private end: Moment;

  /** @param first says whether the first turn begins now, or is waited for like all others */
  constructor(first: 'at once' | 'in its turn' = 'at once') {
    this.end = first === 'at once' ? now() + turnTime : 0;
  }

  /** True if this turn has taken its time. */
  get isOver(): boolean {
    return now() >= this.end;
  }

  /**
   * Resolves in the caller's next turn. It returns no promise while this turn lasts, because awaiting nothing takes
   * time as well.
   */
  pause(): Promise<void> | undefined {
    return this.isOver ? this.next() : undefined;
  }

  /** Resolves in the caller's next turn. */
  async next(): Promise<void> {
    await nextTurn();
    this.end = now() + turnTime;
  }
}

/**
 * Runs the work, and pauses where it yields if its turn is over. It returns the value itself if no pause was needed.
 */
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
 * @param pieces takes a short time for each piece
 * @param isWanted is asked after every pause. After the first false, nothing more is made, so `pieces` may read memory
 * that is released at that moment
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
