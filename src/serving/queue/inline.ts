/**
 * Decides which runs are made on the event loop itself.
 *
 * Handing a run to another thread and its result back takes longer than the run of a small model, and costs more. So
 * runs that are short, and cannot become long, stay on the event loop. The engine says which runs are bounded. Measured
 * runs of about the same size say which are short: the first runs of a size are made on threads.
 *
 * With compiled graphs (`--xla`), the first run of a size takes as long as the compiler does. So a run stays on the
 * event loop only if the same size, with all outputs, has run on threads often enough to be compiled.
 */

/** A run usually takes this many times as long on a thread that has slept as on the event loop. */
const coldness = 4;

/**
 * Each run on a thread lowers the remembered time of runs on the event loop by this factor, so that the event loop is
 * tried again.
 */
const oblivion = 0.999;

/** TensorFlow compiles for a shape at its second run. After the third there is nothing more to compile. */
const runsToCompile = 3;

const rememberedSizes = 64;

export class InlineRuns {
  /** The sizes for runs of up to 1, 2, 4, 8 … rows. A run with twice the rows may behave differently. */
  private readonly sizes: Size[] = [];
  /** The number of runs on threads for each exact number of rows, up to {@link runsToCompile}. */
  private readonly compiled: Map<number, number> | undefined;

  /**
   * @param whyNever says why runs must not hold up the event loop; undefined if they may
   * @param limit is the microseconds that a typical run may take
   * @param compiles says that graphs are compiled for each shape
   */
  constructor(
    private readonly whyNever: string | undefined,
    private readonly limit: number,
    compiles = false,
  ) {
    this.compiled = compiles ? new Map() : undefined;
  }

  /** False if all runs are made on threads. */
  get arePossible(): boolean {
    return this.whyNever === undefined && this.limit > 0;
  }

  /**
   * True if a run of so many rows may be made on the event loop.
   *
   * @param isWhole says that it returns all outputs; a selection of them is a graph of its own
   */
  areShort(rows: number, isWhole: boolean): boolean {
    if (this.compiled && !(isWhole && (this.compiled.get(rows) ?? 0) >= runsToCompile)) return false;
    const size = this.sizes[sizeOf(rows)];
    return this.whyNever === undefined && size !== undefined && this.isShort(size);
  }

  private isShort({ onLoop, onThreads }: Size): boolean {
    const { limit } = this;
    return (
      (onLoop.micros ?? 0) <= limit && (onThreads.micros ?? Number.POSITIVE_INFINITY) <= coldness * limit
    );
  }

  /**
   * @param rows of the run, with padding
   * @param micros that it took
   */
  observe(rows: number, micros: number, isInline: boolean, isWhole: boolean): void {
    if (this.compiled && isWhole && !isInline) this.count(this.compiled, rows);
    const index = sizeOf(rows);
    this.sizes[index] ??= { onLoop: new Typical(), onThreads: new Typical() };
    const { onLoop, onThreads } = this.sizes[index];
    if (isInline) {
      onLoop.add(micros);
    } else {
      onThreads.add(micros);
      onLoop.forget(oblivion);
    }
  }

  private count(compiled: Map<number, number>, rows: number): void {
    const runs = compiled.get(rows) ?? 0;
    // Only a number of sizes is remembered, because clients can make them up. TensorFlow compiles no more than ten of
    // these.
    if (runs < runsToCompile && (runs > 0 || compiled.size < rememberedSizes)) compiled.set(rows, runs + 1);
  }

  /** What another event loop says of its runs, if that is where they are made. */
  elsewhere: string | undefined;

  /** Where runs are made and why, for people. */
  get explanation(): string {
    if (this.elsewhere !== undefined) return this.elsewhere;
    if (this.whyNever !== undefined) return `on threads: ${this.whyNever}`;
    const seen = [...this.sizes.entries()].flatMap(([index, size]) => (size ? [{ index, ...size }] : []));
    const [least] = seen;
    if (!least) return 'on threads: no run has been timed yet';
    const largest = seen.findLast((size) => this.isShort(size));
    const { index, onLoop, onThreads } = largest ?? least;
    const micros = (largest ? (onLoop.micros ?? onThreads.micros) : onThreads.micros) ?? 0;
    const took = `one takes about ${micros.toFixed(0)} µs`;
    return largest ? `on the event loop, in batches of up to ${2 ** index}: ${took}` : `on threads: ${took}`;
  }
}

interface Size {
  readonly onLoop: Typical;
  readonly onThreads: Typical;
}

/** The index of a size: 0 for up to one row, 1 for two, 2 for three and four, … */
function sizeOf(rows: number): number {
  return rows <= 1 ? 0 : Math.ceil(Math.log2(rows));
}

/** Tends to the median of its observations, whatever the outliers. */
class Typical {
  /** Undefined before the first observation. */
  micros: number | undefined;

  add(micros: number): void {
    if (this.micros === undefined) this.micros = micros;
    else this.micros *= micros > this.micros ? step : 1 / step;
  }

  forget(factor: number): void {
    if (this.micros !== undefined) this.micros *= factor;
  }
}

const step = 1.1;
