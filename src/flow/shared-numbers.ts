/**
 * Numbers that the event loops of the process share. Each loop writes its own part, and any loop reads the sum.
 *
 * So no loop waits for another, a loop that dies leaves nothing behind that must be taken back, and counters go on where
 * its successor begins.
 */

/** The place of a loop among those of the process. */
export interface Loop {
  /** 0 for the main thread, and from 1 on for workers. */
  readonly index: number;
  /** The number of loops, the main thread among them. */
  readonly count: number;
}

/** The only loop of a process without workers. */
export const onlyLoop: Loop = { index: 0, count: 1 };

/** A table of numbers, with a row for each loop. */
export class SharedNumbers {
  private readonly own: Float64Array;
  private readonly rows: readonly Float64Array[];

  /** @param memory has `width` numbers for each loop */
  private constructor(
    readonly memory: SharedArrayBuffer | ArrayBuffer,
    loop: Loop,
    width: number,
  ) {
    this.rows = Array.from(
      { length: loop.count },
      (_, row) => new Float64Array(memory, 8 * row * width, width),
    );
    this.own = this.rows[loop.index] as Float64Array;
  }

  /** Numbers that are all 0. */
  static make(loop: Loop, width: number): SharedNumbers {
    const bytes = 8 * loop.count * width;
    // A typed array over memory that nobody shares is a little faster.
    const memory = loop.count > 1 ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    return new SharedNumbers(memory, loop, width);
  }

  /** The numbers that another loop has made. */
  static open(memory: SharedArrayBuffer | ArrayBuffer, loop: Loop): SharedNumbers {
    return new SharedNumbers(memory, loop, memory.byteLength / 8 / loop.count);
  }

  /** The numbers of this loop, to be read and written. */
  get mine(): Float64Array {
    return this.own;
  }

  /** The sum over all loops. */
  total(column: number): number {
    let sum = 0;
    for (const row of this.rows) sum += row[column] as number;
    return sum;
  }

  /** The greatest number of all loops. */
  greatest(column: number): number {
    return Math.max(...this.rows.map((row) => row[column] as number));
  }

  /** The numbers of one loop. */
  of(index: number): Float64Array {
    return this.rows[index] as Float64Array;
  }
}
