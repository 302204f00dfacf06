/**
 * Long work on the event loop, in pieces. All such work of the process shares one piece of a few milliseconds in each turn of
 * the loop, however many requests want some: so short requests never wait for the sum.
 */
import { setImmediate as turnOfLoop } from 'node:timers/promises';

/** Milliseconds of work in one turn. */
const pieceMilliseconds = 5;

let last: Promise<unknown> = Promise.resolve();

/** Resolves in a turn of the loop that no other caller has; callers are served in their order. */
export function nextTurn(): Promise<unknown> {
  last = last.then(() => turnOfLoop());
  return last;
}

/** One caller's long work: says when it is time to let others have their turn. */
export class Turns {
  private end: number;

  /** @param first whether the first piece waits for its turn like all others, or is done where the caller is */
  constructor(first: 'in its turn' | 'at once' = 'in its turn') {
    this.end = first === 'at once' ? performance.now() + pieceMilliseconds : 0;
  }

  /** This piece has taken its time. */
  get isOver(): boolean {
    return performance.now() >= this.end;
  }

  /** Resolves in a turn of the caller's, and gives no promise while it lasts. */
  pause(): Promise<void> | undefined {
    return this.isOver ? this.next() : undefined;
  }

  /** Resolves in the next turn of the caller's. */
  async next(): Promise<void> {
    await nextTurn();
    this.end = performance.now() + pieceMilliseconds;
  }
}

/**
 * Makes the pieces in turns, and gives those that are not empty.
 *
 * @param pieces short work each
 * @param isWanted asked after every pause. After the first false nothing is made, so that `pieces` may read memory which goes
 * at that moment
 */
export async function* inTurns(
  pieces: Iterable<Uint8Array>,
  isWanted: () => boolean,
): AsyncGenerator<Uint8Array, void, void> {
  const iterator = pieces[Symbol.iterator]();
  const turns = new Turns();
  for (;;) {
    await turns.pause();
    if (!isWanted()) return;
    const next = iterator.next();
    if (next.done) return;
    if (next.value.length > 0) yield next.value;
  }
}
